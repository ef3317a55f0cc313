//! Decodes `WriteRecordsRequest`, one batch of records, and validates each record.

use super::reader::{Reader, Value, text};
use super::record::decode_record;
use crate::error::Result;
use crate::record::{Record, RejectReason, Rejection};

/// The result of decoding a batch, besides its valid records.
#[derive(Default)]
pub struct BatchHeader<'a> {
    /// The caller's name for the batch, which the response repeats.
    pub batch_id: Option<&'a str>,
    /// Rejected records, by position in the batch from 0.
    pub rejected: Vec<(usize, Rejection)>,
}

/// Decodes a batch and passes each valid record to `take`, in order. Records that `is_too_old` are rejected.
///
/// Fields with unknown numbers or unexpected wire types are skipped, as protobuf requires.
///
/// # Errors
/// `MalformedBatch` if the bytes are not a valid message. `take` may have received some records by
/// then; the caller must drop them, as a batch is accepted or refused as a whole.
pub fn decode_batch<'a>(
    bytes: &'a [u8], is_too_old: impl Fn(&Record<'_>) -> bool, mut take: impl FnMut(&Record<'a>),
) -> Result<BatchHeader<'a>> {
    let (mut header, mut count) = (BatchHeader::default(), 0);
    let mut record = Record::default();
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.field()? {
        match (tag, value) {
            (1, Value::Bytes(bytes)) => header.batch_id = Some(text(bytes)?),
            (2, Value::Bytes(bytes)) => {
                match decode_record(bytes, &mut record)? {
                    Ok(()) if is_too_old(&record) => header.rejected.push((count, too_old())),
                    Ok(()) => take(&record),
                    Err(rejection) => header.rejected.push((count, rejection)),
                }
                count += 1;
            }
            _ => {}
        }
    }
    Ok(header)
}

fn too_old() -> Rejection {
    Rejection::new(RejectReason::BeforeRetention, "setup_time is before the days that are kept")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_with_malformed_bytes_fails() {
        let bad: [&[u8]; 5] = [&[0x12, 0x05, 0x00], &[0xff], &[0x0a, 0x01, 0xff], &[0x12, 0x03, 0x12, 0x01, 0xff], &[0x07]];
        for bytes in bad {
            assert!(decode_batch(bytes, |_| false, |_| {}).is_err(), "{bytes:?}");
        }
        assert!(decode_batch(&[], |_| false, |_| {}).is_ok());
    }
}
