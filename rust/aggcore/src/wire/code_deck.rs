//! Decodes `PutCodeDeckRequest`, one code deck.

use super::reader::{Reader, Value, text};
use crate::error::{Error, Result};

/// One destination of a code deck; name and country are empty if they are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeDeckEntry<'a> {
    /// The dial code: digits, without a leading `+`.
    pub code: &'a str,
    /// Name of the destination.
    pub name: &'a str,
    /// Country of the destination.
    pub country: &'a str,
}

/// A request whose entries are counted and not decoded yet.
pub struct CodeDeckMessage<'a> {
    /// Id of the deck; `None` if it is absent.
    pub id: Option<i64>,
    /// Number of entries.
    pub entry_count: usize,
    bytes: &'a [u8],
}

impl<'a> CodeDeckMessage<'a> {
    /// Counts the entries of a request, so that the caller can refuse it before looking at them.
    ///
    /// # Errors
    /// `MalformedRequest` if the bytes are not a valid message.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut message = Self { id: None, entry_count: 0, bytes };
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.field().map_err(Error::of_request)? {
            match field {
                (1, Value::Varint(bits)) => message.id = Some(bits as i64),
                (2, Value::Bytes(_)) => message.entry_count += 1,
                _ => {}
            }
        }
        Ok(message)
    }

    /// Decodes the entries and passes each to `take`, in order.
    ///
    /// # Errors
    /// `MalformedRequest` if an entry is not a valid message; `take` may have received some entries by then.
    pub fn for_each_entry(&self, mut take: impl FnMut(CodeDeckEntry<'a>)) -> Result<()> {
        let mut reader = Reader::new(self.bytes);
        while let Some(field) = reader.field().map_err(Error::of_request)? {
            if let (2, Value::Bytes(bytes)) = field {
                take(decode_entry(bytes).map_err(Error::of_request)?);
            }
        }
        Ok(())
    }
}

fn decode_entry(bytes: &[u8]) -> Result<CodeDeckEntry<'_>> {
    let mut entry = CodeDeckEntry::default();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.field()? {
        match field {
            (1, Value::Bytes(bytes)) => entry.code = text(bytes)?,
            (2, Value::Bytes(bytes)) => entry.name = text(bytes)?,
            (3, Value::Bytes(bytes)) => entry.country = text(bytes)?,
            _ => {}
        }
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_field_counts_and_unknown_fields_are_skipped() -> Result<()> {
        let bytes = [0x08, 2, 0x12, 7, 0x0a, 1, b'1', 0x0a, 2, b'4', b'9', 0x08, 7, 0x1a, 0, 0x12, 0];
        let (message, mut entries) = (CodeDeckMessage::new(&bytes)?, Vec::new());
        message.for_each_entry(|entry| entries.push(entry))?;
        assert_eq!((message.id, message.entry_count), (Some(7), 2));
        assert_eq!(entries, [CodeDeckEntry { code: "49", ..Default::default() }, CodeDeckEntry::default()]);
        Ok(())
    }

    #[test]
    fn a_request_with_malformed_bytes_fails() {
        let bad: [&[u8]; 4] = [&[0x12, 0x05, 0x00], &[0xff], &[0x12, 0x03, 0x0a, 0x01, 0xff], &[0x12, 0x01, 0x07]];
        for bytes in bad {
            let entries = CodeDeckMessage::new(bytes).and_then(|message| message.for_each_entry(|_| {}));
            assert!(matches!(entries, Err(Error::MalformedRequest(_))), "{bytes:?}");
        }
    }
}
