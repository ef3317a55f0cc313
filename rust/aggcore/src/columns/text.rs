//! Columns of short byte strings that share one buffer.
//!
//! Rows change in place: new bytes are appended to the buffer and the old ones become garbage, which is
//! dropped, by copying the live bytes, once it exceeds half of the buffer. Offset and length of a text cost 6
//! bytes per row; a `Box<str>` per row would cost 16 bytes for the pointer and 16 or more for the allocation.

use super::dictionary::Texts;
use super::touched::make_room;

/// Unsigned integers of the width that the offsets, or the lengths, of a column need.
pub trait Position: Copy + Default {
    /// Converts a position, which must not exceed what the type can represent.
    fn of(position: usize) -> Self;
    /// Converts it back.
    fn get(self) -> usize;
}

macro_rules! position {
    ($($integer:ty)*) => {$(
        impl Position for $integer {
            #[inline]
            fn of(position: usize) -> Self {
                debug_assert!(Self::try_from(position).is_ok(), "{position} needs more bits");
                position as Self
            }

            #[inline]
            fn get(self) -> usize {
                self as usize
            }
        }
    )*};
}

position!(u16 u32 u64);

/// A column of byte strings whose lengths `L`, and offsets `S` in one buffer, can represent; an absent one is empty.
#[derive(Clone, Debug)]
pub struct BytesColumn<S, L> {
    /// Offset in `bytes` by row. Empty, as `lengths` is, until a row has bytes.
    starts: Vec<S>,
    lengths: Vec<L>,
    bytes: Vec<u8>,
    /// Bytes of `bytes` that no row refers to.
    garbage_bytes: usize,
    /// Garbage below which the buffer is never copied.
    garbage_bytes_min: usize,
}

impl<S: Position, L: Position> BytesColumn<S, L> {
    /// Creates an empty column that is compacted once more than `garbage_bytes_min`, and more than half of its buffer,
    /// is garbage.
    pub fn new(garbage_bytes_min: usize) -> Self {
        Self { starts: Vec::new(), lengths: Vec::new(), bytes: Vec::new(), garbage_bytes: 0, garbage_bytes_min }
    }

    /// Makes room for rows of `byte_count` bytes together, see [`make_room`].
    fn make_room(&mut self, row_count: usize, byte_count: usize, expected_count: usize) {
        make_room(&mut self.starts, row_count, expected_count);
        make_room(&mut self.lengths, row_count, expected_count);
        make_room(&mut self.bytes, byte_count, byte_count.saturating_mul(expected_count) / row_count.max(1));
    }

    /// Returns the bytes of a row.
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        let length = self.lengths.get(row).copied().unwrap_or_default().get();
        if length == 0 { &[] } else { &self.bytes[self.starts[row].get()..][..length] }
    }

    /// Appends a row to a column of `rows` rows.
    pub fn push(&mut self, bytes: &[u8], rows: usize) {
        if bytes.is_empty() && self.starts.is_empty() {
            return;
        }
        self.starts.resize(rows, S::default());
        self.lengths.resize(rows, L::default());
        self.starts.push(S::of(self.bytes.len()));
        self.lengths.push(L::of(bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }

    /// Replaces the bytes of a row in a column of `rows` rows.
    pub fn set(&mut self, row: usize, bytes: &[u8], rows: usize) {
        if self.get(row) == bytes {
            return;
        }
        self.starts.resize(rows, S::default());
        self.lengths.resize(rows, L::default());
        self.discard(self.lengths[row]);
        (self.starts[row], self.lengths[row]) = (S::of(self.bytes.len()), L::of(bytes.len()));
        self.bytes.extend_from_slice(bytes);
    }

    /// Removes a row; the last row takes its number.
    pub fn swap_remove(&mut self, row: usize) {
        if !self.starts.is_empty() {
            self.starts.swap_remove(row);
            let length = self.lengths.swap_remove(row);
            self.discard(length);
        }
    }

    /// Counts `length` bytes as garbage and compacts the buffer if it is mostly garbage.
    fn discard(&mut self, length: L) {
        self.garbage_bytes += length.get();
        if self.garbage_bytes > self.garbage_bytes_min && self.garbage_bytes * 2 > self.bytes.len() {
            self.compact();
        }
    }

    /// Copies the bytes of all rows to a new buffer, in row order.
    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.garbage_bytes);
        for (start, length) in self.starts.iter_mut().zip(&self.lengths) {
            let row = &self.bytes[start.get()..][..length.get()];
            *start = S::of(bytes.len());
            bytes.extend_from_slice(row);
        }
        (self.bytes, self.garbage_bytes) = (bytes, 0);
    }
}

/// Offset and length of a text, which has at most 256 bytes (`Record::validate`).
type TextStart = u32;
type TextLength = u16;

/// A [`BytesColumn`] of texts.
#[derive(Clone, Debug)]
pub struct TextColumn(BytesColumn<TextStart, TextLength>);

impl TextColumn {
    /// Creates an empty column; see [`BytesColumn::new`].
    pub fn new(garbage_bytes_min: usize) -> Self {
        Self(BytesColumn::new(garbage_bytes_min))
    }

    /// Bytes of a row besides its text.
    pub const BYTES_PER_ROW: usize = size_of::<TextStart>() + size_of::<TextLength>();

    /// Makes room for rows of `byte_count` bytes together in touched memory; allocates for `expected_count` rows if there
    /// is too little.
    pub fn make_room(&mut self, row_count: usize, byte_count: usize, expected_count: usize) {
        self.0.make_room(row_count, byte_count, expected_count);
    }

    /// Bytes of all texts, garbage included.
    pub fn text_bytes(&self) -> usize {
        self.0.bytes.len()
    }

    /// Appends a row to a column of `rows` rows.
    pub fn push(&mut self, text: &str, rows: usize) {
        self.0.push(text.as_bytes(), rows);
    }

    /// Replaces the text of a row in a column of `rows` rows.
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
        // Only `push` and `set` write the bytes, whole texts each time, so the conversion never fails.
        std::str::from_utf8(self.0.get(row)).unwrap_or_default()
    }

    #[inline]
    fn bytes(&self, row: usize) -> &[u8] {
        self.0.get(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GARBAGE_BYTES_MIN: usize = 1 << 12;

    #[test]
    fn column_equals_a_vec_after_pushes_sets_and_removals() {
        let mut column = BytesColumn::<u32, u16>::new(GARBAGE_BYTES_MIN);
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
            assert!(column.garbage_bytes <= GARBAGE_BYTES_MIN.max(column.bytes.len() / 2));
        }
        assert!(model.iter().enumerate().all(|(row, bytes)| column.get(row) == bytes));
    }

    #[test]
    fn a_column_keeps_byte_strings_longer_than_16_bits_can_tell() {
        let mut column = BytesColumn::<u64, u32>::new(GARBAGE_BYTES_MIN);
        let long = vec![7u8; 100_000];
        column.push(&long, 0);
        column.push(b"short", 1);
        column.set(1, &long[1..], 2);
        assert_eq!((column.get(0), column.get(1)), (&long[..], &long[1..]));
    }
}
