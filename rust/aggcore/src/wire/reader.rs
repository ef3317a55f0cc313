//! A zero-copy reader of the [protobuf wire format](https://protobuf.dev/programming-guides/encoding/).
//!
//! Records arrive at some 100,000 per second, each with about fifty fields, most of them text. The code that
//! prost generates would allocate a `String` for every text, only for it to be copied into a column; this
//! reader borrows the texts from the request.
//!
//! It differs from prost in three ways: it skips a field of another wire type than the contract gives it, as protobuf asks;
//! it accepts a varint with bits beyond the 64th, as protobuf's C++ parser does; and it refuses groups, which the contract has
//! never had.

use crate::error::{Error, Result};

/// The value of one field, by its wire type.
pub enum Value<'a> {
    /// A varint.
    Varint(u64),
    /// A length-delimited value: a text, a message or packed numbers.
    Bytes(&'a [u8]),
    /// A number of 8 bytes.
    Fixed64(u64),
    /// A number of 4 bytes. The contract has none, so readers skip it and its value is not read.
    Fixed32,
}

/// A cursor over the fields of a message.
pub struct Reader<'a> {
    /// Bytes from the next field on.
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Returns a reader at the first field of a message.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the number and the value of the next field, `None` at the end.
    ///
    /// # Errors
    /// `MalformedBatch` if the bytes are not a valid message.
    // Decoding spends most of its time here. Without forced inlining, each field is returned through memory.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Option<(u32, Value<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let tag = u32::try_from(key >> 3).ok().filter(|tag| (1..1 << 29).contains(tag));
        let tag = tag.ok_or_else(|| malformed("a field number is out of range"))?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.fixed64()?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| malformed("a length is out of range"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed32)?,
            _ => return Err(malformed("a wire type is not known")),
        };
        Ok(Some((tag, value)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64> {
        // Fast paths: keys, lengths and small numbers have one or two bytes.
        match *self.rest {
            [low @ ..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(low))
            }
            [low, high @ ..0x80, ref rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    /// Reads a varint of up to ten bytes and drops its bits beyond the 64th, as protobuf's C++ parser does.
    ///
    /// `prost::encoding::decode_varint` rejects a tenth byte above 1, so it would refuse batches that are
    /// valid here.
    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(malformed("a number does not end"))
    }

    fn fixed64(&mut self) -> Result<Value<'a>> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| malformed("a field is cut short"))?;
        self.rest = rest;
        Ok(Value::Fixed64(u64::from_le_bytes(*bytes)))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| malformed("a field is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Returns bytes as text.
///
/// # Errors
/// `MalformedBatch` if the bytes are not UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| malformed("a text is no UTF-8"))
}

fn malformed(problem: &str) -> Error {
    Error::MalformedBatch(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length up to 11 bytes with every last byte, so complete, cut short and too long ones.
    fn varints() -> impl Iterator<Item = Vec<u8>> {
        let continued = |length: usize| (0..length).map(|i| 0x80 | (i * 37 + length) as u8).collect::<Vec<u8>>();
        (0..=10).flat_map(move |length| (0..=0xff).map(move |last| [continued(length), vec![last]].concat()))
    }

    #[test]
    fn varints_decode_as_in_prost_except_for_bits_beyond_64() {
        for bytes in varints() {
            let mut reader = Reader::new(&bytes);
            let (ours, mut rest) = (reader.varint().ok(), bytes.as_slice());
            match prost::encoding::decode_varint(&mut rest) {
                Ok(value) => assert_eq!((ours, reader.rest), (Some(value), rest), "{bytes:x?}"),
                // The tenth byte has bit 63 of the value in its lowest bit; prost rejects the bits above it.
                Err(_) => assert_eq!(ours.is_some(), bytes.len() == 10 && (2..0x80).contains(&bytes[9]), "{bytes:x?}"),
            }
        }
    }
}
