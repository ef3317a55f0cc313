//! The loops over the rows of a slice that a compiled predicate runs.

use crate::columns::dictionary::{CodeWidth, DictionaryCodes, Texts, with_codes};
use crate::columns::integer::{ColumnStats, IntWidth};

/// A condition on an integer that is there.
#[derive(Clone, Copy)]
pub enum IntCondition<'a> {
    /// Both ends inclusive.
    Between(i64, i64),
    /// Ascending.
    OneOf(&'a [i64]),
}

/// A condition on a text, "" where it is absent.
pub(super) type TextCondition<'a> = Box<dyn Fn(&str) -> bool + Send + 'a>;

/// The verdicts on the entries of a dictionary, each found when a row first asks for it.
pub struct DictionaryVerdicts<'a> {
    pub(super) codes: DictionaryCodes<'a>,
    pub(super) entries: &'a dyn Texts,
    pub(super) test: TextCondition<'a>,
    /// By code + 1, two bits each: a slice may have far more entries than rows that ask.
    pub(super) known: Vec<u8>,
}

/// DictionaryVerdicts in a byte, of which each is one of the following or not known yet.
pub(super) const VERDICTS: usize = 4;
const FAILS: u8 = 1;
const HOLDS: u8 = 2;

/// Values that are compared one after the other, many rows at a time; more are searched for row by row.
const COMPARED_VALUES: usize = 4;

impl DictionaryVerdicts<'_> {
    pub(super) fn retain(&mut self, rows: &mut Vec<u32>) {
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
    pub(super) fn on_all(self, stats: ColumnStats) -> Option<bool> {
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
    let mut kept = 0;
    for place in 0..rows.len() {
        let row = rows[place];
        rows[kept] = row;
        kept += usize::from(holds(row as usize));
    }
    rows.truncate(kept);
}

pub(super) fn and(mask: &mut [u8], verdict: bool) {
    if !verdict {
        mask.fill(0);
    }
}

/// Compares in the width of the values, so that as many as possible are looked at at a time.
pub(super) fn filter_ints<T: IntWidth + Ord>(values: &[T], mask: &mut [u8], absent: bool, test: IntCondition<'_>) {
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

pub(super) fn filter_durations(ms: &[i32], mask: &mut [u8], test: IntCondition<'_>) {
    match test {
        IntCondition::Between(low, high) => match i32::clamp_range(low, high) {
            Some(ends) => narrow(ms, mask, |ms| ms.max(0).is_within(ends)),
            None => mask.fill(0),
        },
        IntCondition::OneOf(_) => narrow(ms, mask, |ms| test.holds(i64::from(ms.max(0)))),
    }
}

pub(super) fn filter_codes<T: CodeWidth>(codes: &[T], mask: &mut [u8], first: usize, last: usize) {
    // All codes of a dictionary fit the width of its codes.
    let (first, last) = (T::of(first), T::of(last));
    narrow(codes, mask, |code| (first <= code) & (code <= last));
}

#[inline]
fn narrow<T: Copy>(values: &[T], mask: &mut [u8], holds: impl Fn(T) -> bool) {
    mask.iter_mut().zip(values).for_each(|(kept, &value)| *kept &= u8::from(holds(value)));
}
