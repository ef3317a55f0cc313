//! Integer columns, as narrow as their values allow.
//!
//! The least integer of a width (`MIN`) stands for an absent value, so a column needs no null bitmap and
//! loops over its values stay vectorizable.

use std::ops::Range;

use super::touched::make_room;
use crate::record::schema::ABSENT;

/// Min/max statistics of an integer column: bounds of its values, which let a scan skip a predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnStats {
    /// Least value; greater than `high` if every row is absent.
    pub low: i64,
    /// Greatest value.
    pub high: i64,
    /// Whether a row may be absent.
    pub has_absent: bool,
}

/// Statistics that are true of every column, for a column without statistics.
pub const UNKNOWN_STATS: ColumnStats = ColumnStats { low: ABSENT, high: i64::MAX, has_absent: true };

/// Statistics of a column without values.
pub const ABSENT_STATS: ColumnStats = ColumnStats { low: i64::MAX, high: ABSENT, has_absent: true };

impl Default for ColumnStats {
    /// Returns the statistics of a column without rows, the identity of [`add`](Self::add).
    fn default() -> Self {
        Self { low: i64::MAX, high: ABSENT, has_absent: false }
    }
}

impl ColumnStats {
    /// Widens the statistics by the value of one more row, or by [`ABSENT`].
    pub fn add(&mut self, value: i64) {
        match value {
            ABSENT => self.has_absent = true,
            _ => (self.low, self.high) = (self.low.min(value), self.high.max(value)),
        }
    }

    /// Number of integers from the least to the greatest value.
    pub fn span(&self) -> usize {
        let span = i128::from(self.high) - i128::from(self.low) + 1;
        usize::try_from(span.max(0)).unwrap_or(usize::MAX)
    }

    /// Returns the statistics of values, of which some may be [`ABSENT`].
    pub fn of(values: &[i64]) -> Self {
        let absent = |value: i64| value == ABSENT;
        // The compiler vectorizes each of these three folds, but not one fold over three results.
        let low = values.iter().fold(i64::MAX, |low, &value| low.min(if absent(value) { i64::MAX } else { value }));
        let high = values.iter().fold(ABSENT, |high, &value| high.max(value));
        Self { low, high, has_absent: values.iter().fold(false, |any, &value| any | absent(value)) }
    }
}

/// An integer type of columns.
pub trait IntWidth: Copy + 'static {
    /// Stands for an absent value: the least integer of the type.
    const ABSENT: Self;
    /// The greatest integer of the type.
    const MAX: Self;
    /// Converts to 64 bits, absent to [`ABSENT`].
    fn to_i64(self) -> i64;
    /// Returns whether the value is absent.
    fn is_absent(self) -> bool;
    /// Clamps the range [low, high] to the present values of this type; `None` if it contains none of them.
    fn clamp_range(low: i64, high: i64) -> Option<(Self, Self)>;
    /// Returns whether low <= value <= high, for bounds of [`clamp_range`](Self::clamp_range); false for an
    /// absent value.
    fn is_within(self, ends: (Self, Self)) -> bool;
}

macro_rules! int {
    ($($width:ty, $unsigned:ty);*) => {$(
        impl IntWidth for $width {
            const ABSENT: Self = <$width>::MIN;
            const MAX: Self = <$width>::MAX;

            #[inline]
            fn to_i64(self) -> i64 {
                if self == Self::MIN { ABSENT } else { i64::from(self) }
            }

            #[inline]
            fn is_absent(self) -> bool {
                self == Self::MIN
            }

            fn clamp_range(low: i64, high: i64) -> Option<(Self, Self)> {
                let (least, greatest) = (Self::MIN as i64 + 1, Self::MAX as i64);
                // The casts are lossless after the clamping.
                (low <= high && low <= greatest && high >= least)
                    .then(|| (low.clamp(least, greatest) as Self, high.clamp(least, greatest) as Self))
            }

            #[inline]
            fn is_within(self, (low, high): (Self, Self)) -> bool {
                // One unsigned comparison: a value below `low`, and so the absent one, wraps to more than
                // `high - low`.
                self.wrapping_sub(low) as $unsigned <= high.wrapping_sub(low) as $unsigned
            }
        }
    )*};
}

