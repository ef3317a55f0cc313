//! Predicates bound to the columns of one row slice.
//!
//! Compilation decides as much as it can per slice, so that the loops over rows do less:
//! - Min/max statistics, a column without values or an account that all rows share make a predicate a
//!   constant.
//! - `eq` and `starts_with` on a sorted dictionary become a range of codes, found by binary search.
//! - Other tests of a dictionary-encoded text run once per entry instead of once per row.

use std::ops::Range;

use memchr::memmem;

use super::column::{Column, SliceColumns};
use super::group_verdicts::GroupVerdicts;
use super::pair_verdicts::PairVerdicts;
use super::predicate::{Predicate, TextMatch};
use super::predicate_kernels::{
    DictionaryVerdicts, IntTest, TextTest, clear_unless, mask_codes, mask_durations, mask_ints, retain,
};
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{CodeWidth, DictionaryCodes, DictionaryColumn, EntryOrder, Texts, with_codes};
use crate::columns::integer::{ColumnStats, IntValues, with_int_values};
use crate::error::{Error, Result};
use crate::record::schema::ABSENT;

/// A predicate that is ready to run over the rows of one slice.
#[allow(missing_docs)] // The variants say what their fields are.
pub enum CompiledPredicate<'a> {
    /// The verdict is the same for all rows.
    Constant(bool),
    /// A test of an integer column; `absent` is the verdict on an absent one.
    Int { values: IntValues<'a>, absent: bool, test: IntTest<'a> },
    /// A test of `duration_ms`.
    Duration { durations: CallDurations<'a>, test: IntTest<'a> },
    /// A dictionary-encoded text has a code between two codes, both inclusive.
    Codes { codes: DictionaryCodes<'a>, first: usize, last: usize },
    /// A test of a dictionary-encoded text.
    Dictionary(DictionaryVerdicts<'a>),
    /// A test of a text column without a dictionary.
    Text { texts: &'a dyn Texts, test: TextTest<'a> },
    /// A test of two dictionary-encoded texts.
    Pairs(PairVerdicts<'a>),
    /// A test of the values of keys.
    Groups(GroupVerdicts<'a>),
    /// At least one of these holds.
    AnyOf(Vec<Self>),
    /// This one does not hold.
    Not(Box<Self>),
}

impl<'a> CompiledPredicate<'a> {
    /// Compiles a predicate for the rows of one slice.
    ///
    /// # Errors
    /// `Unknown` if the slice does not have the column or the column has another type.
    pub fn new(predicate: &'a Predicate, columns: &'a SliceColumns<'a>) -> Result<Self> {
        // Also where the verdict is known: a column that does not exist is an error.
        // The others look up what they read themselves: a rollup has keys, and not the columns that these are of.
        let is_on_columns = !matches!(predicate, Predicate::InGroups { .. } | Predicate::AnyOf(_) | Predicate::Not(_));
        let names = if is_on_columns { predicate.columns() } else { Vec::new() };
        let found = names.iter().map(|name| columns.get(name)).collect::<Result<Vec<_>>>()?;
        if let Some(verdict) = columns.account().and_then(|account| predicate.verdict_on_account(account)) {
            return Ok(Self::Constant(verdict));
        }
        let mut compiled = match predicate {
            Predicate::Between { column, low, high } => compile_int(found[0], column, IntTest::Between(*low, *high), false),
            Predicate::OneOfInts { column, values, or_absent } => {
                compile_int(found[0], column, IntTest::one_of(values), *or_absent)
            }
            Predicate::OneOfTexts { column, values, or_absent } => compile_one_of_texts(found[0], column, values, *or_absent),
            Predicate::Text { column, how, text } => compile_text_match(found[0], column, *how, text),
            Predicate::InNetwork { column, network } => {
                compile_text(found[0], column, false, move |text| str::from_utf8(text).is_ok_and(|text| network.contains(text)))
            }
            Predicate::Present { wanted, .. } => Ok(compile_presence(found[0], *wanted)),
            Predicate::TextPairs { columns, allowed } => compile_pairs(&found, columns, allowed),
            Predicate::InGroups { groups, .. } if groups.is_empty() => Ok(Self::Constant(false)),
            Predicate::InGroups { keys, groups } => Ok(Self::Groups(GroupVerdicts::new(keys, groups, columns)?)),
            Predicate::AnyOf(conditions) => compile_any(conditions, columns),
            Predicate::Not(condition) => Ok(Self::new(condition, columns)?.negated()),
        }?;
        if let (Self::Dictionary(verdicts), Some(kept)) = (&mut compiled, columns.kept_verdicts()) {
            verdicts.share(kept, predicate);
        }
        Ok(compiled)
    }

    /// Whether the predicate reads texts, whose bytes lie anywhere in memory. Such a predicate runs by
    /// [`CompiledPredicate::retain`] after the cheap ones have run by [`CompiledPredicate::apply_to_mask`].
    pub fn reads_texts(&self) -> bool {
        self.text_count() > 0
    }

    /// Texts that the predicate reads at most. Of two predicates, the one with fewer texts runs first: its
    /// verdicts are memoized after fewer tests, and it leaves fewer rows to the other.
    pub fn text_count(&self) -> usize {
        match self {
            Self::Dictionary(verdicts) => verdicts.text_count(),
            Self::Text { .. } => usize::MAX,
            Self::Pairs(verdicts) => verdicts.text_count(),
            Self::Groups(verdicts) => verdicts.text_count(),
            Self::AnyOf(conditions) => conditions.iter().fold(0, |count, condition| condition.text_count().saturating_add(count)),
            Self::Not(condition) => condition.text_count(),
            Self::Constant(_) | Self::Int { .. } | Self::Duration { .. } | Self::Codes { .. } => 0,
        }
    }

    /// Clears the mask bytes of rows that fail a cheap predicate. Leaves the mask alone if the predicate
    /// reads texts.
    pub fn apply_to_mask(&self, rows: Range<usize>, mask: &mut [u8]) {
        match self {
            Self::Constant(true) | Self::Dictionary(_) | Self::Text { .. } | Self::Pairs(_) | Self::Groups(_) => {}
            Self::Constant(false) => mask.fill(0),
            Self::Int { values, absent, test } => {
                with_int_values!(values, values => mask_ints(&values[rows], mask, *absent, *test), clear_unless(mask, *absent));
            }
            Self::Duration { durations: CallDurations::Milliseconds(ms), test } => mask_durations(&ms[rows], mask, *test),
            Self::Duration { durations, test } => {
                mask.iter_mut().zip(rows).for_each(|(byte, row)| *byte &= u8::from(test.holds(durations.get(row).1)));
            }
            Self::Codes { codes, first, last } => {
                with_codes!(codes, codes => mask_codes(&codes[rows], mask, *first, *last), mask.fill(0));
            }
            Self::AnyOf(_) | Self::Not(_) if self.reads_texts() => {}
            Self::AnyOf(conditions) => {
                let mut any = vec![0; mask.len()];
                for condition in conditions {
                    any.iter_mut().zip(condition.mask(rows.clone())).for_each(|(any, verdict)| *any |= verdict);
                }
                mask.iter_mut().zip(any).for_each(|(byte, any)| *byte &= any);
            }
            Self::Not(condition) => {
                mask.iter_mut().zip(condition.mask(rows)).for_each(|(byte, verdict)| *byte &= 1 - verdict);
            }
        }
    }

    /// The verdicts of a cheap predicate, as mask bytes.
    fn mask(&self, rows: Range<usize>) -> Vec<u8> {
        let mut mask = vec![1; rows.len()];
        self.apply_to_mask(rows, &mut mask);
        mask
    }

    /// Removes the rows that fail a predicate that reads texts. Leaves them alone if the predicate is a cheap
    /// one.
    pub fn retain(&mut self, rows: &mut Vec<u32>) {
        match self {
            Self::Dictionary(verdicts) => verdicts.retain(rows),
            Self::Text { texts, test } => retain(rows, |row| test(texts.bytes(row))),
            Self::Pairs(verdicts) => verdicts.retain(rows),
            Self::Groups(verdicts) => retain(rows, |row| verdicts.holds(row)),
            Self::AnyOf(_) | Self::Not(_) if self.reads_texts() => retain(rows, |row| self.holds(row)),
            Self::AnyOf(_) | Self::Not(_) => {}
            Self::Constant(_) | Self::Int { .. } | Self::Duration { .. } | Self::Codes { .. } => {}
        }
    }

    fn negated(self) -> Self {
        if let Self::Constant(verdict) = self { Self::Constant(!verdict) } else { Self::Not(Box::new(self)) }
    }

    /// The verdict on a row.
    fn holds(&mut self, row: usize) -> bool {
        match self {
            Self::Constant(verdict) => *verdict,
            Self::Int { values, absent, test } => match values.get(row) {
                ABSENT => *absent,
                value => test.holds(value),
            },
            Self::Duration { durations, test } => test.holds(durations.get(row).1),
            Self::Codes { codes, first, last } => {
                with_codes!(codes, codes => (*first + 1..=*last + 1).contains(&codes[row].one_based()), false)
            }
            Self::Dictionary(verdicts) => verdicts.holds(row),
            Self::Text { texts, test } => test(texts.bytes(row)),
            Self::Pairs(verdicts) => verdicts.holds_for(row),
            Self::Groups(verdicts) => verdicts.holds(row),
            Self::AnyOf(conditions) => conditions.iter_mut().any(|condition| condition.holds(row)),
            Self::Not(condition) => !condition.holds(row),
        }
    }
}

/// Compiles the test that one of some conditions holds.
fn compile_any<'a>(conditions: &'a [Predicate], columns: &'a SliceColumns<'a>) -> Result<CompiledPredicate<'a>> {
    let mut open = Vec::new();
    for condition in conditions {
        let compiled = CompiledPredicate::new(condition, columns)?;
        let CompiledPredicate::Constant(verdict) = compiled else {
            open.push(compiled);
            continue;
        };
        if verdict {
            return Ok(compiled);
        }
    }
    Ok(match open.len() {
        0 => CompiledPredicate::Constant(false),
        1 => open.remove(0),
        _ => CompiledPredicate::AnyOf(open),
    })
}

/// Compiles a test that also holds for an absent integer if `or_absent`. Fails if `column` does not have integers.
fn compile_int<'a>(column: Column<'a>, name: &str, test: IntTest<'a>, or_absent: bool) -> Result<CompiledPredicate<'a>> {
    match column {
        Column::Int { values, stats, default } => {
            Ok(bind_int(values, stats, or_absent || default != ABSENT && test.holds(default), test))
        }
        Column::Duration(durations) => Ok(CompiledPredicate::Duration { durations, test }),
        Column::Dictionary(_) | Column::Text(_) => Err(Error::Unknown { what: "integer column", name: name.to_owned() }),
    }
}

/// A test of an integer column, or a constant if its statistics decide it.
fn bind_int<'a>(values: IntValues<'a>, stats: ColumnStats, absent: bool, test: IntTest<'a>) -> CompiledPredicate<'a> {
    if matches!(values, IntValues::Absent) {
        return CompiledPredicate::Constant(absent);
    }
    match test.verdict_on_all(stats) {
        Some(verdict) if verdict == absent || !stats.has_absent => CompiledPredicate::Constant(verdict),
        _ => CompiledPredicate::Int { values, absent, test },
    }
}

fn compile_one_of_texts<'a>(
    column: Column<'a>, name: &str, values: &'a [String], or_absent: bool,
) -> Result<CompiledPredicate<'a>> {
    match (column, values) {
        // Absent texts have a code outside of any range of entries.
        (Column::Dictionary(column), [text]) if column.order == EntryOrder::Sorted && !or_absent => {
            Ok(compile_code_range(column, |entry| entry < text.as_str(), |entry| entry == text))
        }
        _ => compile_text(column, name, or_absent, move |text| values.binary_search_by(|v| v.as_bytes().cmp(text)).is_ok()),
    }
}

