//! The result of an occupancy measure: a step function by cell.

use std::ops::Range;

use crate::error::Result;
use crate::scan::cell_places::{check_length, invalid};

/// The number of intervals that hold an instant, by cell: the instants at which it changes.
///
/// Before its first instant the number is 0; at each, its change is added. The changes of a cell add up to 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepChanges {
    /// By cell: where its changes end; they begin where those of the cell before it end, the first at 0.
    pub ends: Vec<usize>,
    /// The instants of all cells, microseconds UTC; those of a cell ascend.
    pub at_us: Vec<i64>,
    /// Changes by instant, none 0.
    pub changes: Vec<i64>,
}

impl StepChanges {
    /// Instants of a cell, ascending, and the change at each.
    pub fn of(&self, cell: usize) -> (&[i64], &[i64]) {
        let range = self.range(cell);
        (&self.at_us[range.clone()], &self.changes[range])
    }

    /// Adds a change to the cell whose changes begin at `first`, at or after its last instant. Changes of one instant are added up;
    /// an instant without a change is left out.
    pub(super) fn push(&mut self, first: usize, at_us: i64, change: i64) {
        if change == 0 {
            return;
        }
        if self.at_us.len() == first || self.at_us.last() != Some(&at_us) {
            self.at_us.push(at_us);
            self.changes.push(change);
        } else if let Some(last) = self.changes.last_mut() {
            *last += change;
            if *last == 0 {
                self.at_us.pop();
                self.changes.pop();
            }
        }
    }

    /// Adds the functions of further cells.
    pub(super) fn append(&mut self, later: Self) {
        let offset = self.at_us.len();
        if self.ends.is_empty() {
            *self = later;
            return;
        }
        self.ends.extend(later.ends.iter().map(|end| end + offset));
        self.at_us.extend(later.at_us);
        self.changes.extend(later.changes);
    }

    /// Bytes of memory that the changes take.
    pub(super) fn bytes(&self) -> usize {
        self.ends.capacity() * size_of::<usize>() + (self.at_us.capacity() + self.changes.capacity()) * size_of::<i64>()
    }

    /// Where the changes of a cell are.
    fn range(&self, cell: usize) -> Range<usize> {
        let start = cell.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[cell]
    }

    /// Checks what every answer relies on, but not each cell: as many ends as cells, as many changes as instants, none 0, and
    /// that they add up to less than 2^63 whatever their signs.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub(super) fn check(&self, cell_count: usize) -> Result<()> {
        check_length(self.ends.len(), cell_count)?;
        let change_count = self.ends.last().copied().unwrap_or_default();
        if !self.ends.is_sorted() || [self.at_us.len(), self.changes.len()] != [change_count; 2] {
            return Err(invalid("the changes of cells do not follow each other"));
        }
        if self.changes.contains(&0) {
            return Err(invalid("a change is 0"));
        }
        let total = self.changes.iter().try_fold(0i64, |total, change| total.checked_add(change.checked_abs()?));
        total.map(|_| ()).ok_or_else(|| invalid("the changes exceed 64 bits"))
    }

    /// Checks each cell: its instants ascend, the number of intervals is never negative, and is 0 after the last instant.
    pub(super) fn check_cells(&self) -> Result<()> {
        (0..self.ends.len()).try_for_each(|cell| self.check_cell(cell))
    }

    fn check_cell(&self, cell: usize) -> Result<()> {
        let (at_us, changes) = self.of(cell);
        if !at_us.is_sorted_by(|left, right| left < right) {
            return Err(invalid(format!("the instants of cell {cell} do not ascend")));
        }
        let last = changes.iter().try_fold(0, |count: i64, change| Some(count + change).filter(|&count| count >= 0));
        match last {
            Some(0) => Ok(()),
            Some(_) => Err(invalid(format!("the changes of cell {cell} do not add up to 0"))),
            None => Err(invalid(format!("cell {cell} has a negative number of intervals"))),
        }
    }
}

impl<'a> FromIterator<&'a [(i64, i64)]> for StepChanges {
    /// Collects the instants of one cell after the other, each with its change.
    fn from_iter<T: IntoIterator<Item = &'a [(i64, i64)]>>(cells: T) -> Self {
        let mut all = Self::default();
        for cell in cells {
            all.at_us.extend(cell.iter().map(|(at_us, _)| at_us));
            all.changes.extend(cell.iter().map(|(_, change)| change));
            all.ends.push(all.at_us.len());
        }
        all
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    fn changes(cells: &[&[(i64, i64)]]) -> StepChanges {
        cells.iter().copied().collect()
    }

    fn problem(cells: &[&[(i64, i64)]]) -> String {
        let found = changes(cells);
        found.check(cells.len()).and_then(|()| found.check_cells()).unwrap_err().to_string()
    }

    #[test]
    fn each_cell_has_a_function_of_its_own() {
        let found = changes(&[&[(-5, 1), (0, 2), (7, -3)], &[], &[(-9, 1), (i64::MAX, -1)]]);
        found.check(3).and_then(|()| found.check_cells()).unwrap();
        assert_eq!(found.of(0), ([-5, 0, 7].as_slice(), [1, 2, -3].as_slice()));
        assert_eq!((found.of(1).0.len(), found.of(2).1), (0, [1, -1].as_slice()));
    }

    #[test]
    fn what_no_scan_returns_is_refused() {
        assert!(changes(&[&[]]).check(2).unwrap_err().to_string().contains("1 values, and there are 2 cells"));
        let broken = StepChanges { ends: vec![2, 1], at_us: vec![1], changes: vec![1] };
        assert!(broken.check(2).unwrap_err().to_string().contains("do not follow each other"));
        assert!(problem(&[&[(1, 1), (2, 0), (3, -1)]]).contains("a change is 0"));
        assert!(problem(&[&[(1, i64::MAX), (2, -i64::MAX)]]).contains("exceed 64 bits"));
        assert!(problem(&[&[(1, i64::MIN)]]).contains("exceed 64 bits"));
        assert!(problem(&[&[], &[(1, 1), (1, -1)]]).contains("of cell 1 do not ascend"));
        assert!(problem(&[&[(1, -1), (2, 1)]]).contains("cell 0 has a negative number"));
        assert!(problem(&[&[(1, 2), (2, -1)], &[(1, -1)]]).contains("of cell 0 do not add up to 0"));
    }
}
