//! RecordColumns of an answer, written as they are worked out.
//!
//! As fields of a message, columns would first be laid out in memory, which for a year of five minutes takes longer
//! than working them out.

use prost::encoding::{WireType, encode_varint};

/// Bytes of the longest integer.
const VARINT_LEN_MAX: usize = 10;
/// Bits of a key that tell how the value is written.
const WIRE_TYPE_BITS: u32 = 3;
/// Integers below it have no more groups of 7 bits than a word has bytes.
const WORD_VARINT_END: u64 = 1 << (7 * size_of::<u64>());

/// The columns of a message; one without values is left out.
pub struct ColumnWriter {
    bytes: Vec<u8>,
    /// Room for a column of integers, whose length is known once it is written.
    scratch: Vec<u8>,
}

impl ColumnWriter {
    /// None yet, with room for so many bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), scratch: Vec::new() }
    }

    /// Adds a field of integers.
    pub fn put_packed_int64s(&mut self, tag: u32, values: impl ExactSizeIterator<Item = i64>) {
        self.scratch.resize(values.len() * VARINT_LEN_MAX, 0);
        let scratch = self.scratch.as_mut_slice();
        let len = values.fold(0, |start, value| start + write_varint(value as u64, &mut scratch[start..]));
        if len > 0 {
            put_bytes(tag, &self.scratch[..len], &mut self.bytes);
        }
    }

    /// Adds a field of floats; one that has no value is NaN.
    pub fn put_packed_doubles(&mut self, tag: u32, values: impl ExactSizeIterator<Item = Option<f64>>) {
        if values.len() > 0 {
            put_key_and_len(tag, values.len() * size_of::<f64>(), &mut self.bytes);
            self.bytes.extend(values.flat_map(|value| value.unwrap_or(f64::NAN).to_le_bytes()));
        }
    }

    /// The bytes of the message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Writes a field of bytes: a text, a message, which is there also without any, or a column.
#[inline]
pub fn put_bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_key_and_len(tag, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Writes a message, whose length is known once its fields are.
#[inline]
pub fn put_message(tag: u32, out: &mut Vec<u8>, put_fields: impl FnOnce(&mut Vec<u8>)) {
    put_key_and_len(tag, 0, out);
    let start = out.len();
    put_fields(out);
    let len = out.len() - start;
    if len < 0x80 {
        out[start - 1] = len as u8;
    } else {
        // A longer one moves, as its length takes more than the one byte left for it.
        let mut scratch = [0; VARINT_LEN_MAX];
        let len_of_len = write_varint(len as u64, &mut scratch);
        out.splice(start - 1..start, scratch[..len_of_len].iter().copied());
    }
}

/// Writes a field of one integer.
#[inline]
pub fn put_int64(tag: u32, number: i64, out: &mut Vec<u8>) {
    push_varint(u64::from(tag << WIRE_TYPE_BITS | WireType::Varint as u32), out);
    push_varint(number as u64, out);
}

#[inline]
fn put_key_and_len(tag: u32, len: usize, out: &mut Vec<u8>) {
    push_varint(u64::from(tag << WIRE_TYPE_BITS | WireType::LengthDelimited as u32), out);
    push_varint(len as u64, out);
}

#[inline]
fn push_varint(value: u64, out: &mut Vec<u8>) {
    match value {
        0..0x80 => out.push(value as u8),
        0x80..0x4000 => out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]),
        0x4000..WORD_VARINT_END => {
            let (word, len) = varint_word(value);
            // All bytes of the word at once take less than a call to copy some.
            let end = out.len() + len;
            out.extend_from_slice(&word);
            out.truncate(end);
        }
        _ => encode_varint(value, out),
    }
}

/// Writes an integer to where there is room for the longest, and gives its length.
#[inline]
fn write_varint(value: u64, mut scratch: &mut [u8]) -> usize {
    if value < 0x80 {
        scratch[0] = value as u8;
        return 1;
    }
    if value >= WORD_VARINT_END {
        let before = scratch.len();
        encode_varint(value, &mut scratch);
        return before - scratch.len();
    }
    let (word, len) = varint_word(value);
    scratch[..size_of::<u64>()].copy_from_slice(&word);
    len
}

/// An integer below [`WORD_VARINT_END`] as it is written, and its length.
#[inline]
fn varint_word(value: u64) -> ([u8; size_of::<u64>()], usize) {
    // PackedGroups of 7 bits become bytes, half by half.
    let word = value & 0xfff_ffff | (value & 0xfff_ffff << 28) << 4;
    let word = word & 0x3fff_0000_3fff | (word & 0xfff_c000_0fff_c000) << 2;
    let word = word & 0x7f_007f_007f_007f | (word & 0x3f80_3f80_3f80_3f80) << 1;
    let len = (u64::BITS - value.leading_zeros()).div_ceil(7);
    // All of them but the last are followed by another.
    let continuation = 0x8080_8080_8080_8080 & ((1 << (8 * (len - 1))) - 1);
    ((word | continuation).to_le_bytes(), len as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_protobuf_wants_them() {
        let near = |bit: u32| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1];
        let values: Vec<i64> = (0..64).flat_map(near).chain([0, u64::MAX]).map(|value| value as i64).collect();
        let (mut columns, mut expected) = (ColumnWriter::with_capacity(0), Vec::new());
        columns.put_packed_int64s(3, values.iter().copied());
        prost::encoding::int64::encode_packed(3, &values, &mut expected);
        assert_eq!(columns.into_bytes(), expected);

        let (mut fields, mut expected) = (Vec::new(), Vec::new());
        for &value in &values {
            put_int64(30, value, &mut fields);
            prost::encoding::int64::encode(30, &value, &mut expected);
        }
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_message_has_its_length_before_it_however_long_it_is() {
        for len in [0, 1, 0x7f, 0x80, 0x81, 0x3fff, 0x4000] {
            let (text, mut bytes, mut expected) = (vec![7; len], vec![1, 2], vec![1, 2]);
            put_message(4, &mut bytes, |out| out.extend(&text));
            prost::encoding::bytes::encode(4, &text, &mut expected);
            assert_eq!(bytes, expected);
        }
    }
}
