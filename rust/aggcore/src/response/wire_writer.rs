//! Writes protobuf fields straight to bytes, without building a message first.
//!
//! prost encodes columns that are vectors of a message. For the 105,120 five-minute bins of a year, filling
//! these vectors takes longer than computing their values, so [`ColumnWriter`] encodes the values as an
//! iterator computes them, and rows of active sessions go from the scan's columns to bytes. The tests compare
//! each field with prost's encoding.
//!
//! # Varints without a branch per byte
//!
//! A [varint](https://protobuf.dev/programming-guides/encoding/#varints) has the 7-bit groups of an integer,
//! the lowest first, in one byte each. The top bit of a byte, the continuation bit, is set if another byte
//! follows. A loop over the bytes mispredicts its end whenever the length varies. [`varint_word`] instead
//! moves the eight groups `a` (lowest) to `h` of an integer below 2^56 to the bytes of a word in three steps,
//! each of which splits all blocks in two and moves the upper halves up. (It is what the x86 instruction PDEP
//! does with the mask 0x7f7f_7f7f_7f7f_7f7f.)
//!
//! | after | bytes of the word, highest first; `0` is a zero bit, a letter a group of 7 bits |
//! |---|---|
//! | the integer | `00000000 hgfedcba` |
//! | upper 28 of 56 bits moved up by 4 | `0000 hgfe`, `0000 dcba` |
//! | upper 14 of 28 bits moved up by 2 | `00 hg`, `00 fe`, `00 dc`, `00 ba` |
//! | upper 7 of 14 bits moved up by 1 | `0 h`, `0 g`, `0 f`, `0 e`, `0 d`, `0 c`, `0 b`, `0 a` |
//! | continuation bits, here of three bytes | `0 0`, `0 0`, `0 0`, `0 0`, `0 0`, `0 c`, `1 b`, `1 a` |

use prost::encoding::{WireType, encode_varint};

/// Bytes of the longest varint.
pub const VARINT_LEN_MAX: usize = 10;
/// Bits of the wire type, which are below the tag in the key of a field.
const WIRE_TYPE_BITS: u32 = 3;
/// Integers below 2^56 have at most eight groups of 7 bits, one for each byte of a word.
const WORD_VARINT_END: u64 = 1 << (7 * size_of::<u64>());

/// Writes the packed columns of a message. Columns without values are omitted.
pub struct ColumnWriter {
    bytes: Vec<u8>,
    /// Holds an encoded column of integers until its length, which precedes it, is known.
    scratch: Vec<u8>,
}

impl ColumnWriter {
    /// Returns a writer with an empty message and a buffer of `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::after(Vec::with_capacity(capacity))
    }

    /// Returns a writer that appends to the encoded fields of a message.
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, scratch: Vec::new() }
    }

    /// Appends a packed field of `int64`. `scratch` has room for the longest varint of each value.
    pub fn put_packed_int64s(&mut self, tag: u32, values: impl ExactSizeIterator<Item = i64>) {
        self.scratch.resize(values.len() * VARINT_LEN_MAX, 0);
        let scratch = self.scratch.as_mut_slice();
        let len = values.fold(0, |start, value| start + write_varint(value as u64, &mut scratch[start..]));
        if len > 0 {
            put_bytes(tag, &self.scratch[..len], &mut self.bytes);
        }
    }

    /// Appends a packed field of `double`; `None` becomes NaN.
    pub fn put_packed_doubles(&mut self, tag: u32, values: impl ExactSizeIterator<Item = Option<f64>>) {
        if values.len() > 0 {
            put_key_and_len(tag, values.len() * size_of::<f64>(), &mut self.bytes);
            self.bytes.extend(values.flat_map(|value| value.unwrap_or(f64::NAN).to_le_bytes()));
        }
    }

    /// Returns the encoded message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Appends a length-delimited field: a text, an encoded message or a packed column. It is written even if
