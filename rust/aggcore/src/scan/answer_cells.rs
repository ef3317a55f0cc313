//! The cells that the answers of servers have: their bins and keys, each cell once.

use std::ops::Range;

use hashbrown::HashTable;

use super::answer_keys::Key;
use super::dense_ids::hash_words;
use super::group_key::check_cell_count;
use super::partials::KeyValues;
use crate::error::{Error, Result};
use crate::native::Block;

/// Rows whose cells are looked up before memory is reserved for them.
const CHUNK_ROWS: usize = 4096;

/// Cells by number: without keys, one for each bin, and otherwise in order of first appearance.
pub struct AnswerCells {
    bin_count: usize,
    count_max: usize,
    keys: Vec<Key>,
    /// Number of cells.
    count: usize,
    /// Bin and keys of each cell, one cell after the other; empty without keys. A text is given by its id.
    words: Vec<i64>,
    /// Cells by the hash of their bin and keys.
    index: HashTable<u32>,
}

impl AnswerCells {
    /// Begins the cells of a scan, at most `count_max` if it has keys.
    ///
    /// # Errors
    /// `InvalidPartials` if there are 2^32 bins or more.
    pub fn new(bin_count: usize, keys: Vec<Key>, count_max: usize) -> Result<Self> {
        if u32::try_from(bin_count).is_err() {
            return Err(Error::InvalidPartials(format!("there are {bin_count} bins")));
        }
        let count = if keys.is_empty() { bin_count } else { 0 };
        Ok(Self { bin_count, count_max, keys, count, words: Vec::new(), index: HashTable::new() })
    }

    /// Number of bins.
    pub fn bin_count(&self) -> usize {
        self.bin_count
    }

    /// Number of cells.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the rows of a block in chunks, each with as many rows as may be added before memory is reserved.
    pub fn chunks(block: &Block<'_>) -> impl Iterator<Item = Range<usize>> + use<> {
        let row_count = block.row_count;
        (0..row_count).step_by(CHUNK_ROWS).map(move |begin| begin..row_count.min(begin + CHUNK_ROWS))
    }

    /// Returns bin and keys of some rows, one row after the other, and how many words a row has.
    ///
    /// # Errors
    /// `MalformedBlock` if the block lacks one of these columns, or if a bin is not one of the scan.
    pub fn words(&mut self, block: &Block<'_>, rows: Range<usize>) -> Result<(Vec<i64>, usize)> {
        let (bins, width) = (&block.integers("bin")?[rows.clone()], 1 + self.keys.len());
        if let Some(bin) = bins.iter().find(|&&bin| bin < 0 || bin as usize >= self.bin_count) {
            return Err(Error::MalformedBlock(format!("a cell is in bin {bin} of {}", self.bin_count)));
        }
        let mut words = vec![0; rows.len() * width];
        words.iter_mut().step_by(width).zip(bins).for_each(|(word, &bin)| *word = bin);
        for (key, offset) in self.keys.iter_mut().zip(1..) {
            key.put_ids(block, rows.clone(), words.iter_mut().skip(offset).step_by(width))?;
        }
        Ok((words, width))
    }

    /// Returns the number of a cell, a new one if need be.
    ///
    /// # Errors
    /// `CellLimit`.
    pub fn number(&mut self, cell: &[i64]) -> Result<usize> {
        if self.keys.is_empty() {
            return Ok(cell[0] as usize);
        }
        let (words, width, hash) = (&mut self.words, cell.len(), hash_of(cell));
        let is_same = |&number: &u32| &words[number as usize * width..][..width] == cell;
        if let Some(&number) = self.index.find(hash, is_same) {
            return Ok(number as usize);
        }
        let number = self.count;
        check_cell_count(number + 1, self.count_max)?;
        words.extend_from_slice(cell);
        self.count += 1;
        self.index.insert_unique(hash, number as u32, |&number| hash_of(&words[number as usize * width..][..width]));
        Ok(number)
    }

    /// Returns the numbers of the cells by group, in any order of groups, and within a group by bin.
    pub fn by_group(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.count as u32).collect();
        if !self.keys.is_empty() {
            numbers.sort_unstable_by_key(|&number| (self.group(number as usize), self.bin(number as usize)));
        }
        numbers
    }

    /// Bin of a cell.
    pub fn bin(&self, number: usize) -> usize {
        if self.keys.is_empty() { number } else { self.words[number * (1 + self.keys.len())] as usize }
    }

    /// Keys of a cell, equal for equal groups.
    pub fn group(&self, number: usize) -> &[i64] {
        let width = 1 + self.keys.len();
        if self.keys.is_empty() { &[] } else { &self.words[number * width..][1..width] }
    }

    /// Returns the number of the cell that the group of a cell has in a bin, a new one if need be.
    ///
    /// # Errors
    /// `CellLimit`.
    pub fn beside(&mut self, number: usize, bin: usize) -> Result<usize> {
        let cell = [&[bin as i64], self.group(number)].concat();
        self.number(&cell)
    }

    /// Bytes of memory that the cells take.
    pub fn bytes(&self) -> usize {
        let id_bytes: usize = self.keys.iter().map(Key::bytes).sum();
        self.words.capacity() * size_of::<i64>() + self.index.allocation_size() + id_bytes
    }

    /// Bytes of memory that bins and keys of the result take, apart from their texts.
    pub fn column_bytes(&self) -> usize {
        self.count * size_of::<u32>() + self.keys.iter().map(|key| key.column_bytes(self.count)).sum::<usize>()
    }

    /// Bytes of memory that the texts of the result take.
    pub fn text_bytes(&self) -> usize {
        self.keys.iter().map(Key::text_bytes).sum()
    }

    /// Returns bins and keys by cell.
    pub fn into_columns(self) -> (Vec<u32>, Vec<KeyValues>) {
        let Self { bin_count, keys, words, .. } = self;
        let width = 1 + keys.len();
        let column = |offset: usize| words.iter().skip(offset).step_by(width).copied();
        let bins = if keys.is_empty() { (0..bin_count as u32).collect() } else { column(0).map(|bin| bin as u32).collect() };
        (bins, keys.into_iter().zip(1..).map(|(key, offset)| key.into_values(column(offset))).collect())
    }
}

fn hash_of(cell: &[i64]) -> u64 {
    hash_words(cell.iter().map(|&value| value as u64))
}
