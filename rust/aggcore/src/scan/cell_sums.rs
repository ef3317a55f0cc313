//! The cells of a scan that several servers answer together, each from records of its own.
//!
//! A server sums its records by bin and keys, as the scan asks, and sends its cells as blocks of these columns: `bin`, the
//! keys by their names, and the sums `first`, `second` and `third`. The same cell may come from several servers, and its sums
//! are added up then.
//!
//! With a code deck, a server finds the code of each leg, and sends it in place of the name and the country too. They are
//! looked up here, once per code, and cells whose codes share them become one.

use std::sync::Arc;

use super::answer_cells::AnswerCells;
use super::answer_keys::Key;
use super::code_deck::CodeDeck;
use super::partials::Partials;
use super::sums::{Sums, add};
use crate::error::{Error, Result};
use crate::memory::{QueryMemory, Reservation};
use crate::native::{Block, blocks};
use crate::record::schema::ABSENT;

/// Sums by cell, to which the answers of servers are added.
pub struct CellSums {
    cells: AnswerCells,
    /// Sums by cell.
    sums: Vec<Sums>,
    memory: Reservation,
}

impl CellSums {
    /// Begins the sums of a scan with `bin_count` bins and these keys. `memory` holds them.
    ///
    /// # Errors
    /// `Unknown` if a key is not a column, a memory limit, and `InvalidPartials` if there are 2^32 bins or more.
    pub fn new(
        memory: &Arc<QueryMemory>, bin_count: usize, keys: &[String], deck: Option<&Arc<CodeDeck>>, cell_count_max: usize,
    ) -> Result<Self> {
        let keys = keys.iter().map(|name| Key::of_column(name, deck)).collect::<Result<_>>()?;
        let cells = AnswerCells::new(bin_count, keys, cell_count_max)?;
        let memory = memory.reserve(cells.count() * size_of::<Sums>())?;
        Ok(Self { sums: vec![[0; 3]; cells.count()], cells, memory })
    }

    /// Adds the cells of one answer. Its bytes count as memory of the query meanwhile. A cell of zeros adds nothing.
    ///
    /// # Errors
    /// `MalformedBlock` if the bytes are not cells of the scan, `CellLimit`, `SumOverflow`, also if a sum is -2^63, which stands
    /// for one beyond 64 bits, or a memory limit. The sums must not be used then.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.reserve(bytes.len())?;
        for block in blocks(bytes) {
            let block = block?;
            if block.row_count > 0 {
                self.add_block(&block, bytes.len())?;
            }
        }
        self.reserve(0)
    }

    /// Returns the sums as columns, which the memory of the query holds until it ends.
    ///
    /// # Errors
    /// `SumOverflow` if the sums of all cells exceed 64 bits, or a memory limit.
    pub fn into_partials(mut self) -> Result<Partials> {
        let column_bytes = self.sums.len() * size_of::<Sums>() + self.cells.column_bytes();
        let (text_bytes, bin_count) = (self.cells.text_bytes(), self.cells.bin_count());
        self.reserve(column_bytes)?;
        let Self { cells, sums, mut memory } = self;
        let (bins, keys) = cells.into_columns();
        let partials = Partials { sums, bins, keys, row_count: 0 };
        partials.check(bin_count)?;
        memory.resize(column_bytes + text_bytes)?;
        memory.keep();
        Ok(partials)
    }

    fn add_block(&mut self, block: &Block<'_>, answer_bytes: usize) -> Result<()> {
        let [first, second, third] = ["first", "second", "third"].map(|name| block.integers(name));
        let (first, second, third) = (first?, second?, third?);
        for rows in AnswerCells::chunks(block) {
            let (words, width) = self.cells.words(block, rows.clone())?;
            for (row, cell) in rows.zip(words.chunks_exact(width)) {
                self.add_cell(cell, [first[row], second[row], third[row]])?;
            }
            self.reserve(answer_bytes)?;
        }
        Ok(())
    }

    fn add_cell(&mut self, cell: &[i64], added: Sums) -> Result<()> {
        if added == [0; 3] {
            return Ok(());
        }
        if added.contains(&ABSENT) {
            return Err(Error::SumOverflow);
        }
        if added[0] <= 0 || added.iter().any(|&sum| sum < 0) {
            return Err(Error::MalformedBlock(format!("a cell has the sums {added:?}")));
        }
        let number = self.cells.number(cell)?;
        if number == self.sums.len() {
            self.sums.push([0; 3]);
        }
        add(&mut self.sums[number], added)
    }

    /// Makes the query hold the memory of the cells, and `more_bytes`.
    fn reserve(&mut self, more_bytes: usize) -> Result<()> {
        self.memory.resize(self.cells.bytes() + self.sums.capacity() * size_of::<Sums>() + more_bytes)
    }
}

#[cfg(test)]
mod tests;
