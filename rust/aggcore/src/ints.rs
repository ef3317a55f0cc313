//! Integer columns, as narrow as their values allow.

use crate::schema::ABSENT;

/// The values of an integer column by row; [`ABSENT`] where there is none.
#[derive(Clone, Copy, Debug)]
pub enum Ints<'a> {
    /// No row has a value.
    Absent,
    /// All values fit 32 bits; [`i32::MIN`] stands for an absent one.
    Narrow(&'a [i32]),
    /// Any values.
    Wide(&'a [i64]),
}

impl Ints<'_> {
    /// The value of a row.
    #[inline]
    pub fn get(self, row: usize) -> i64 {
        match self {
            Self::Absent => ABSENT,
            Self::Narrow(values) => widened(values[row]),
            Self::Wide(values) => values[row],
        }
    }

    /// The least and the greatest value, `None` where no row has one.
    pub fn range(self) -> Option<(i64, i64)> {
        // A fold over all values that an absent one leaves as it is goes many values at a time.
        let (low, high) = match self {
            Self::Absent => return None,
            Self::Narrow(values) => {
                let fold = |(low, high): (i32, i32), &value: &i32| {
                    (low.min(if value == i32::MIN { i32::MAX } else { value }), high.max(value))
                };
                let (low, high) = values.iter().fold((i32::MAX, i32::MIN), fold);
                (i64::from(low), widened(high))
            }
            Self::Wide(values) => {
                let fold = |(low, high): (i64, i64), &value: &i64| {
                    (low.min(if value == ABSENT { i64::MAX } else { value }), high.max(value))
                };
                values.iter().fold((i64::MAX, ABSENT), fold)
            }
        };
        (high != ABSENT).then_some((low, high))
    }
}

/// An integer column in memory that widens when a value asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IntColumn {
    /// No row has a value.
    #[default]
    Absent,
    /// As [`Ints::Narrow`].
    Narrow(Vec<i32>),
    /// As [`Ints::Wide`].
    Wide(Vec<i64>),
}

impl IntColumn {
    /// A column of these values.
    pub fn of(values: impl Iterator<Item = i64>) -> Self {
        let mut column = Self::default();
        values.enumerate().for_each(|(rows, value)| column.push(value, rows));
        column
    }

    /// The values.
    pub fn values(&self) -> Ints<'_> {
        match self {
            Self::Absent => Ints::Absent,
            Self::Narrow(values) => Ints::Narrow(values),
            Self::Wide(values) => Ints::Wide(values),
        }
    }

    /// Adds a value to a column of `rows` rows.
    pub fn push(&mut self, value: i64, rows: usize) {
        match (&mut *self, narrowed(value)) {
            (Self::Absent, _) if value == ABSENT => {}
            (Self::Narrow(values), Some(value)) => values.push(value),
            (Self::Wide(values), _) => values.push(value),
            (Self::Absent, Some(_)) => {
                *self = Self::Narrow(vec![i32::MIN; rows]);
                self.push(value, rows);
            }
            (Self::Absent | Self::Narrow(_), _) => {
                *self = Self::Wide((0..rows).map(|row| self.values().get(row)).collect());
                self.push(value, rows);
            }
        }
    }

    /// Gives a row of a column of `rows` rows another value.
    pub fn set(&mut self, row: usize, value: i64, rows: usize) {
        match (&mut *self, narrowed(value)) {
            (Self::Absent, _) if value == ABSENT => {}
            (Self::Narrow(values), Some(value)) => values[row] = value,
            (Self::Wide(values), _) => values[row] = value,
            (Self::Absent, Some(_)) => {
                *self = Self::Narrow(vec![i32::MIN; rows]);
                self.set(row, value, rows);
            }
            (Self::Absent | Self::Narrow(_), _) => {
                *self = Self::Wide((0..rows).map(|row| self.values().get(row)).collect());
                self.set(row, value, rows);
            }
        }
    }

    /// Removes a row; the last row takes its number.
    pub fn swap_remove(&mut self, row: usize) {
        match self {
            Self::Absent => {}
            Self::Narrow(values) => drop(values.swap_remove(row)),
            Self::Wide(values) => drop(values.swap_remove(row)),
        }
    }
}

#[inline]
fn widened(value: i32) -> i64 {
    if value == i32::MIN { ABSENT } else { i64::from(value) }
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
            assert_eq!(column.values().range(), present().min().zip(present().max()));
        }
        for &value in &values {
            let mut column = IntColumn::of([ABSENT, ABSENT].into_iter());
            column.set(1, value, 2);
            assert_eq!([0, 1].map(|row| column.values().get(row)), [ABSENT, value]);
        }
        assert_eq!(IntColumn::of([ABSENT; 3].into_iter()), IntColumn::Absent);
        assert_eq!(IntColumn::of([ABSENT, 5].into_iter()), IntColumn::Narrow(vec![i32::MIN, 5]));
    }
}
