//! The loops of compiled predicates over the rows of a chunk.
//!
//! Cheap predicates, on integers and on ranges of dictionary codes, clear bytes of a mask: 1 selects a row, 0
//! does not. Each loop compares in the width of its column and has no branch, so that the compiler vectorizes
//! it. Predicates that read texts run afterwards, row by row, over the indices of the rows that are left.

use std::sync::Arc;

use super::kept_verdicts::{KeptVerdicts, Verdicts};
use super::predicate::Predicate;
use crate::columns::dictionary::{CodeWidth, DictionaryCodes, DictionaryColumn, Texts, with_codes};
use crate::columns::integer::{ColumnStats, IntWidth};

/// A test of an integer that is present.
#[derive(Clone, Copy)]
pub enum IntTest<'a> {
    /// The value lies between two bounds, both inclusive.
    Between(i64, i64),
    /// The value is one of these, which ascend.
    OneOf(&'a [i64]),
}

/// A test of the bytes of a text; an absent text has none. Whether the bytes are UTF-8 does not matter, and would take
/// longer to find out than most tests.
pub(super) type TextTest<'a> = Box<dyn Fn(&[u8]) -> bool + Send + 'a>;

/// A test of a dictionary-encoded column, memoized by entry: an entry is tested when the first row has its
/// code.
pub struct DictionaryVerdicts<'a> {
    codes: DictionaryCodes<'a>,
    entries: &'a dyn Texts,
    test: TextTest<'a>,
    /// Verdicts by code + 1.
    verdicts: Arc<Verdicts>,
}

/// Values of a `OneOf` up to which every row is compared with each of them, which vectorizes. More values are
/// found by binary search, row by row.
const COMPARED_VALUES_MAX: usize = 4;

impl<'a> DictionaryVerdicts<'a> {
    pub(super) fn new(column: DictionaryColumn<'a>, test: TextTest<'a>) -> Self {
        let verdicts = Arc::new(Verdicts::new(column.entries.count() + 1));
        Self { codes: column.codes, entries: column.entries, test, verdicts }
    }

    /// Takes the verdicts that earlier scans found for this condition, and adds its own to them.
    pub(super) fn share(&mut self, kept: &KeptVerdicts, condition: &Predicate) {
        if let Some(verdicts) = kept.of(condition, self.text_count()) {
            self.verdicts = verdicts;
        }
    }

    /// Texts that the test may have to read: the entries and the absent text.
    pub(super) fn text_count(&self) -> usize {
        self.entries.count() + 1
    }

    /// Removes the rows whose text fails the test.
    pub(super) fn retain(&mut self, rows: &mut Vec<u32>) {
        let codes = self.codes;
        with_codes!(codes, codes => retain(rows, |row| self.verdict(codes[row].one_based())), rows.clear());
    }

    /// The verdict on a row; false if no row has a text.
    pub(super) fn holds(&mut self, row: usize) -> bool {
        let codes = self.codes;
        with_codes!(codes, codes => self.verdict(codes[row].one_based()), false)
    }

    /// The verdict on an entry by its code + 1, and on the absent text by 0.
    #[inline]
    fn verdict(&self, slot: usize) -> bool {
        let text = || slot.checked_sub(1).map_or(&[][..], |code| self.entries.bytes(code));
        self.verdicts.get(slot, || (self.test)(text()))
    }
}

impl<'a> IntTest<'a> {
    /// The cheapest test for one of `values`, which ascend.
    pub(super) fn one_of(values: &'a [i64]) -> Self {
        match values {
            [value] => Self::Between(*value, *value),
            _ => Self::OneOf(values),
        }
    }

    pub(super) fn holds(self, value: i64) -> bool {
        match self {
            Self::Between(low, high) => (low..=high).contains(&value),
            Self::OneOf(values) => values.binary_search(&value).is_ok(),
        }
    }

