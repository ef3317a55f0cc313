//! `WriteRecordsRequest`: one batch of records.

use super::reader::{Reader, Value, text};
use super::record::decode_record;
use crate::error::Result;
use crate::record::{Record, RejectReason, Rejection};

/// What a batch says besides its records.
#[derive(Default)]
pub struct BatchHeader<'a> {
    /// The caller's name for the batch.
    pub batch_id: Option<&'a str>,
    /// Records that may not be taken, with their position in the batch.
    pub rejected: Vec<(usize, Rejection)>,
}

/// Reads a batch and hands the records that may be taken to `take`, in order; those that `is_too_old` may not.
///
/// # Errors
/// `MalformedBatch` where the bytes are no valid message; nothing of it is taken then.
pub fn decode_batch<'a>(
    bytes: &'a [u8], is_too_old: impl Fn(&Record<'_>) -> bool, mut take: impl FnMut(&Record<'a>),
) -> Result<BatchHeader<'a>> {
    let (mut received, mut count) = (BatchHeader::default(), 0);
    let mut record = Record::default();
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.field()? {
        match (tag, value) {
            (1, Value::Bytes(bytes)) => received.batch_id = Some(text(bytes)?),
            (2, Value::Bytes(bytes)) => {
                match decode_record(bytes, &mut record)? {
                    Ok(()) if is_too_old(&record) => received.rejected.push((count, too_old())),
                    Ok(()) => take(&record),
                    Err(rejection) => received.rejected.push((count, rejection)),
                }
                count += 1;
            }
            _ => {}
        }
    }
    Ok(received)
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
            assert!(decode_batch(bytes, |_| false, |_| {}).is_err(), "{bytes:?}");
        }
        assert!(decode_batch(&[], |_| false, |_| {}).is_ok());
    }
}
