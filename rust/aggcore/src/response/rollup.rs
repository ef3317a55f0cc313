//! The levels of a rollup: each splits the groups of the level before it by one more key field, on integers.

use std::borrow::Cow;

use super::answer::AnswerLimits;
use crate::error::Result;
use crate::memory::Reservation;
use crate::record::schema::ABSENT;
use crate::scan::sums::{Sums, add};
use crate::scan::{KeyValues, ScanResources};

/// Rows that are regrouped without a check of the cancellation token.
const CHUNK_ROWS: usize = 1 << 14;
/// Greatest radix of a key whose values need not become dense ids first. Group ids are below the row count, which is below
/// 2^32, so that an id and a key fit in 64 bits.
const RADIX_MAX: u64 = 1 << 32;

/// The rows of one level of the rollup: cells themselves, or groups of cells.
pub struct ActiveRows<'a> {
    /// By row, a cell from which the row's key fields are read: all cells of a group agree in these.
    pub cells: Vec<u32>,
    /// By row, its sums: sessions, and milliseconds since answer.
    pub sums: Cow<'a, [Sums]>,
}

/// Rows by group of the present level. Level 0 has one group.
pub struct GroupLevels<'a> {
    rows: &'a ActiveRows<'a>,
    /// By row, below `group_count`, in order of first appearance.
    group_ids: Vec<u64>,
    group_count: usize,
    resources: &'a ScanResources,
    limits: AnswerLimits<'a>,
    _held: Reservation,
}

/// The values of a key field as integers from 0, by cell.
enum KeyCodes<'a> {
    Texts(&'a [u32]),
    /// Distances from the least value, plus 1; 0 for absent values.
    Ints {
        values: &'a [i64],
        low: i64,
    },
}

impl<'a> GroupLevels<'a> {
    /// Level 0.
    ///
    /// # Errors
    /// A memory limit.
    pub fn new(rows: &'a ActiveRows<'a>, resources: &'a ScanResources, limits: AnswerLimits<'a>) -> Result<Self> {
        let held = limits.memory.reserve(rows.cells.len() * size_of::<u64>())?;
        Ok(Self { rows, group_ids: vec![0; rows.cells.len()], group_count: 1, resources, limits, _held: held })
    }

    /// Goes to the next level, which groups by one more key; returns the number of its groups.
    ///
    /// # Errors
    /// A memory limit, or those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn refine(&mut self, key: &KeyValues) -> Result<usize> {
        let (codes, mut radix) = KeyCodes::new(key);
        let mut held = self.limits.memory.reservation();
        let row_count = self.group_ids.len();
        // Wide keys become dense ids, of which there are at most as many as rows.
        let mut distinct = (radix > RADIX_MAX).then(|| self.resources.dense_ids(radix, row_count));
        if distinct.is_some() {
            radix = row_count as u64;
        }
        let mut refined = self.resources.dense_ids(self.group_count as u64 * radix, row_count);
        let mut chunk = Vec::with_capacity(CHUNK_ROWS);
        for (ids, cells) in self.group_ids.chunks_mut(CHUNK_ROWS).zip(self.rows.cells.chunks(CHUNK_ROWS)) {
            self.limits.cancel.check()?;
            chunk.clear();
            chunk.extend(cells.iter().map(|&cell| codes.of(cell as usize)));
            if let Some(distinct) = &mut distinct {
                distinct.replace_with_ids(&mut chunk);
            }
            ids.iter_mut().zip(&chunk).for_each(|(id, code)| *id = *id * radix + code);
            refined.replace_with_ids(ids);
            held.resize(refined.bytes() + distinct.as_ref().map_or(0, |distinct| distinct.bytes()))?;
        }
        self.group_count = refined.values().len();
        Ok(self.group_count)
    }

    /// Adds the rows up by group.
    ///
    /// # Errors
    /// `SumOverflow`, or those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn sums(&self) -> Result<ActiveRows<'static>> {
        let (mut cells, mut group_sums) = (Vec::with_capacity(self.group_count), vec![[0; 3]; self.group_count]);
        for (row, ((&id, &cell), &sums)) in self.group_ids.iter().zip(&self.rows.cells).zip(self.rows.sums.iter()).enumerate() {
            self.limits.cancel.check_at(row)?;
            // The first row of a group.
            if id == cells.len() as u64 {
                cells.push(cell);
            }
            add(&mut group_sums[id as usize], sums)?;
        }
        Ok(ActiveRows { cells, sums: Cow::Owned(group_sums) })
    }
}