fn compile_text_match<'a>(column: Column<'a>, name: &str, how: TextMatch, text: &'a str) -> Result<CompiledPredicate<'a>> {
    match (column, how) {
        (Column::Dictionary(column), TextMatch::Eq | TextMatch::StartsWith) if column.order == EntryOrder::Sorted => {
            Ok(compile_code_range(column, |entry| entry < text, |entry| how.holds(entry.as_bytes(), text)))
        }
        // The search is prepared once for all rows, which `TextMatch::holds` cannot do.
        (_, TextMatch::Contains) => {
            let search = memmem::Finder::new(text);
            compile_text(column, name, false, move |value| search.find(value).is_some())
        }
        _ => compile_text(column, name, false, move |value| how.holds(value, text)),
    }
}

/// A test for the range of codes of [`DictionaryColumn::codes_where`] in a sorted dictionary.
fn compile_code_range(
    column: DictionaryColumn<'_>, is_before: impl Fn(&str) -> bool, wanted: impl Fn(&str) -> bool,
) -> CompiledPredicate<'_> {
    let codes = column.codes_where(is_before, wanted);
    if codes.is_empty() || codes.len() == column.entries.count() {
        return CompiledPredicate::Constant(!codes.is_empty());
    }
    CompiledPredicate::Codes { codes: column.codes, first: codes.start, last: codes.end - 1 }
}