int!(i8, u8; i16, u16; i32, u32; i64, u64);

/// The borrowed values of an integer column by row; absent ones are the least integer of the width.
#[derive(Clone, Copy, Debug)]
pub enum IntValues<'a> {
    /// Every row is absent.
    Absent,
    /// Values of 8 bits.
    I8(&'a [i8]),
    /// Values of 16 bits.
    I16(&'a [i16]),
    /// Values of 32 bits.
    I32(&'a [i32]),
    /// Values of 64 bits.
    I64(&'a [i64]),
}

/// Evaluates `$body` with `$values` bound to the slice of values, compiled for each width; `$absent` if every
/// row is absent.
macro_rules! with_int_values {
    ($ints:expr, $values:ident => $body:expr, $absent:expr) => {
        match $ints {
            $crate::columns::integer::IntValues::Absent => $absent,
            $crate::columns::integer::IntValues::I8($values) => $body,
            $crate::columns::integer::IntValues::I16($values) => $body,
            $crate::columns::integer::IntValues::I32($values) => $body,
            $crate::columns::integer::IntValues::I64($values) => $body,
        }
    };
}

pub(crate) use with_int_values;

impl IntValues<'_> {
    /// Returns the value of a row, [`ABSENT`] if it has none.
    #[inline]
    pub fn get(self, row: usize) -> i64 {
        with_int_values!(self, values => values[row].to_i64(), ABSENT)
    }

    /// Returns the least and the greatest value of a range of rows, `None` if all of them are absent.
    pub fn range(self, rows: Range<usize>) -> Option<(i64, i64)> {
        with_int_values!(self, values => range(&values[rows]), None)
    }
}

/// Returns the least and the greatest present value.
///
/// An absent value is replaced by the identity of the fold, not filtered out: without a branch, the folds
/// vectorize.
fn range<T: IntWidth + Ord>(values: &[T]) -> Option<(i64, i64)> {
    let low = values.iter().fold(T::MAX, |low, value| low.min(if value.is_absent() { T::MAX } else { *value }));
    let high = values.iter().fold(T::ABSENT, |high, value| high.max(*value));
    (!high.is_absent()).then(|| (low.to_i64(), high.to_i64()))
}

/// A growing integer column of the memtable, which widens when a value does not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IntColumn {
    /// Every row is absent. The column has no storage and no number of rows, so callers pass it.
    #[default]
    Absent,
    /// See [`IntValues::I32`].
    I32(Vec<i32>),
    /// See [`IntValues::I64`].
    I64(Vec<i64>),
}

impl IntColumn {
    /// Makes room for rows in touched memory; allocates for `expected_count` if there is too little. A column in which every
    /// row is absent, and which has no rows yet, gets the width `value_bytes`.
    pub fn make_room(&mut self, value_bytes: usize, row_count: usize, expected_count: usize) {
        if matches!(self, Self::Absent) {
            *self = if value_bytes == size_of::<i64>() { Self::I64(Vec::new()) } else { Self::I32(Vec::new()) };
        }
        match self {
            Self::Absent => {}
            Self::I32(values) => make_room(values, row_count, expected_count),
            Self::I64(values) => make_room(values, row_count, expected_count),
        }
    }

    /// Borrows the values.
    pub fn values(&self) -> IntValues<'_> {
        match self {
            Self::Absent => IntValues::Absent,
            Self::I32(values) => IntValues::I32(values),
            Self::I64(values) => IntValues::I64(values),
        }
    }

    /// Appends a value to a column of `rows` rows.
    pub fn push(&mut self, value: i64, rows: usize) {
        match (&mut *self, narrowed(value)) {
            (Self::Absent, _) if value == ABSENT => {}
            (Self::I32(values), Some(value)) => values.push(value),
            (Self::I64(values), _) => values.push(value),
            (Self::Absent, Some(_)) => {
                *self = Self::I32(vec![i32::MIN; rows]);
                self.push(value, rows);
            }
            (Self::Absent | Self::I32(_), _) => {
                *self = Self::I64((0..rows).map(|row| self.values().get(row)).collect());
                self.push(value, rows);
            }
        }
    }

    /// Appends the values of some rows of another column to a column of `count` rows.
    pub fn append(&mut self, values: IntValues<'_>, rows: &[usize], count: usize) {
        match (&mut *self, values) {
            (Self::Absent, IntValues::Absent) => {}
            (Self::I32(column), IntValues::I8(values)) => column.extend(rows.iter().map(|&row| widened(values[row]))),
            (Self::I32(column), IntValues::I16(values)) => column.extend(rows.iter().map(|&row| widened(values[row]))),
            (Self::I32(column), IntValues::I32(values)) => column.extend(rows.iter().map(|&row| values[row])),
            (Self::I64(column), _) => column.extend(rows.iter().map(|&row| values.get(row))),
            _ => rows.iter().zip(count..).for_each(|(&row, count)| self.push(values.get(row), count)),
        }
    }

    /// Appends the values of a range of rows of another column to a column of `count` rows.
    pub fn append_range(&mut self, values: IntValues<'_>, rows: Range<usize>, count: usize) {
        match (&mut *self, values) {
            (Self::Absent, IntValues::Absent) => {}
            (Self::I32(column), IntValues::I32(values)) => column.extend_from_slice(&values[rows]),
            (Self::I64(column), IntValues::I64(values)) => column.extend_from_slice(&values[rows]),
            _ => rows.zip(count..).for_each(|(row, count)| self.push(values.get(row), count)),
        }
    }

    /// Replaces the value of a row in a column of `rows` rows.
    pub fn set(&mut self, row: usize, value: i64, rows: usize) {
        match (&mut *self, narrowed(value)) {
            (Self::Absent, _) if value == ABSENT => {}
            (Self::I32(values), Some(value)) => values[row] = value,
            (Self::I64(values), _) => values[row] = value,
            (Self::Absent, Some(_)) => {
                *self = Self::I32(vec![i32::MIN; rows]);
                self.set(row, value, rows);
            }
            (Self::Absent | Self::I32(_), _) => {
                *self = Self::I64((0..rows).map(|row| self.values().get(row)).collect());
                self.set(row, value, rows);
            }
        }
    }

    /// Removes a row; the last row takes its number.
    pub fn swap_remove(&mut self, row: usize) {
        match self {
            Self::Absent => {}
            Self::I32(values) => drop(values.swap_remove(row)),
            Self::I64(values) => drop(values.swap_remove(row)),
        }
    }
}

