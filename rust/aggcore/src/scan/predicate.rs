//! Conditions on records.
//!
//! A condition is compiled once per slice. One on a category is decided per dictionary entry, so that a row costs one
//! look-up of its code; where the dictionary is sorted, a beginning is a range of codes. One that holds for all values
//! of a column, or none, costs no row anything.

use std::net::IpAddr;
use std::ops::Range;

use super::column::{Column, SliceColumns};
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{CodeWidth, DictionaryCodes, DictionaryColumn, EntryOrder, Texts, with_codes};
use crate::columns::integer::ColumnStats;
use crate::columns::integer::{IntValues, IntWidth, with_int_values};
use crate::error::{Error, Result};
use crate::record::schema::ABSENT;

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

const ACCOUNT: &str = "account_id";

/// The one account that a record must be of to meet all conditions, if they name one.
pub fn account_of(predicates: &[Predicate]) -> Option<&str> {
    predicates.iter().find_map(|predicate| {
        let Predicate::OneOfTexts { column, values } = predicate else { return None };
        let [account] = values.as_slice() else { return None };
        (column == ACCOUNT).then_some(account.as_str())
    })
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
    /// Any slice of it.
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

/// A condition ready to be asked of the rows of one slice.
#[allow(missing_docs)] // The variants say what their fields are.
pub enum CompiledPredicate<'a> {
    /// The same for all rows.
    Constant(bool),
    /// On an integer; `absent` is the verdict on an absent one.
    Int { values: IntValues<'a>, absent: bool, test: IntCondition<'a> },
    /// On `duration_ms`.
    Duration { durations: CallDurations<'a>, test: IntCondition<'a> },
    /// On a category whose entries are sorted: the codes that it holds for, both inclusive.
    Codes { codes: DictionaryCodes<'a>, first: usize, last: usize },
    /// On a category.
    DictionaryColumn(DictionaryVerdicts<'a>),
    /// On a text.
    Text { texts: &'a dyn Texts, test: TextCondition<'a> },
}

/// A condition on an integer that is there.
#[derive(Clone, Copy)]
pub enum IntCondition<'a> {
    /// Both ends inclusive.
    Between(i64, i64),
    /// Ascending.
    OneOf(&'a [i64]),
}

/// A condition on a text, "" where it is absent.
type TextCondition<'a> = Box<dyn Fn(&str) -> bool + Send + 'a>;

/// The verdicts on the entries of a dictionary, each found when a row first asks for it.
pub struct DictionaryVerdicts<'a> {
    codes: DictionaryCodes<'a>,
    entries: &'a dyn Texts,
    test: TextCondition<'a>,
    /// By code + 1, two bits each: a slice may have far more entries than rows that ask.
    known: Vec<u8>,
}

/// DictionaryVerdicts in a byte, of which each is one of the following or not known yet.
const VERDICTS: usize = 4;
const FAILS: u8 = 1;
const HOLDS: u8 = 2;

/// Values that are compared one after the other, many rows at a time; more are searched for row by row.
const COMPARED_VALUES: usize = 4;

impl<'a> CompiledPredicate<'a> {
    /// Prepares a condition for the rows of one slice.
    ///
    /// # Errors
    /// `Unknown` where the slice has no such column or the column is of another type.
    pub fn new(predicate: &'a Predicate, columns: &'a SliceColumns<'a>) -> Result<Self> {
        let name = predicate.column();
        let column = columns.get(name)?;
        if let (Predicate::OneOfTexts { values, .. }, Some(account)) = (predicate, columns.account().filter(|_| name == ACCOUNT))
        {
            return Ok(Self::Constant(values.iter().any(|value| value == account)));
        }
        match predicate {
            Predicate::Between { low, high, .. } => on_int(column, name, IntCondition::Between(*low, *high)),
            Predicate::OneOfInts { values, .. } => on_int(column, name, IntCondition::one_of(values)),
            Predicate::OneOfTexts { values, .. } => on_one_of_texts(column, name, values),
            Predicate::Text { how, text, .. } => on_text(column, name, *how, text),
            Predicate::InNetwork { network, .. } => on_present_text(column, name, move |text| network.contains(text)),
            Predicate::Present { wanted, .. } => Ok(on_presence(column, *wanted)),
        }
    }

    /// Whether it costs so much a row that it should be asked of as few as possible: by [`CompiledPredicate::retain`].
    pub fn is_costly(&self) -> bool {
        self.texts() > 0
    }

    /// Texts that it may have to look at: the fewer, the sooner all verdicts are known.
    pub fn texts(&self) -> usize {
        match self {
            Self::DictionaryColumn(verdicts) => verdicts.entries.count() + 1,
            Self::Text { .. } => usize::MAX,
            Self::Constant(_) | Self::Int { .. } | Self::Duration { .. } | Self::Codes { .. } => 0,
        }
    }

    /// Puts 0 at the places of the rows of a range that a condition that is not costly does not hold for.
    pub fn apply_to_mask(&self, rows: Range<usize>, mask: &mut [u8]) {
        match self {
            Self::Constant(true) | Self::DictionaryColumn(_) | Self::Text { .. } => {}
            Self::Constant(false) => mask.fill(0),
            Self::Int { values, absent, test } => {
                with_int_values!(values, values => filter_ints(&values[rows], mask, *absent, *test), and(mask, *absent));
            }
            Self::Duration { durations: CallDurations::Milliseconds(ms), test } => filter_durations(&ms[rows], mask, *test),
            Self::Duration { durations, test } => {
                mask.iter_mut().zip(rows).for_each(|(kept, row)| *kept &= u8::from(test.holds(durations.get(row).1)));
            }
            Self::Codes { codes, first, last } => {
                with_codes!(codes, codes => filter_codes(&codes[rows], mask, *first, *last), mask.fill(0));
            }
        }
    }

    /// Keeps the rows that a costly condition holds for.
    pub fn retain(&mut self, rows: &mut Vec<u32>) {
        match self {
            Self::DictionaryColumn(verdicts) => verdicts.retain(rows),
            Self::Text { texts, test } => retain(rows, |row| test(texts.get(row))),
            Self::Constant(_) | Self::Int { .. } | Self::Duration { .. } | Self::Codes { .. } => {}
        }
    }
}

impl<'a> DictionaryVerdicts<'a> {
    fn on(column: DictionaryColumn<'a>, test: TextCondition<'a>) -> CompiledPredicate<'a> {
        if matches!(column.codes, DictionaryCodes::Absent) {
            return CompiledPredicate::Constant(test(""));
        }
        let known = vec![0; (column.entries.count() + 1).div_ceil(VERDICTS)];
        CompiledPredicate::DictionaryColumn(Self { codes: column.codes, entries: column.entries, test, known })
    }

    fn retain(&mut self, rows: &mut Vec<u32>) {
        let Self { codes, entries, test, known } = self;
        let mut verdict = |place: usize| {
            let (verdicts, shift) = (&mut known[place / VERDICTS], place % VERDICTS * 2);
            if *verdicts >> shift & 3 == 0 {
                let text = place.checked_sub(1).map_or("", |code| entries.get(code));
                *verdicts |= if test(text) { HOLDS } else { FAILS } << shift;
            }
            *verdicts >> shift & 3 == HOLDS
        };
        with_codes!(codes, codes => retain(rows, |row| verdict(codes[row].one_based())), rows.clear());
    }
}

