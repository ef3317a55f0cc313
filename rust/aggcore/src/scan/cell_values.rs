//! What an aggregation table holds for each of its cells.

use super::sums::{Sums, add};
use crate::error::Result;

/// Sums by cell, of any kind. A new one has no cells.
pub trait CellValues: Default + Send {
    /// Number of cells.
    fn count(&self) -> usize;

    /// Bytes of memory that the cells take.
    fn bytes(&self) -> usize;

    /// Bytes of memory that the cells take once they are finished.
    fn finished_bytes(&self) -> usize;

    /// Adds all cells of `added`, in order, to the given cells. One beyond the last is a new cell; new ones follow each
    /// other without a gap.
    ///
    /// # Errors
    /// `SumOverflow` if a sum does not fit.
    fn add_all(&mut self, cells: impl Iterator<Item = usize> + Clone, added: Self) -> Result<()>;
}

impl CellValues for Vec<Sums> {
    fn count(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.capacity() * size_of::<Sums>()
    }

    fn finished_bytes(&self) -> usize {
        self.len() * size_of::<Sums>()
    }

    fn add_all(&mut self, cells: impl Iterator<Item = usize> + Clone, added: Self) -> Result<()> {
        cells.zip(added).try_for_each(|(cell, added)| match self.get_mut(cell) {
            Some(sums) => add(sums, added),
            None => {
                self.push(added);
                Ok(())
            }
        })
    }
}