/// Compiles a test whose verdict on an absent text is `absent`. Errors if `column` has no texts.
fn compile_text<'a>(
    column: Column<'a>, name: &str, absent: bool, holds: impl Fn(&[u8]) -> bool + Send + 'a,
) -> Result<CompiledPredicate<'a>> {
    let test: TextTest<'a> = Box::new(move |text| if text.is_empty() { absent } else { holds(text) });
    match column {
        Column::Dictionary(column) => Ok(compile_dictionary(column, test)),
        Column::Text(texts) => Ok(CompiledPredicate::Text { texts, test }),
        Column::Int { .. } | Column::Duration(_) => Err(Error::Unknown { what: "text column", name: name.to_owned() }),
    }
}

/// A test of a dictionary-encoded text, or a constant if no row has one.
fn compile_dictionary<'a>(column: DictionaryColumn<'a>, test: TextTest<'a>) -> CompiledPredicate<'a> {
    if matches!(column.codes, DictionaryCodes::Absent) {
        return CompiledPredicate::Constant(test(b""));
    }
    CompiledPredicate::Dictionary(DictionaryVerdicts::new(column, test))
}

/// Compiles a test of two texts. Errors unless both are dictionary-encoded.
fn compile_pairs<'a>(
    found: &[Column<'a>], names: &[String; 2], allowed: &'a [(String, Vec<String>)],
) -> Result<CompiledPredicate<'a>> {
    match found {
        [Column::Dictionary(first), Column::Dictionary(_)] if matches!(first.codes, DictionaryCodes::Absent) => {
            Ok(CompiledPredicate::Constant(false))
        }
        [Column::Dictionary(first), Column::Dictionary(second)] => {
            Ok(CompiledPredicate::Pairs(PairVerdicts::new(*first, *second, allowed)))
        }
        _ => Err(Error::Unknown { what: "pair of dictionary-encoded columns", name: names.join(", ") }),
    }
}