impl<'a> IntCondition<'a> {
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

    /// The verdict on all values of a column that are there, where it is the same for all.
    fn on_all(self, stats: ColumnStats) -> Option<bool> {
        match self {
            Self::Between(low, high) if low <= stats.low && stats.high <= high => Some(true),
            Self::Between(low, high) if high < stats.low || stats.high < low => Some(false),
            Self::OneOf([value]) if (stats.low, stats.high) == (*value, *value) => Some(true),
            Self::OneOf(values) if !values.iter().any(|value| (stats.low..=stats.high).contains(value)) => Some(false),
            Self::Between(..) | Self::OneOf(_) => None,
        }
    }
}

/// Keeps the rows that `holds` says; without a branch, as it may go either way from row to row.
pub fn retain(rows: &mut Vec<u32>, mut holds: impl FnMut(usize) -> bool) {
    let mut kept = 0;
    for place in 0..rows.len() {
        let row = rows[place];
        rows[kept] = row;
        kept += usize::from(holds(row as usize));
    }
    rows.truncate(kept);
}

fn and(mask: &mut [u8], verdict: bool) {
    if !verdict {
        mask.fill(0);
    }
}

/// Compares in the width of the values, so that as many as possible are looked at at a time.
fn filter_ints<T: IntWidth + Ord>(values: &[T], mask: &mut [u8], absent: bool, test: IntCondition<'_>) {
    match test {
        IntCondition::Between(low, high) => match T::clamp_range(low, high) {
            Some(ends) if absent => narrow(values, mask, |value| value.is_within(ends) | value.is_absent()),
            Some(ends) => narrow(values, mask, |value| value.is_within(ends)),
            None => narrow(values, mask, |value| absent & value.is_absent()),
        },
        IntCondition::OneOf(wanted) if wanted.len() <= COMPARED_VALUES => {
            let fitting: Vec<T> = wanted.iter().filter_map(|&value| T::clamp_range(value, value)).map(|ends| ends.0).collect();
            match fitting.first() {
                // As many as the compiler knows of, the first of them more than once.
                Some(&first) => {
                    let wanted: [T; COMPARED_VALUES] = std::array::from_fn(|i| fitting.get(i).copied().unwrap_or(first));
                    narrow(values, mask, |value| {
                        wanted.iter().fold(absent & value.is_absent(), |any, &one| any | (one == value))
                    });
                }
                None => narrow(values, mask, |value| absent & value.is_absent()),
            }
        }
        IntCondition::OneOf(wanted) => {
            for (kept, &value) in mask.iter_mut().zip(values).filter(|(kept, _)| **kept != 0) {
                *kept = u8::from(if value.is_absent() { absent } else { wanted.binary_search(&value.to_i64()).is_ok() });
            }
        }
    }
}

