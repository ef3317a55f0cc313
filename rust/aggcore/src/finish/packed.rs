//! Packed columns of an answer, written as they are worked out.
//!
//! As fields of a message they would first be laid out in memory, which for a year of five minutes takes longer
//! than working them out.

use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

/// A column of integers, gone over once for its length and once to be written.
pub struct Ints<Values> {
    values: Values,
    packed_len: usize,
}

impl<Values: Iterator<Item = i64> + Clone> Ints<Values> {
    /// Measures a column.
    pub fn new(values: Values) -> Self {
        let packed_len = values.clone().map(|value| encoded_len_varint(value as u64)).sum();
        Self { values, packed_len }
    }

    /// Bytes of the field.
    pub fn field_len(&self) -> usize {
        field_len(self.packed_len)
    }

    /// Writes the field.
    pub fn put(self, tag: u32, out: &mut Vec<u8>) {
        put_head(tag, self.packed_len, out);
        self.values.for_each(|value| match u8::try_from(value) {
            // Most counts of most bins are small.
            Ok(byte) if byte < 0x80 => out.push(byte),
            _ => encode_varint(value as u64, out),
        });
    }
}

/// Bytes of a field of so many floats.
pub fn floats_field_len(count: usize) -> usize {
    field_len(count * size_of::<f64>())
}

/// Writes a field of floats; one that has no value is NaN.
pub fn put_floats(tag: u32, values: impl ExactSizeIterator<Item = Option<f64>>, out: &mut Vec<u8>) {
    let packed_len = values.len() * size_of::<f64>();
    put_head(tag, packed_len, out);
    let start = out.len();
    out.resize(start + packed_len, 0);
    let places = out[start..].chunks_exact_mut(size_of::<f64>());
    places.zip(values).for_each(|(place, value)| place.copy_from_slice(&value.unwrap_or(f64::NAN).to_le_bytes()));
}

/// Writes what comes before the bytes of a message within a message.
pub fn put_message_head(tag: u32, len: usize, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(len as u64, out);
}

/// Writes what comes before the bytes of a column; one without entries is left out.
fn put_head(tag: u32, len: usize, out: &mut Vec<u8>) {
    if len > 0 {
        put_message_head(tag, len, out);
    }
}

/// Bytes of a column with its head, of a tag of one byte.
fn field_len(len: usize) -> usize {
    if len == 0 { 0 } else { key_len(1) + encoded_len_varint(len as u64) + len }
}