/// Converts to 32 bits, absent to absent.
fn widened<T: IntWidth + Into<i32>>(value: T) -> i32 {
    if value.is_absent() { i32::ABSENT } else { value.into() }
}

/// Converts to 32 bits, absent to absent; `None` if the value does not fit or would read as absent.
fn narrowed(value: i64) -> Option<i32> {
    match value {
        ABSENT => Some(i32::MIN),
        _ => i32::try_from(value).ok().filter(|&value| value != i32::MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column_of(values: impl Iterator<Item = i64>) -> IntColumn {
        let mut column = IntColumn::default();
        values.enumerate().for_each(|(rows, value)| column.push(value, rows));
        column
    }

    #[test]
    fn a_column_widens_without_changing_its_values() {
        let values = [ABSENT, ABSENT, 7, i64::from(i32::MIN) + 1, ABSENT, i64::from(i32::MIN), i64::MAX, -1];
        for end in 0..=values.len() {
            let column = column_of(values[..end].iter().copied());
            let back: Vec<i64> = (0..end).map(|row| column.values().get(row)).collect();
            assert_eq!(back, values[..end]);
            let present = || back.iter().copied().filter(|&value| value != ABSENT);
            assert_eq!(column.values().range(0..end), present().min().zip(present().max()));
        }
        for &value in &values {
            let mut column = column_of([ABSENT, ABSENT].into_iter());
            column.set(1, value, 2);
            assert_eq!([0, 1].map(|row| column.values().get(row)), [ABSENT, value]);
        }
        assert_eq!(column_of([ABSENT; 3].into_iter()), IntColumn::Absent);
        assert_eq!(column_of([ABSENT, 5].into_iter()), IntColumn::I32(vec![i32::MIN, 5]));
    }
}