fn filter_durations(ms: &[i32], mask: &mut [u8], test: IntCondition<'_>) {
    match test {
        IntCondition::Between(low, high) => match i32::clamp_range(low, high) {
            Some(ends) => narrow(ms, mask, |ms| ms.max(0).is_within(ends)),
            None => mask.fill(0),
        },
        IntCondition::OneOf(_) => narrow(ms, mask, |ms| test.holds(i64::from(ms.max(0)))),
    }
}

fn filter_codes<T: CodeWidth>(codes: &[T], mask: &mut [u8], first: usize, last: usize) {
    // All codes of a dictionary fit the width of its codes.
    let (first, last) = (T::of(first), T::of(last));
    narrow(codes, mask, |code| (first <= code) & (code <= last));
}

#[inline]
fn narrow<T: Copy>(values: &[T], mask: &mut [u8], holds: impl Fn(T) -> bool) {
    mask.iter_mut().zip(values).for_each(|(kept, &value)| *kept &= u8::from(holds(value)));
}

fn on_int<'a>(column: Column<'a>, name: &str, test: IntCondition<'a>) -> Result<CompiledPredicate<'a>> {
    match column {
        Column::Int { values, stats, default } => Ok(int(values, stats, default != ABSENT && test.holds(default), test)),
        Column::Duration(durations) => Ok(CompiledPredicate::Duration { durations, test }),
        Column::DictionaryColumn(_) | Column::Text(_) => Err(Error::Unknown { what: "integer column", name: name.to_owned() }),
    }
}

fn int<'a>(values: IntValues<'a>, stats: ColumnStats, absent: bool, test: IntCondition<'a>) -> CompiledPredicate<'a> {
    if matches!(values, IntValues::Absent) {
        return CompiledPredicate::Constant(absent);
    }
    match test.on_all(stats) {
        Some(verdict) if verdict == absent || !stats.has_absent => CompiledPredicate::Constant(verdict),
        _ => CompiledPredicate::Int { values, absent, test },
    }
}

fn on_one_of_texts<'a>(column: Column<'a>, name: &str, values: &'a [String]) -> Result<CompiledPredicate<'a>> {
    match (column, values) {
        (Column::DictionaryColumn(column), [text]) if column.order == EntryOrder::Sorted => {
            Ok(between_codes(column, |entry| entry < text.as_str(), |entry| entry == text))
        }
        _ => on_present_text(column, name, move |text| values.binary_search_by(|v| v.as_str().cmp(text)).is_ok()),
    }
}

fn on_text<'a>(column: Column<'a>, name: &str, how: TextMatch, text: &'a str) -> Result<CompiledPredicate<'a>> {
    match (column, how) {
        (Column::DictionaryColumn(column), TextMatch::Eq | TextMatch::StartsWith) if column.order == EntryOrder::Sorted => {
            Ok(between_codes(column, |entry| entry < text, |entry| how.holds(entry, text)))
        }
        _ => on_present_text(column, name, move |value| how.holds(value, text)),
    }
}

/// The condition that a code is among those of [`DictionaryColumn::codes_where`].
fn between_codes(
    column: DictionaryColumn<'_>, is_before: impl Fn(&str) -> bool, wanted: impl Fn(&str) -> bool,
) -> CompiledPredicate<'_> {
    let codes = column.codes_where(is_before, wanted);
    if codes.is_empty() || codes.len() == column.entries.count() {
        return CompiledPredicate::Constant(!codes.is_empty());
    }
    CompiledPredicate::Codes { codes: column.codes, first: codes.start, last: codes.end - 1 }
}

fn on_present_text<'a>(
    column: Column<'a>, name: &str, holds: impl Fn(&str) -> bool + Send + 'a,
) -> Result<CompiledPredicate<'a>> {
    let test: TextCondition<'a> = Box::new(move |text| !text.is_empty() && holds(text));
    match column {
        Column::DictionaryColumn(column) => Ok(DictionaryVerdicts::on(column, test)),
        Column::Text(texts) => Ok(CompiledPredicate::Text { texts, test }),
        Column::Int { .. } | Column::Duration(_) => Err(Error::Unknown { what: "text column", name: name.to_owned() }),
    }
}

fn on_presence(column: Column<'_>, wanted: bool) -> CompiledPredicate<'_> {
    match column {
        Column::Int { values, stats, .. } => {
            let test = if wanted { IntCondition::Between(ABSENT + 1, i64::MAX) } else { IntCondition::OneOf(&[]) };
            int(values, stats, !wanted, test)
        }
        Column::Duration(_) => CompiledPredicate::Constant(wanted),
        // An empty entry stands for an absent text too.
        Column::DictionaryColumn(column) => DictionaryVerdicts::on(column, Box::new(move |text| text.is_empty() != wanted)),
        Column::Text(texts) => CompiledPredicate::Text { texts, test: Box::new(move |text| text.is_empty() != wanted) },
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
