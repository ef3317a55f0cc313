//! `WriteRecordsRequest`: one batch of records.

use super::reader::{Reader, Value, text};
use super::record::decode_record;
use crate::error::Result;
use crate::record::{Record, RejectReason, Rejection};

/// A batch as received: its records borrow from the bytes.
pub struct RawBatch<'a> {
    /// The caller's name for the batch.
    pub batch_id: Option<&'a str>,
    /// The records that may be taken, in order.
    pub records: Vec<Record<'a>>,
    /// The others, with their position in the batch.
    pub rejected: Vec<(usize, Rejection)>,
}

/// Reads a batch; records that `is_too_old` are rejected.
///
/// # Errors
/// `MalformedBatch` where the bytes are no valid message; nothing of it is taken then.
pub fn decode_batch(bytes: &[u8], is_too_old: impl Fn(&Record<'_>) -> bool) -> Result<RawBatch<'_>> {
    let mut batch = RawBatch { batch_id: None, records: Vec::new(), rejected: Vec::new() };
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.field()? {
        match (tag, value) {
            (1, Value::Bytes(bytes)) => batch.batch_id = Some(text(bytes)?),
            (2, Value::Bytes(bytes)) => {
                let index = batch.records.len() + batch.rejected.len();
                match decode_record(bytes)?.and_then(|record| if is_too_old(&record) { Err(too_old()) } else { Ok(record) }) {
                    Ok(record) => batch.records.push(record),
                    Err(rejection) => batch.rejected.push((index, rejection)),
                }
            }
            _ => {}
        }
    }
    Ok(batch)
}

fn too_old() -> Rejection {
    Rejection::new(RejectReason::BeforeRetention, "setup_time is before the days that are kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_message_refuse_the_batch() {
        let bad: [&[u8]; 5] = [&[0x12, 0x05, 0x00], &[0xff], &[0x0a, 0x01, 0xff], &[0x12, 0x03, 0x12, 0x01, 0xff], &[0x07]];
        for bytes in bad {
            assert!(decode_batch(bytes, |_| false).is_err(), "{bytes:?}");
        }
        assert!(decode_batch(&[], |_| false).is_ok());
    }
}
