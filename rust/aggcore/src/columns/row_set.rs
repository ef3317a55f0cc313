//! Sets of row numbers as bitmaps: bit `row % 64` of word `row / 64`. Each segment has one for
//! its tombstones, which the catalogue stores as bytes.

use std::ops::Range;

/// A set of row numbers, one bit each up to the greatest row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
    /// Bits that are set.
    count: usize,
}

impl RowSet {
    /// Reads the bytes of [`RowSet::to_bytes`]; zero bytes at the end may be missing.
    ///
    /// ```
    /// use aggcore::RowSet;
    /// let rows = RowSet::from_bytes(&[0, 0b10]);
    /// assert_eq!(rows.rows().collect::<Vec<_>>(), [9], "the lowest bit of the first byte is row 0");
    /// assert_eq!(rows.to_bytes().len(), 8, "whole words");
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let words: Vec<u64> = bytes.chunks(8).map(word_of).collect();
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        Self { words, count }
    }

    /// Returns the rows of the set, ascending.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        let bits = |word: u64| (0..64).filter(move |bit| word >> bit & 1 == 1);
        self.words.iter().enumerate().flat_map(move |(i, &word)| bits(word).map(move |bit| i * 64 + bit))
    }

    /// Returns the words of the bitmap as bytes, little endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Returns the number of rows in the set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns whether a row is in the set.
    #[inline]
    pub fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Clears the mask bytes of the rows of the set; `mask` has one byte per row of the range `rows`.
    pub fn clear_in(&self, rows: Range<usize>, mask: &mut [u8]) {
        let words = self.words.get(rows.start / 64..rows.end.div_ceil(64).min(self.words.len())).unwrap_or_default();
        for (number, _) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
            let first = (rows.start / 64 + number) * 64;
            for row in (first..first + 64).filter(|row| rows.contains(row) && self.contains(*row)) {
                mask[row - rows.start] = 0;
            }
        }
    }

    /// Adds a row.
    pub fn insert(&mut self, row: usize) {
        if self.words.len() <= row / 64 {
            self.words.resize(row / 64 + 1, 0);
        }
        self.count += usize::from(!self.contains(row));
        self.words[row / 64] |= 1 << (row % 64);
    }

    /// Adds the rows of another set.
    pub fn add_all(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
        self.count = self.words.iter().map(|word| word.count_ones() as usize).sum();
    }

    /// Returns whether all rows of another set are in the set.
    pub fn has_all(&self, other: &Self) -> bool {
        let word = |number: usize| self.words.get(number).copied().unwrap_or_default();
        other.words.iter().enumerate().all(|(number, more)| more & !word(number) == 0)
    }

    /// Takes a row out, if it is in the set.
    pub fn remove(&mut self, row: usize) {
        if self.contains(row) {
            self.words[row / 64] &= !(1 << (row % 64));
            self.count -= 1;
        }
    }
}

/// Reads up to 8 bytes, little endian; missing ones are 0.
fn word_of(chunk: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..chunk.len()].copy_from_slice(chunk);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_has_the_rows_of_both_sets() {
        let set = |rows: &[usize]| {
            let mut set = RowSet::default();
            rows.iter().for_each(|&row| set.insert(row));
            set
        };
        for (one, other, all) in
            [(vec![1, 64], vec![1, 200], vec![1, 64, 200]), (vec![200], vec![], vec![200]), (vec![], vec![3], vec![3])]
        {
            let mut union = set(&one);
            union.add_all(&set(&other));
            assert_eq!(union, set(&all));
            assert!(union.has_all(&set(&other)) && union.has_all(&set(&one)));
            assert_eq!(set(&one).has_all(&union), one.len() == all.len());
        }
    }

    #[test]
    fn zero_bytes_at_the_end_may_be_missing() {
        let mut set = RowSet::default();
        [0, 9, 63, 64, 75].into_iter().for_each(|row| set.insert(row));
        let bytes = set.to_bytes();
        assert_eq!(bytes.len(), 16);
        assert_eq!(RowSet::from_bytes(&bytes), set);
        assert_eq!(RowSet::from_bytes(&bytes[..10]), set);
        assert_eq!(RowSet::from_bytes(&[]), RowSet::default());
    }
}
