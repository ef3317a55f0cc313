//! The loops over the rows of a slice that a compiled predicate runs.

use crate::columns::dictionary::{CodeWidth, DictionaryCodes, DictionaryColumn, Texts, with_codes};
use crate::columns::integer::{ColumnStats, IntWidth};

/// A condition on an integer that is there.
#[derive(Clone, Copy)]
pub enum IntTest<'a> {
    /// Both ends inclusive.
    Between(i64, i64),
    /// Ascending.
    OneOf(&'a [i64]),
}

/// A condition on a text, "" where it is absent.
pub(super) type TextTest<'a> = Box<dyn Fn(&str) -> bool + Send + 'a>;

/// The verdicts on the entries of a dictionary, each found when a row first asks for it.
pub struct DictionaryVerdicts<'a> {
    codes: DictionaryCodes<'a>,
    entries: &'a dyn Texts,
    test: TextTest<'a>,
    /// By code + 1, two bits each: a slice may have far more entries than rows that ask.
    verdicts: Vec<u8>,
}

/// DictionaryVerdicts in a byte, of which each is one of the following or not verdicts yet.
const VERDICTS_PER_BYTE: usize = 4;
const FAILS: u8 = 1;
const HOLDS: u8 = 2;

/// Values that are compared one after the other, many rows at a time; more are searched for row by row.
const COMPARED_VALUES_MAX: usize = 4;

impl<'a> DictionaryVerdicts<'a> {
    pub(super) fn new(column: DictionaryColumn<'a>, test: TextTest<'a>) -> Self {
        let verdicts = vec![0; (column.entries.count() + 1).div_ceil(VERDICTS_PER_BYTE)];
        Self { codes: column.codes, entries: column.entries, test, verdicts }
    }

    /// Texts that the test may have to read: the entries and the absent text.
    pub(super) fn text_count(&self) -> usize {
        self.entries.count() + 1
    }

    pub(super) fn retain(&mut self, rows: &mut Vec<u32>) {
        let Self { codes, entries, test, verdicts } = self;
        let mut verdict = |slot: usize| {
            let (byte, shift) = (&mut verdicts[slot / VERDICTS_PER_BYTE], slot % VERDICTS_PER_BYTE * 2);
            if *byte >> shift & 3 == 0 {
                let text = slot.checked_sub(1).map_or("", |code| entries.get(code));
                *byte |= if test(text) { HOLDS } else { FAILS } << shift;
            }
            *byte >> shift & 3 == HOLDS
        };
        with_codes!(codes, codes => retain(rows, |row| verdict(codes[row].one_based())), rows.clear());
    }
}

impl<'a> IntTest<'a> {
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

    /// The verdict on all values of a column that are there, where it is the same for all.
    pub(super) fn verdict_on_all(self, stats: ColumnStats) -> Option<bool> {
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
pub(super) fn retain(rows: &mut Vec<u32>, mut holds: impl FnMut(usize) -> bool) {
    let mut retained = 0;
    for index in 0..rows.len() {
        let row = rows[index];
        rows[retained] = row;
        retained += usize::from(holds(row as usize));
    }
    rows.truncate(retained);
}

pub(super) fn clear_unless(mask: &mut [u8], verdict: bool) {
    if !verdict {
        mask.fill(0);
    }
}

/// Compares in the width of the values, so that as many as possible are looked at at a time.
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
                // As many as the compiler knows of, the first of them more than once.
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

pub(super) fn mask_durations(ms: &[i32], mask: &mut [u8], test: IntTest<'_>) {
    match test {
        IntTest::Between(low, high) => match i32::clamp_range(low, high) {
            Some(ends) => and_each(ms, mask, |ms| ms.max(0).is_within(ends)),
            None => mask.fill(0),
        },
        IntTest::OneOf(_) => and_each(ms, mask, |ms| test.holds(i64::from(ms.max(0)))),
    }
}

pub(super) fn mask_codes<T: CodeWidth>(codes: &[T], mask: &mut [u8], first: usize, last: usize) {
    // All codes of a dictionary fit the width of its codes.
    let (first, last) = (T::of(first), T::of(last));
    and_each(codes, mask, |code| (first <= code) & (code <= last));
}

#[inline]
fn and_each<T: Copy>(values: &[T], mask: &mut [u8], holds: impl Fn(T) -> bool) {
    mask.iter_mut().zip(values).for_each(|(byte, &value)| *byte &= u8::from(holds(value)));
}
