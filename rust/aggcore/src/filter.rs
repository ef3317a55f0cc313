//! Conditions on records.
//!
//! A condition is compiled once per part: one on a category is decided per dictionary entry, so that a row
//! costs one look-up of its code; one on a column without values costs no row anything.

use std::net::IpAddr;

use crate::column::{Column, Columns};
use crate::error::{Error, Result};
use crate::ints::Ints;
use crate::part::{Category, Strings, run_of};
use crate::record::duration_ms;
use crate::schema::ABSENT;

/// One condition; those of one scan must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Predicate {
    /// An integer lies in [low, high], both inclusive; an absent one never does.
    Between { column: String, low: i64, high: i64 },
    /// An integer is one of these (ascending).
    OneOfInts { column: String, values: Vec<i64> },
    /// A text is one of these (ascending).
    OneOfTexts { column: String, values: Vec<String> },
    /// A text compares with another; an absent one never matches.
    Text { column: String, how: TextMatch, text: String },
    /// A text is an address within a network; one that cannot be read never is.
    InNetwork { column: String, network: Network },
    /// A value is there (`wanted`) or is not.
    Present { column: String, wanted: bool },
}

impl Predicate {
    /// Name of the column that it asks about.
    pub fn column(&self) -> &str {
        match self {
            Self::Between { column, .. }
            | Self::OneOfInts { column, .. }
            | Self::OneOfTexts { column, .. }
            | Self::Text { column, .. }
            | Self::InNetwork { column, .. }
            | Self::Present { column, .. } => column,
        }
    }

    fn wants_end(&self, wanted: bool) -> bool {
        matches!(self, Self::Present { column, wanted: here } if column == "end_time" && *here == wanted)
    }
}

/// Whether sessions that have not ended may meet all conditions.
pub fn may_be_active(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(true))
}

/// Whether finished sessions may meet all conditions.
pub fn may_be_finished(predicates: &[Predicate]) -> bool {
    !predicates.iter().any(|predicate| predicate.wants_end(false))
}

/// How a text compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMatch {
    /// The whole text.
    Eq,
    /// Its beginning.
    StartsWith,
    /// Its end.
    EndsWith,
    /// Any part of it.
    Contains,
}

/// A block of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    mask: u128,
    v4: bool,
}