/// empty.
#[inline]
pub fn put_bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_key_and_len(tag, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a message field, whose fields `put_fields` appends.
///
/// Reserves one byte for the length, which suffices for messages below 128 bytes. A longer message is moved
/// up by the missing bytes.
#[inline]
pub fn put_message(tag: u32, out: &mut Vec<u8>, put_fields: impl FnOnce(&mut Vec<u8>)) {
    put_message_of(tag, out, |out| out, put_fields);
}

/// As [`put_message`], for a `writer` that has the bytes; returns what `put_fields` returns.
#[inline]
pub fn put_message_of<W, T>(
    tag: u32, writer: &mut W, bytes_of: impl Fn(&mut W) -> &mut Vec<u8>, put_fields: impl FnOnce(&mut W) -> T,
) -> T {
    put_key_and_len(tag, 0, bytes_of(writer));
    let start = bytes_of(writer).len();
    let result = put_fields(writer);
    let out = bytes_of(writer);
    let len = out.len() - start;
    if len < 0x80 {
        out[start - 1] = len as u8;
    } else {
        let mut scratch = [0; VARINT_LEN_MAX];
        let varint_len = write_varint(len as u64, &mut scratch);
        out.splice(start - 1..start, scratch[..varint_len].iter().copied());
    }
    result
}

/// Appends an `int64` field. The encoding of an `int32` from 0 is the same.
#[inline]
pub fn put_int64(tag: u32, number: i64, out: &mut Vec<u8>) {
    push_varint(u64::from(tag << WIRE_TYPE_BITS | WireType::Varint as u32), out);
    push_varint(number as u64, out);
}

/// Appends a `double` field; nothing for `None`.
#[inline]
pub fn put_double(tag: u32, value: Option<f64>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        push_varint(u64::from(tag << WIRE_TYPE_BITS | WireType::SixtyFourBit as u32), out);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends the key (tag and wire type) of a length-delimited field, and its length.
#[inline]
fn put_key_and_len(tag: u32, len: usize, out: &mut Vec<u8>) {
    push_varint(u64::from(tag << WIRE_TYPE_BITS | WireType::LengthDelimited as u32), out);
    push_varint(len as u64, out);
}

/// Appends a varint.
#[inline]
fn push_varint(value: u64, out: &mut Vec<u8>) {
    match value {
        0..0x80 => out.push(value as u8),
        0x80..0x4000 => out.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]),
        0x4000..WORD_VARINT_END => {
            let (word, len) = varint_word(value);
            // Copying all eight bytes and truncating is cheaper than a memcpy of a variable length.
            let end = out.len() + len;
            out.extend_from_slice(&word);
            out.truncate(end);
        }
        _ => encode_varint(value, out),
    }
}

/// Writes a varint at the start of `scratch`, which has at least [`VARINT_LEN_MAX`] bytes, and returns its
/// length.
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

/// Returns the varint of an integer from 1 to below [`WORD_VARINT_END`], padded with zeros to a word, and its
/// length in bytes.
#[inline]
fn varint_word(value: u64) -> ([u8; size_of::<u64>()], usize) {
    // The three steps of the table at the top of this file: blocks of 28, 14 and 7 bits.
    let word = value & 0xfff_ffff | (value & 0xfff_ffff << 28) << 4;
    let word = word & 0x3fff_0000_3fff | (word & 0xfff_c000_0fff_c000) << 2;
    let word = word & 0x7f_007f_007f_007f | (word & 0x3f80_3f80_3f80_3f80) << 1;
    let len = (u64::BITS - value.leading_zeros()).div_ceil(7);
    // All bytes below the last one.
    let continuation = 0x8080_8080_8080_8080 & ((1 << (8 * (len - 1))) - 1);
    ((word | continuation).to_le_bytes(), len as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_every_length_equal_those_of_prost() {
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
            put_double(31, Some(value as f64), &mut fields);
            prost::encoding::double::encode(31, &(value as f64), &mut expected);
        }
        assert_eq!(fields, expected);
    }

    #[test]
    fn the_length_of_a_message_may_take_one_two_or_three_bytes() {
        for len in [0, 1, 0x7f, 0x80, 0x81, 0x3fff, 0x4000] {
            let (text, mut bytes, mut expected) = (vec![7; len], vec![1, 2], vec![1, 2]);
            put_message(4, &mut bytes, |out| out.extend(&text));
            prost::encoding::bytes::encode(4, &text, &mut expected);
            assert_eq!(bytes, expected);
        }
    }
}