    /// The verdict on the present values of a column, if the min/max statistics prove it equal for all.
    pub(super) fn verdict_on_all(self, stats: ColumnStats) -> Option<bool> {
        match self {
            Self::Between(low, high) if low <= stats.low && stats.high <= high => Some(true),
            Self::Between(low, high) if high < stats.low || stats.high < low => Some(false),
            Self::OneOf(values) if !values.iter().any(|value| (stats.low..=stats.high).contains(value)) => Some(false),
            Self::Between(..) | Self::OneOf(_) => None,
        }
    }
}

/// Removes the rows that `holds` is false for.
///
/// Every row is written and the end of the list advances by 0 or 1, because a branch on an unpredictable
/// verdict costs more than the store.
pub(super) fn retain(rows: &mut Vec<u32>, mut holds: impl FnMut(usize) -> bool) {
    let mut retained = 0;
    for index in 0..rows.len() {
        let row = rows[index];
        rows[retained] = row;
        retained += usize::from(holds(row as usize));
    }
    rows.truncate(retained);
}

/// Clears the mask of a chunk whose rows all have the same verdict, unless they pass.
pub(super) fn clear_unless(mask: &mut [u8], verdict: bool) {
    if !verdict {
        mask.fill(0);
    }
}

/// Clears the mask bytes of rows whose integer fails a test; `absent` is the verdict on an absent one.
pub(super) fn mask_ints<T: IntWidth + Ord>(values: &[T], mask: &mut [u8], absent: bool, test: IntTest<'_>) {
    match test {
        IntTest::Between(low, high) => match T::clamp_range(low, high) {
            Some(ends) if absent => and_each(values, mask, |value| value.is_within(ends) | value.is_absent()),
            Some(ends) => and_each(values, mask, |value| value.is_within(ends)),
            None => and_each(values, mask, |value| absent & value.is_absent()),
        },
        IntTest::OneOf(wanted) if wanted.len() <= COMPARED_VALUES_MAX => {
            let representable: Vec<T> =
                wanted.iter().filter_map(|&value| T::clamp_range(value, value)).map(|ends| ends.0).collect();
            match representable.first() {
                // Padded to a fixed length with the first value, so that the loop vectorizes.
                Some(&first) => {
                    let wanted: [T; COMPARED_VALUES_MAX] =
                        std::array::from_fn(|i| representable.get(i).copied().unwrap_or(first));
                    and_each(values, mask, |value| {
                        wanted.iter().fold(absent & value.is_absent(), |any, &one| any | (one == value))
                    });
                }
                None => and_each(values, mask, |value| absent & value.is_absent()),
            }
        }
        IntTest::OneOf(wanted) => {
            for (byte, &value) in mask.iter_mut().zip(values).filter(|(byte, _)| **byte != 0) {
                *byte = u8::from(if value.is_absent() { absent } else { wanted.binary_search(&value.to_i64()).is_ok() });
            }
        }
    }
}

/// Clears the mask bytes of rows whose call duration fails a test. An unanswered call, -1, lasts 0 ms.
pub(super) fn mask_durations(ms: &[i32], mask: &mut [u8], test: IntTest<'_>) {
    match test {
        IntTest::Between(low, high) => match i32::clamp_range(low, high) {
            Some(ends) => and_each(ms, mask, |ms| ms.max(0).is_within(ends)),
            None => mask.fill(0),
        },
        IntTest::OneOf(_) => and_each(ms, mask, |ms| test.holds(i64::from(ms.max(0)))),
    }
}

/// Clears the mask bytes of rows whose code is outside `first..=last`. An absent text is
/// never inside: its code is -1, or that of an empty entry after all others.
pub(super) fn mask_codes<T: CodeWidth>(codes: &[T], mask: &mut [u8], first: usize, last: usize) {
    // Both are codes of the column's dictionary, so they fit the width of its codes.
    let (first, last) = (T::of(first), T::of(last));
    and_each(codes, mask, |code| (first <= code) & (code <= last));
}

/// Clears the mask bytes of rows whose value fails a test.
#[inline]
fn and_each<T: Copy>(values: &[T], mask: &mut [u8], holds: impl Fn(T) -> bool) {
    mask.iter_mut().zip(values).for_each(|(byte, &value)| *byte &= u8::from(holds(value)));
}