impl TextMatch {
    /// The comparison that the contract calls `name`.
    ///
    /// # Errors
    /// `Unknown` for any other name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "eq" => Ok(Self::Eq),
            "starts_with" => Ok(Self::StartsWith),
            "ends_with" => Ok(Self::EndsWith),
            "contains" => Ok(Self::Contains),
            _ => Err(Error::Unknown { what: "comparison", name: name.to_owned() }),
        }
    }

    fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::Eq => value == text,
            Self::StartsWith => value.starts_with(text),
            Self::EndsWith => value.ends_with(text),
            Self::Contains => value.contains(text),
        }
    }
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`, IPv4 or IPv6; an IPv4-mapped IPv6 address counts as the IPv4 one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let written: IpAddr = address.parse().ok()?;
        let width = if written.is_ipv4() { 32 } else { 128 };
        let bits: u32 = bits.map_or(Some(width), |bits| bits.parse().ok()).filter(|&bits| bits <= width)?;
        let (first, bits, width) = match (written, written.to_canonical()) {
            (_, IpAddr::V4(address)) if bits + 32 >= width => (u128::from(u32::from(address)), bits + 32 - width, 32),
            (IpAddr::V6(address), _) => (u128::from(address), bits, 128),
            (IpAddr::V4(_), _) => return None,
        };
        let v4 = width == 32;
        let mask = if bits == 0 { 0 } else { (!0u128 >> (128 - width)) & (!0u128 << (width - bits)) };
        Some(Self { first: first & mask, mask, v4 })
    }

    fn contains(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address: IpAddr| {
            let (address, v4) = number(address);
            v4 == self.v4 && address & self.mask == self.first
        })
    }
}

fn number(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(u32::from(address)), true),
        IpAddr::V6(address) => (u128::from(address), false),
    }
}

/// A condition ready to be asked of the rows of one part.
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Compiled<'a> {
    /// The same for all rows.
    Constant(bool),
    /// On an integer; `absent` is the verdict on an absent one.
    Int { values: Ints<'a>, absent: bool, test: IntTest<'a> },
    /// On `duration_ms`.
    Duration { answer_us: Ints<'a>, end_us: Ints<'a>, test: IntTest<'a> },
    /// On a category: the verdicts on all its codes, by code + 1.
    Category { codes: &'a [i32], verdicts: Vec<bool> },
    /// On a text.
    Text { texts: &'a dyn Strings, test: TextTest<'a> },
}

/// A condition on an integer that is there.
#[derive(Clone, Copy)]
pub enum IntTest<'a> {
    /// Both ends inclusive.
    Between(i64, i64),
    /// Ascending.
    OneOf(&'a [i64]),
}

/// A condition on a text, "" where it is absent.
type TextTest<'a> = Box<dyn Fn(&str) -> bool + 'a>;

impl<'a> Compiled<'a> {
    /// Prepares a condition for the rows of one part.
    ///
    /// # Errors
    /// `Unknown` where the part has no such column or the column is of another type.
    pub fn new(predicate: &'a Predicate, columns: &'a Columns<'a>) -> Result<Self> {
        let name = predicate.column();
        let column = columns.get(name)?;
        match predicate {
            Predicate::Between { low, high, .. } => on_int(column, name, IntTest::Between(*low, *high)),
            Predicate::OneOfInts { values, .. } => on_int(column, name, IntTest::one_of(values)),
            Predicate::OneOfTexts { values, .. } => {
                on_present_text(column, name, move |text| values.binary_search_by(|v| v.as_str().cmp(text)).is_ok())
            }
            Predicate::Text { how, text, .. } => on_present_text(column, name, move |value| how.holds(value, text)),
            Predicate::InNetwork { network, .. } => on_present_text(column, name, move |text| network.contains(text)),
            Predicate::Present { wanted, .. } => Ok(on_presence(column, *wanted)),
        }
    }

    /// Keeps the rows that the condition holds for.
    pub fn retain(&self, rows: &mut Vec<u32>) {
        match self {
            Self::Constant(true) => {}
            Self::Constant(false) => rows.clear(),
            Self::Int { values, absent, test: IntTest::Between(low, high) } => {
                let (low, high) = (*low, *high);
                retain_ints(rows, *values, *absent, |value| low <= value && value <= high);
            }
            Self::Int { values, absent, test: IntTest::OneOf(wanted) } => {
                retain_ints(rows, *values, *absent, |value| wanted.binary_search(&value).is_ok());
            }
            Self::Duration { answer_us, end_us, test } => {
                retain(rows, |row| test.holds(duration_ms(answer_us.get(row), end_us.get(row))));
            }
            Self::Category { codes, verdicts } => retain_values(rows, codes, |code| verdicts[(code + 1) as usize]),
            Self::Text { texts, test } => retain(rows, |row| test(texts.get(row))),
        }
    }
}

impl<'a> IntTest<'a> {
    fn one_of(values: &'a [i64]) -> Self {
        match values {
            [value] => Self::Between(*value, *value),
            _ => Self::OneOf(values),
        }
    }

    fn holds(self, value: i64) -> bool {
        match self {
            Self::Between(low, high) => (low..=high).contains(&value),
            Self::OneOf(values) => values.binary_search(&value).is_ok(),
        }
    }
}

/// Keeps the rows whose value meets a condition.
fn retain_values<T: Copy>(rows: &mut Vec<u32>, values: &[T], holds: impl Fn(T) -> bool) {
    // Often all rows meet it, and values in a row are looked at many at a time.
    let all = |values: &[T]| values.iter().filter(|&&value| holds(value)).count() == values.len();
    if !run_of(rows).is_some_and(|run| all(&values[run])) {
        retain(rows, |row| holds(values[row]));
    }
}

/// Keeps the rows that `holds` says; without a branch, as it may go either way from row to row.
pub fn retain(rows: &mut Vec<u32>, holds: impl Fn(usize) -> bool) {
    let mut kept = 0;
    for place in 0..rows.len() {
        let row = rows[place];
        rows[kept] = row;
        kept += usize::from(holds(row as usize));
    }
    rows.truncate(kept);
}

fn retain_ints(rows: &mut Vec<u32>, values: Ints<'_>, absent: bool, holds: impl Fn(i64) -> bool) {
    match values {
        Ints::Absent => retain(rows, |_| absent),
        Ints::Narrow(values) => retain_values(rows, values, |value| match value {
            i32::MIN => absent,
            value => holds(i64::from(value)),
        }),
        Ints::Wide(values) => retain_values(rows, values, |value| match value {
            ABSENT => absent,
            value => holds(value),
        }),
    }
}

fn on_int<'a>(column: Column<'a>, name: &str, test: IntTest<'a>) -> Result<Compiled<'a>> {
    match column {
        Column::Int { values, default } => Ok(int(values, default != ABSENT && test.holds(default), test)),
        Column::Duration { answer_us, end_us } => Ok(Compiled::Duration { answer_us, end_us, test }),
        Column::Category(_) | Column::Text(_) => Err(Error::Unknown { what: "integer column", name: name.to_owned() }),
    }
}

fn int<'a>(values: Ints<'a>, absent: bool, test: IntTest<'a>) -> Compiled<'a> {
    match values {
        Ints::Absent => Compiled::Constant(absent),
        Ints::Narrow(_) | Ints::Wide(_) => Compiled::Int { values, absent, test },
    }
}

fn on_present_text<'a>(column: Column<'a>, name: &str, holds: impl Fn(&str) -> bool + 'a) -> Result<Compiled<'a>> {
    let test: TextTest<'a> = Box::new(move |text| !text.is_empty() && holds(text));
    match column {
        Column::Category(column) => {
            let verdicts = std::iter::once(false).chain((0..column.entries.count()).map(|code| test(column.entries.get(code))));
            Ok(category(column, verdicts.collect()))
        }
        Column::Text(texts) => Ok(Compiled::Text { texts, test }),
        Column::Int { .. } | Column::Duration { .. } => Err(Error::Unknown { what: "text column", name: name.to_owned() }),
    }
}

fn category(column: Category<'_>, verdicts: Vec<bool>) -> Compiled<'_> {
    if column.codes.is_empty() {
        return Compiled::Constant(verdicts[0]);
    }
    Compiled::Category { codes: column.codes, verdicts }
}

fn on_presence(column: Column<'_>, wanted: bool) -> Compiled<'_> {
    match column {
        Column::Int { values, .. } => {
            let test = if wanted { IntTest::Between(i64::MIN, i64::MAX) } else { IntTest::OneOf(&[]) };
            int(values, !wanted, test)
        }
        Column::Duration { .. } => Compiled::Constant(wanted),
        Column::Category(column) => {
            // An empty entry stands for an absent text too.
            let is_there = (0..column.entries.count()).map(|code| !column.entries.get(code).is_empty());
            category(column, std::iter::once(false).chain(is_there).map(|there| there == wanted).collect())
        }
        Column::Text(texts) => Compiled::Text { texts, test: Box::new(move |text| text.is_empty() != wanted) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_called_as_in_the_contract() -> Result<()> {
        let cases = [("eq", [true, false, false]), ("starts_with", [true, true, false]), ("ends_with", [true, false, true])];
        for (name, expected) in cases {
            let how = TextMatch::named(name)?;
            assert_eq!(["12", "123", "312"].map(|value| how.holds(value, "12")), expected, "{name}");
        }
        assert!(TextMatch::named("contains")?.holds("3124", "12"));
        assert!(TextMatch::named("like").is_err());
        Ok(())
    }

    #[test]
    fn addresses_fall_within_their_blocks() {
        let cases = [
            ("198.51.100.0/24", "198.51.100.255", true),
            ("198.51.100.0/24", "198.51.101.0", false),
            ("198.51.100.7", "198.51.100.7", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.9", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::ffff:198.51.100.0/120", "198.51.100.9", true),
            ("198.51.100.0/24", "::ffff:198.51.100.9", true),
            ("::ffff:0:0/90", "::ffc0:1:2", true),
            ("::ffff:0:0/90", "198.51.100.9", false),
            ("198.51.100.0/24", "not an address", false),
        ];
        for (network, address, inside) in cases {
            assert_eq!(Network::parse(network).map(|n| n.contains(address)), Some(inside), "{address} in {network}");
        }
        for text in ["", "198.51.100.0/33", "198.51.100.0/x", "198.51.100", "2001:db8::/129", "/8"] {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
    }
}
