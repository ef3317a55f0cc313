//! Where the cells of a scan are: their bins and groups, checked as every answer relies on them.

use std::collections::HashSet;

use super::KeyValues;
use crate::error::{Error, Result};

/// The bin and the group of each cell.
#[derive(Clone, Copy)]
pub struct CellPlaces<'a> {
    /// Bin by cell.
    pub bins: &'a [u32],
    /// Key columns, each by cell.
    pub keys: &'a [KeyValues],
}

impl CellPlaces<'_> {
    /// Checks that there are as many bins and keys as cells.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub fn check_lengths(&self, cell_count: usize) -> Result<()> {
        let lengths = self.keys.iter().map(KeyValues::len);
        lengths.chain([self.bins.len()]).try_for_each(|length| check_length(length, cell_count))
    }

    /// Checks that bins are below `bin_count`, and that codes have an entry.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub fn check_bounds(&self, bin_count: usize) -> Result<()> {
        if let Some(bin) = self.bins.iter().find(|&&bin| bin as usize >= bin_count) {
            return Err(invalid(format!("a cell is in bin {bin} of {bin_count}")));
        }
        let has_code_without_entry = self.keys.iter().any(|key| match key {
            KeyValues::Ints(_) => false,
            KeyValues::Texts { codes, entries } => codes.iter().any(|&code| code as usize >= entries.len()),
        });
        if has_code_without_entry { Err(invalid("a code has no entry")) } else { Ok(()) }
    }

    /// Checks what an answer by bin relies on: one cell for each of `bin_count` bins, in order, without keys.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub fn check_by_bin(&self, bin_count: usize) -> Result<()> {
        if !self.keys.is_empty() {
            return Err(invalid(format!("there are {} keys, and the answer has none", self.keys.len())));
        }
        // Without an early end, so that the loop vectorizes.
        let differences = self.bins.iter().zip(0u32..).fold(0, |bits, (&bin, number)| bits | bin ^ number);
        if self.bins.len() != bin_count || differences != 0 {
            return Err(invalid(format!("without keys there must be one cell for each of {bin_count} bins, in order")));
        }
        Ok(())
    }

    /// Checks that no two cells have the same bin and group.
    ///
    /// # Errors
    /// `InvalidPartials`.
    pub fn check_distinct(&self) -> Result<()> {
        let width = 1 + self.keys.len();
        let mut groups = Vec::with_capacity(self.bins.len() * width);
        for (cell, &bin) in self.bins.iter().enumerate() {
            groups.push(bin.into());
            groups.extend(self.keys.iter().map(|key| key.code(cell)));
        }
        let mut distinct: HashSet<&[i64]> = HashSet::with_capacity(self.bins.len());
        match groups.chunks(width).position(|group| !distinct.insert(group)) {
            Some(cell) => Err(invalid(format!("cell {cell} has the bin and the group of an earlier cell"))),
            None => Ok(()),
        }
    }
}

/// Checks the length of a column.
///
/// # Errors
/// `InvalidPartials`.
pub fn check_length(length: usize, cell_count: usize) -> Result<()> {
    if length == cell_count {
        return Ok(());
    }
    Err(invalid(format!("a column has {length} values, and there are {cell_count} cells")))
}

/// Returns numbers from 0 to `bound`, exclusive.
///
/// # Errors
/// `InvalidPartials`.
pub fn numbers_below(numbers: &[i64], bound: usize, what: &str) -> Result<Vec<u32>> {
    let number = |(cell, &number): (usize, &i64)| match u32::try_from(number) {
        Ok(small) if (small as usize) < bound => Ok(small),
        _ => Err(invalid(format!("cell {cell} has {what} {number}, and there are {bound}"))),
    };
    numbers.iter().enumerate().map(number).collect()
}

/// Returns [`Error::InvalidPartials`].
pub fn invalid(problem: impl Into<String>) -> Error {
    Error::InvalidPartials(problem.into())
}
