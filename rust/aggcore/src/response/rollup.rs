//! The levels of a rollup: each splits the groups of the level before it by one more key field, on integers.

use std::borrow::Cow;

use super::answer::AnswerLimits;
use super::group_ids::GroupIds;
use crate::error::Result;
use crate::scan::sums::{Sums, add};
use crate::scan::{KeyValues, ScanResources};

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
    groups: GroupIds<'a>,
    limits: AnswerLimits<'a>,
}

impl<'a> GroupLevels<'a> {
    /// Level 0, of rows that are the cells, in order.
    ///
    /// # Errors
    /// A memory limit.
    pub fn new(rows: &'a ActiveRows<'a>, resources: &'a ScanResources, limits: AnswerLimits<'a>) -> Result<Self> {
        Ok(Self { rows, groups: GroupIds::new(rows.cells.len(), resources, limits)?, limits })
    }

    /// Goes to the next level, which groups by one more key; returns the number of its groups.
    ///
    /// # Errors
    /// A memory limit, or those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn refine(&mut self, key: &KeyValues) -> Result<usize> {
        self.groups.refine(key)?;
        Ok(self.groups.count)
    }

    /// Adds the rows up by group.
    ///
    /// # Errors
    /// `SumOverflow`, or those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn sums(&self) -> Result<ActiveRows<'static>> {
        let (mut cells, mut group_sums) = (Vec::with_capacity(self.groups.count), vec![[0; 3]; self.groups.count]);
        for (row, ((&id, &cell), &sums)) in self.groups.ids.iter().zip(&self.rows.cells).zip(self.rows.sums.iter()).enumerate() {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use std::collections::HashMap;

    use super::super::answer::Unlimited;
    use super::super::group_ids::{CHUNK_ROWS, RADIX_MAX};
    use super::*;
    use crate::record::schema::ABSENT;

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