impl<'a> KeyCodes<'a> {
    /// Returns the codes of a key and their exclusive upper bound.
    fn new(key: &'a KeyValues) -> (Self, u64) {
        match key {
            KeyValues::Texts { codes, entries } => (Self::Texts(codes), entries.len() as u64),
            KeyValues::Ints(values) => {
                let present = || values.iter().copied().filter(|&value| value != ABSENT);
                let (low, high) = present().min().zip(present().max()).unwrap_or((0, 0));
                (Self::Ints { values, low }, (high.wrapping_sub(low) as u64).saturating_add(2))
            }
        }
    }

    #[inline]
    fn of(&self, cell: usize) -> u64 {
        match self {
            Self::Texts(codes) => codes[cell].into(),
            Self::Ints { values, .. } if values[cell] == ABSENT => 0,
            Self::Ints { values, low } => values[cell].wrapping_sub(*low) as u64 + 1,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use std::collections::HashMap;

    use super::super::answer::Unlimited;
    use super::*;

    /// The groups of a level, found by a map from the keys.
    fn naive_groups(keys: &[&[i64]], row_count: usize) -> Vec<(u32, i64)> {
        let (mut numbers, mut groups) = (HashMap::new(), Vec::<(u32, i64)>::new());
        for row in 0..row_count {
            let key: Vec<i64> = keys.iter().map(|values| values[row]).collect();
            let number = *numbers.entry(key).or_insert_with(|| {
                groups.push((row as u32, 0));
                groups.len() - 1
            });
            groups[number].1 += row as i64;
        }
        groups
    }

    #[test]
    fn the_memory_of_a_wide_key_is_that_of_its_ids_and_of_the_groups() {
        let values: Vec<i64> = (0..10_000).map(|row| (row % 9_973) << 40).collect();
        let row_count = values.len();
        let sums = vec![[1, 0, 0]; row_count];
        let rows = ActiveRows { cells: (0..row_count as u32).collect(), sums: Cow::Borrowed(&sums) };
        let (resources, unlimited) = (ScanResources::default(), Unlimited::default());
        let mut levels = GroupLevels::new(&rows, &resources, unlimited.limits()).unwrap();
        assert_eq!(levels.refine(&KeyValues::Ints(values.clone())).unwrap(), 9_973);

        let mut codes: Vec<u64> = values.iter().map(|&value| value as u64 + 1).collect();
        let tables = [(9_972 << 40) + 2, row_count as u64].map(|bound| {
            let mut table = resources.dense_ids(bound, row_count);
            table.replace_with_ids(&mut codes);
            table.bytes()
        });
        assert_eq!(unlimited.limits().memory.peak(), row_count * size_of::<u64>() + tables[0] + tables[1]);
    }

    #[test]
    fn the_groups_of_each_level_are_those_of_a_map() {
        let row_count = CHUNK_ROWS + 100;
        let column = |value: &dyn Fn(i64) -> i64| (0..row_count as i64).map(value).collect::<Vec<i64>>();
        // The greatest radix of a key that needs no dense ids, and one more: its values span two or one less.
        let span = |radix: u64| move |row: i64| if row % 3 == 0 { 0 } else { (radix - 2) as i64 * (row % 2) };
        let columns = [
            column(&|row| row % 5),
            column(&|_| ABSENT),
            column(&span(RADIX_MAX)),
            column(&span(RADIX_MAX + 1)),
            column(&|row| if row % 4 == 0 { ABSENT } else { i64::MAX - row % 11 }),
            column(&|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)),
        ];
        let sums: Vec<Sums> = (0..row_count as i64).map(|row| [row, 0, 0]).collect();
        let rows = ActiveRows { cells: (0..row_count as u32).collect(), sums: Cow::Borrowed(&sums) };
        let (resources, unlimited) = (ScanResources::default(), Unlimited::default());
        let mut levels = GroupLevels::new(&rows, &resources, unlimited.limits()).unwrap();
        for level in 1..=columns.len() {
            let expected = naive_groups(&columns[..level].iter().map(Vec::as_slice).collect::<Vec<_>>(), row_count);
            assert_eq!(levels.refine(&KeyValues::Ints(columns[level - 1].clone())).unwrap(), expected.len());
            let ActiveRows { cells, sums } = levels.sums().unwrap();
            let found: Vec<(u32, i64)> = cells.into_iter().zip(sums.iter().map(|sums| sums[0])).collect();
            assert!(found == expected, "{level}");
        }
    }
}