fn compile_presence(column: Column<'_>, wanted: bool) -> CompiledPredicate<'_> {
    match column {
        Column::Int { values, stats, .. } => {
            let test = if wanted { IntTest::Between(ABSENT + 1, i64::MAX) } else { IntTest::OneOf(&[]) };
            bind_int(values, stats, !wanted, test)
        }
        Column::Duration(_) => CompiledPredicate::Constant(wanted),
        // Both the lack of a code and an empty entry stand for an absent text; the test sees no bytes for both.
        Column::Dictionary(column) => compile_dictionary(column, Box::new(move |text| text.is_empty() != wanted)),
        Column::Text(texts) => CompiledPredicate::Text { texts, test: Box::new(move |text| text.is_empty() != wanted) },
    }
}

/// Compiles predicates and drops those that all rows of the slice satisfy. The rest are the *residual*
/// predicates.
pub(super) fn compile_residual<'a, 'p>(
    predicates: &[&'p Predicate], columns: &'a SliceColumns<'a>,
) -> Result<Vec<(&'p Predicate, CompiledPredicate<'a>)>>
where
    'p: 'a,
{
    let compiled = predicates.iter().map(|&predicate| Ok((predicate, CompiledPredicate::new(predicate, columns)?)));
    let is_residual =
        |(_, compiled): &(&Predicate, CompiledPredicate<'_>)| !matches!(compiled, CompiledPredicate::Constant(true));
    compiled.filter(|compiled| compiled.as_ref().map_or(true, is_residual)).collect()
}
