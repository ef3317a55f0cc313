//! Integer columns, as narrow as their values allow.

use std::ops::Range;

use crate::record::schema::ABSENT;

/// The values that an integer column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnStats {
    /// The least value; greater than `high` where no row has one.
    pub low: i64,
    /// The greatest value.
    pub high: i64,
    /// Whether some row has none.
    pub has_absent: bool,
}

/// What is known of any column.
pub const UNKNOWN_STATS: ColumnStats = ColumnStats { low: ABSENT, high: i64::MAX, has_absent: true };

impl Default for ColumnStats {
    /// That of no values.
    fn default() -> Self {
        Self { low: i64::MAX, high: ABSENT, has_absent: false }
    }
}

impl ColumnStats {
    /// Takes a value in, of which [`ABSENT`] is none.
    pub fn add(&mut self, value: i64) {
        match value {
            ABSENT => self.has_absent = true,
            _ => (self.low, self.high) = (self.low.min(value), self.high.max(value)),
        }
    }

    /// That of some values, of which [`ABSENT`] is none.
    pub fn of(values: &[i64]) -> Self {
        let absent = |value: i64| value == ABSENT;
        // Three folds that go many values at a time; one would go value by value.
        let low = values.iter().fold(i64::MAX, |low, &value| low.min(if absent(value) { i64::MAX } else { value }));
        let high = values.iter().fold(ABSENT, |high, &value| high.max(value));
        Self { low, high, has_absent: values.iter().fold(false, |any, &value| any | absent(value)) }
    }
}

/// A width of integers; the least of them stands for an absent value.
pub trait IntWidth: Copy + 'static {
    /// Stands for an absent value.
    const ABSENT: Self;
    /// The greatest value.
    const MAX: Self;
    /// The value, [`ABSENT`] where there is none.
    fn to_i64(self) -> i64;
    /// Whether there is no value.
    fn is_absent(self) -> bool;
    /// The ends of a range as far as values of this width may lie in it; `None` where none may.
    fn clamp_range(low: i64, high: i64) -> Option<(Self, Self)>;
    /// Whether the value lies between two ends that are there.
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
                // Both conversions fit after the clamping.
                (low <= high && low <= greatest && high >= least)
                    .then(|| (low.clamp(least, greatest) as Self, high.clamp(least, greatest) as Self))
            }

            #[inline]
            fn is_within(self, (low, high): (Self, Self)) -> bool {
                // One comparison; what is below the low end wraps to beyond the high one, and so does an absent value.
                self.wrapping_sub(low) as $unsigned <= high.wrapping_sub(low) as $unsigned
            }
        }
    )*};
}

int!(i8, u8; i16, u16; i32, u32; i64, u64);

/// The values of an integer column by row; the least integer of the width where there is none.
#[derive(Clone, Copy, Debug)]
pub enum IntValues<'a> {
    /// No row has a value.
    Absent,
    /// All values fit 8 bits.
    I8(&'a [i8]),
    /// All values fit 16 bits.
    I16(&'a [i16]),
    /// All values fit 32 bits.
    I32(&'a [i32]),
    /// Any values.
    I64(&'a [i64]),
}

/// Runs `$body` for the values of a column of any width, or `$absent` where no row has one.
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
    /// The value of a row.
    #[inline]
    pub fn get(self, row: usize) -> i64 {
        with_int_values!(self, values => values[row].to_i64(), ABSENT)
    }

    /// The least and the greatest value of some rows, `None` where none of them has one.
    pub fn range(self, rows: Range<usize>) -> Option<(i64, i64)> {
        with_int_values!(self, values => range(&values[rows]), None)
    }
}

/// A fold over all values that an absent one leaves as it is goes many values at a time.
fn range<T: IntWidth + Ord>(values: &[T]) -> Option<(i64, i64)> {
    let low = values.iter().fold(T::MAX, |low, value| low.min(if value.is_absent() { T::MAX } else { *value }));
    let high = values.iter().fold(T::ABSENT, |high, value| high.max(*value));
    (!high.is_absent()).then(|| (low.to_i64(), high.to_i64()))
}

/// An integer column in memory that widens when a value asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IntColumn {
    /// No row has a value.
    #[default]
    Absent,
    /// As [`IntValues::I32`].
    I32(Vec<i32>),
    /// As [`IntValues::I64`].
    I64(Vec<i64>),
}

impl IntColumn {
    /// A column of these values.
    pub fn of(values: impl Iterator<Item = i64>) -> Self {
        let mut column = Self::default();
        values.enumerate().for_each(|(rows, value)| column.push(value, rows));
        column
    }

    /// The values.
    pub fn values(&self) -> IntValues<'_> {
        match self {
            Self::Absent => IntValues::Absent,
            Self::I32(values) => IntValues::I32(values),
            Self::I64(values) => IntValues::I64(values),
        }
    }

    /// Adds a value to a column of `rows` rows.
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

    /// Adds rows of another column to one of `count` rows.
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

    /// Gives a row of a column of `rows` rows another value.
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

fn widened<T: IntWidth + Into<i32>>(value: T) -> i32 {
    if value.is_absent() { i32::ABSENT } else { value.into() }
}

/// A value in 32 bits, `None` where it does not fit or would read as absent.
fn narrowed(value: i64) -> Option<i32> {
    match value {
        ABSENT => Some(i32::MIN),
        _ => i32::try_from(value).ok().filter(|&value| value != i32::MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_widens_without_changing_its_values() {
        let values = [ABSENT, ABSENT, 7, i64::from(i32::MIN) + 1, ABSENT, i64::from(i32::MIN), i64::MAX, -1];
        for end in 0..=values.len() {
            let column = IntColumn::of(values[..end].iter().copied());
            let back: Vec<i64> = (0..end).map(|row| column.values().get(row)).collect();
            assert_eq!(back, values[..end]);
            let present = || back.iter().copied().filter(|&value| value != ABSENT);
            assert_eq!(column.values().range(0..end), present().min().zip(present().max()));
        }
        for &value in &values {
            let mut column = IntColumn::of([ABSENT, ABSENT].into_iter());
            column.set(1, value, 2);
            assert_eq!([0, 1].map(|row| column.values().get(row)), [ABSENT, value]);
        }
        assert_eq!(IntColumn::of([ABSENT; 3].into_iter()), IntColumn::Absent);
        assert_eq!(IntColumn::of([ABSENT, 5].into_iter()), IntColumn::I32(vec![i32::MIN, 5]));
    }
}
