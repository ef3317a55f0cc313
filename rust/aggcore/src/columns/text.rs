//! Short byte strings by row, one after the other in one piece of memory.

use super::dictionary::Texts;

/// Bytes that removed rows may leave behind before the others are moved together.
const GARBAGE_MIN: usize = 1 << 16;

/// A column of byte strings of at most 65,535 bytes each, changed in place; an absent one is empty.
///
/// A text per row in an allocation of its own would cost 16 bytes for the pointer and 16 or more around
/// the text; here it costs 6.
#[derive(Clone, Debug, Default)]
pub struct BytesColumn {
    /// Where each row's bytes begin; empty while no row has any.
    starts: Vec<u32>,
    lengths: Vec<u16>,
    bytes: Vec<u8>,
    garbage: usize,
}

impl BytesColumn {
    /// The bytes of a row.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let length = self.lengths.get(row).copied().unwrap_or_default();
        if length == 0 { &[] } else { &self.bytes[self.starts[row] as usize..][..usize::from(length)] }
    }

    /// Adds a row to a column of `rows` rows.
    pub fn push(&mut self, bytes: &[u8], rows: usize) {
        if bytes.is_empty() && self.starts.is_empty() {
            return;
        }
        self.starts.resize(rows, 0);
        self.lengths.resize(rows, 0);
        self.starts.push(self.bytes.len() as u32);
        self.lengths.push(bytes.len() as u16);
        self.bytes.extend_from_slice(bytes);
    }

    /// Gives a row of a column of `rows` rows other bytes.
    pub fn set(&mut self, row: usize, bytes: &[u8], rows: usize) {
        if self.get(row) == bytes {
            return;
        }
        self.starts.resize(rows, 0);
        self.lengths.resize(rows, 0);
        self.leave(self.lengths[row]);
        (self.starts[row], self.lengths[row]) = (self.bytes.len() as u32, bytes.len() as u16);
        self.bytes.extend_from_slice(bytes);
    }

    /// Removes a row; the last row takes its number.
    pub fn swap_remove(&mut self, row: usize) {
        if !self.starts.is_empty() {
            self.starts.swap_remove(row);
            let length = self.lengths.swap_remove(row);
            self.leave(length);
        }
    }

    /// Counts the bytes that a row leaves behind.
    fn leave(&mut self, length: u16) {
        self.garbage += usize::from(length);
        if self.garbage > GARBAGE_MIN && self.garbage * 2 > self.bytes.len() {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.garbage);
        for (start, length) in self.starts.iter_mut().zip(&self.lengths) {
            let text = &self.bytes[*start as usize..][..usize::from(*length)];
            *start = bytes.len() as u32;
            bytes.extend_from_slice(text);
        }
        (self.bytes, self.garbage) = (bytes, 0);
    }
}

/// A [`BytesColumn`] of texts.
#[derive(Clone, Debug, Default)]
pub struct TextColumn(BytesColumn);

impl TextColumn {
    /// Adds a row to a column of `rows` rows.
    pub fn push(&mut self, text: &str, rows: usize) {
        self.0.push(text.as_bytes(), rows);
    }

    /// Gives a row of a column of `rows` rows another text.
    pub fn set(&mut self, row: usize, text: &str, rows: usize) {
        self.0.set(row, text.as_bytes(), rows);
    }

    /// Removes a row; the last row takes its number.
    pub fn swap_remove(&mut self, row: usize) {
        self.0.swap_remove(row);
    }
}

impl Texts for TextColumn {
    fn count(&self) -> usize {
        self.0.starts.len()
    }

    #[inline]
    fn get(&self, row: usize) -> &str {
        // Only whole texts were put in, so this never falls back.
        std::str::from_utf8(self.0.get(row)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_bytes_while_others_come_and_go() {
        let mut column = BytesColumn::default();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for i in 0..6_000usize {
            let bytes = if i % 7 == 0 { Vec::new() } else { i.to_string().repeat(i % 9).into_bytes() };
            column.push(&bytes, model.len());
            model.push(bytes);
            if i % 2 == 0 {
                let (row, text) = (i * 17 % model.len(), vec![b'x'; i % 5]);
                column.set(row, &text, model.len());
                model[row] = text;
            }
            if i % 3 != 0 {
                let row = i * 31 % model.len();
                column.swap_remove(row);
                model.swap_remove(row);
            }
            assert!(column.garbage <= GARBAGE_MIN.max(column.bytes.len() / 2));
        }
        assert!(model.iter().enumerate().all(|(row, bytes)| column.get(row) == bytes));
    }
}
