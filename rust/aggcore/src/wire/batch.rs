//! Decodes `WriteRecordsRequest`, one batch of records, validates each record, and encodes the answer.

use std::collections::{BTreeMap, HashMap};

use prost::Message;

use super::reader::{Reader, Value, text};
use super::record::decode_record;
use super::v1::{RejectedRecord, WriteRecordsResponse};
use crate::error::{Error, Result};
use crate::record::data_scope::{DataScope, OutsideValue};
use crate::record::new_record::NewRecordRules;
use crate::record::schema::{ABSENT, int_slot};
use crate::record::{Record, RejectReason, Rejection, TEXT_BYTES_MAX};

/// The result of decoding a batch, besides its valid records.
#[derive(Default)]
pub struct BatchHeader<'a> {
    /// The caller's name for the batch, which the response repeats.
    pub batch_id: Option<&'a str>,
    /// Rejected records.
    pub rejected: Rejections,
}

/// The rejected records of a batch as its answer has them: as objects they would take several times the memory,
/// for as long as the client does not read the answer. Beside them, the number of the rejected values of other records.
#[derive(Clone, Default)]
pub struct Rejections {
    /// The field `rejected` of the answer.
    pub encoded: Vec<u8>,
    /// Number of the records by source and reason. Those of more sources than [`NAMED_SOURCE_COUNT_MAX`] are together
    /// under "", with those whose source is longer than one may be.
    pub counts: HashMap<Box<str>, BTreeMap<RejectReason, usize>>,
    /// Number of the other records by source whose alert time was dropped, as it contradicts the setup or the answer.
    /// Sources are named as in `counts`.
    pub dropped_alert_times: HashMap<Box<str>, usize>,
}

/// Sources of one batch whose rejected records are counted by name: an answer that is not read holds their names.
pub const NAMED_SOURCE_COUNT_MAX: usize = 1_000;

impl Rejections {
    /// Appends the record of a source at a position in the batch, from 0.
    fn push(&mut self, index: usize, source: &str, rejection: Rejection) {
        self.count(source, rejection.reason, 1);
        let (reason, description) = (Some(rejection.reason as i32), Some(rejection.description));
        let record = RejectedRecord { index: Some(index as i64), reason, description };
        self.encode(&record);
    }

    fn count(&mut self, source: &str, reason: RejectReason, count: usize) {
        *of_source(&mut self.counts, source).entry(reason).or_default() += count;
    }

    /// Number of records whose alert time was dropped.
    pub fn dropped_alert_time_count(&self) -> usize {
        self.dropped_alert_times.values().sum()
    }

    fn encode(&mut self, record: &RejectedRecord) {
        prost::encoding::message::encode(REJECTED, record, &mut self.encoded);
    }

    /// Returns these and further ones, in the order of the batch. `rows` has the further ones, each by its position among
    /// the records that are not rejected yet, ascending, and with its source.
    pub fn with_rows(&self, rows: Vec<(usize, &str, Rejection)>) -> Self {
        let before = self.records();
        let (mut all, mut passed) = (Self { encoded: Vec::new(), ..self.clone() }, 0);
        for (row, source, rejection) in rows {
            while let Some(record) = before.get(passed).filter(|record| record.index <= Some((row + passed) as i64)) {
                all.encode(record);
                passed += 1;
            }
            all.push(row + passed, source, rejection);
        }
        before[passed..].iter().for_each(|record| all.encode(record));
        all
    }

    /// Decodes the records.
    pub fn records(&self) -> Vec<RejectedRecord> {
        WriteRecordsResponse::decode(self.encoded.as_slice()).map(|answer| answer.rejected).unwrap_or_default()
    }
}

/// The count of a source, or, if it has no name in the counts, that of the empty name.
fn of_source<'a, T: Default>(counts: &'a mut HashMap<Box<str>, T>, source: &str) -> &'a mut T {
    let is_named = source.len() <= TEXT_BYTES_MAX && (counts.contains_key(source) || counts.len() < NAMED_SOURCE_COUNT_MAX);
    counts.entry(if is_named { source } else { "" }.into()).or_default()
}

/// Number of the field `rejected` of `WriteRecordsResponse`.
const REJECTED: u32 = 5;

/// What a batch says of all its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchOutline {
    /// Number of records.
    pub record_count: usize,
    /// Whether a store had them before, so that rules for new records do not apply.
    pub accepts_stored: bool,
    /// Whether they are corrections.
    pub corrects: bool,
}

impl BatchOutline {
    /// Returns why a valid record is not taken in such a batch, whatever a store has.
    pub fn rejection(&self, record: &Record<'_>, rules: &NewRecordRules) -> Option<Rejection> {
        if self.corrects && record.ints[int_slot::EVENT] != ABSENT {
            let description = "event: only whole records can be corrected, and this is an event";
            return Some(Rejection::new(RejectReason::EventInCorrection, description));
        }
        if self.corrects && !record.is_finished() {
            // The END event of the session would rank below its correction, and have no effect.
            let description = "end_time is missing: only sessions that have ended can be corrected";
            return Some(Rejection::new(RejectReason::MissingEndTime, description));
        }
        if self.accepts_stored { None } else { rules.rejection(record) }
    }
}

/// Limits of one batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Maximum number of records.
    pub rows: usize,
    /// Maximum bytes of the id.
    pub id_bytes: usize,
}

/// Reads the outline of a batch, without looking at the records.
///
/// # Errors
/// `MalformedBatch` if the bytes are not a valid message, `BatchLimit`, `BatchIdLength`.
pub fn outline(bytes: &[u8], limits: BatchLimits) -> Result<BatchOutline> {
    let (mut outline, mut id_bytes, mut reader) = (BatchOutline::default(), 0, Reader::new(bytes));
    while let Some(field) = reader.field()? {
        match field {
            (1, Value::Bytes(id)) => id_bytes = id.len(),
            (2, Value::Bytes(_)) => outline.record_count += 1,
            (3, Value::Varint(bits)) => outline.corrects = bits != 0,
            (5, Value::Varint(bits)) => outline.accepts_stored = bits != 0,
            _ => {}
        }
    }
    if outline.record_count > limits.rows {
        return Err(Error::BatchLimit { asked: outline.record_count, allowed: limits.rows });
    }
    if id_bytes > limits.id_bytes {
        return Err(Error::BatchIdLength { asked: id_bytes, allowed: limits.id_bytes });
    }
    Ok(outline)
}

/// Returns the `WriteRecordsResponse` of a batch without its rejected records, which follow as they are. `counts` are the
/// accepted, replaced, duplicate, outranked and suspected records, and the dropped alert times.
pub fn encode_response_head(batch_id: Option<&str>, counts: [usize; 6]) -> Vec<u8> {
    let batch_id = batch_id.map(str::to_owned);
    let [accepted, replaced, duplicates, outranked, suspected_reuse, dropped_alert_times] =
        counts.map(|count| Some(count as i64));
    let answer = WriteRecordsResponse {
        batch_id,
        accepted,
        replaced,
        duplicates,
        rejected: Vec::new(),
        outranked,
        suspected_reuse,
        dropped_alert_times: dropped_alert_times.filter(|&count| count > 0),
    };
    answer.encode_to_vec()
}

/// Decodes a batch and passes each valid record to `take`, in order and with its position from 0, unless `reject` rejects it.
/// Alert times out of order are dropped before.
///
/// Fields with unknown numbers or unexpected wire types are skipped, as protobuf requires.
///
/// # Errors
/// `MalformedBatch` if the bytes are not a valid message. `take` may have received some records by
/// then; the caller must drop them, as a batch is accepted or refused as a whole.
pub fn decode_batch<'a>(
    bytes: &'a [u8], reject: impl Fn(&Record<'_>) -> Option<Rejection>, mut take: impl FnMut(usize, &Record<'a>),
) -> Result<BatchHeader<'a>> {
    let (mut header, mut count) = (BatchHeader::default(), 0);
    let mut record = Record::default();
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.field()? {
        match (tag, value) {
            (1, Value::Bytes(bytes)) => header.batch_id = Some(text(bytes)?),
            (2, Value::Bytes(bytes)) => {
                let valid = decode_record(bytes, &mut record)?;
                let drops_alert = record.drop_alert_out_of_order();
                match valid.and_then(|()| reject(&record).map_or(Ok(()), Err)) {
                    Ok(()) => {
                        take(count, &record);
                        if drops_alert {
                            *of_source(&mut header.rejected.dropped_alert_times, record.source()) += 1;
                        }
                    }
                    Err(rejection) => header.rejected.push(count, record.source(), rejection),
                }
                count += 1;
            }
            _ => {}
        }
    }
    header.rejected.encoded.shrink_to_fit();
    Ok(header)
}

/// Returns the first record that is outside a data scope, by its position in the batch, and what puts it outside. Records that
/// break a rule count too: whoever sends a record of others learns nothing of it, not even why it would be rejected.
///
/// # Errors
/// `MalformedBatch` if the bytes up to this record are not a valid message.
pub fn record_outside(bytes: &[u8], scope: &DataScope) -> Result<Option<(usize, OutsideValue)>> {
    let (mut record, mut count, mut reader) = (Record::default(), 0, Reader::new(bytes));
    while let Some(field) = reader.field()? {
        let (2, Value::Bytes(bytes)) = field else { continue };
        let _ = decode_record(bytes, &mut record)?;
        if let Some(outside) = scope.outside(&record) {
            return Ok(Some((count, outside)));
        }
        count += 1;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RejectReason;

    #[test]
    fn a_batch_with_malformed_bytes_fails() {
        let bad: [&[u8]; 5] = [&[0x12, 0x05, 0x00], &[0xff], &[0x0a, 0x01, 0xff], &[0x12, 0x03, 0x12, 0x01, 0xff], &[0x07]];
        for bytes in bad {
            assert!(decode_batch(bytes, |_| None, |_, _| {}).is_err(), "{bytes:?}");
        }
        assert!(decode_batch(&[], |_| None, |_, _| {}).is_ok());
    }

    #[test]
    fn the_outline_of_a_batch_is_within_its_limits() -> Result<()> {
        let limits = BatchLimits { rows: 2, id_bytes: 1 };
        assert_eq!(outline(&[0x12, 0, 0x0a, 1, b'b', 0x12, 3, 0x12, 1, b'a'], limits)?.record_count, 2);
        assert_eq!(
            outline(&[0x28, 1, 0x12, 0], limits)?,
            BatchOutline { record_count: 1, accepts_stored: true, corrects: false }
        );
        assert_eq!(
            outline(&[0x18, 1, 0x12, 0], limits)?,
            BatchOutline { record_count: 1, accepts_stored: false, corrects: true }
        );
        assert!(!outline(&[0x28, 1, 0x28, 0], limits)?.accepts_stored);
        assert!(matches!(outline(&[0x12, 0, 0x12, 0, 0x12, 0], limits), Err(Error::BatchLimit { asked: 3, allowed: 2 })));
        assert!(matches!(outline(&[0x0a, 2, b'b', b'b'], limits), Err(Error::BatchIdLength { asked: 2, allowed: 1 })));
        // The last id of a message is the one that counts.
        assert!(outline(&[0x0a, 2, b'b', b'b', 0x0a, 0], limits).is_ok());
        Ok(())
    }

    #[test]
    fn the_value_that_would_be_stored_decides_whether_a_record_is_outside() -> Result<()> {
        let scope = DataScope::default().with_texts("source", vec!["a".to_owned()]).with_integers("tenant_id", vec![1]);
        let outside = |records: &[&[u8]]| {
            let bytes: Vec<u8> = records.iter().flat_map(|record| [&[0x12, record.len() as u8], *record].concat()).collect();
            let found = record_outside(&bytes, &scope)?;
            Ok::<_, Error>(found.map(|(index, outside)| (index, outside.field, outside.value)))
        };
        let inside: &[u8] = &[0x0a, 1, b'a', 0x58, 1];
        let found = |index, field, value: &str| Some((index, field, value.to_owned()));
        assert_eq!(outside(&[inside, inside])?, None);
        assert_eq!(outside(&[inside, &[0x58, 1], inside])?, found(1, "source", ""));
        // The last occurrence of a field counts, one of another wire type does not, and unknown fields are skipped.
        assert_eq!(outside(&[&[0x0a, 1, b'b', 0x58, 2, 0x0a, 1, b'a', 0x58, 1]])?, None);
        assert_eq!(outside(&[&[0x0a, 1, b'a', 0x58, 1, 0x0a, 1, b'b']])?, found(0, "source", "b"));
        assert_eq!(outside(&[&[0x0a, 1, b'a', 0x58, 1, 0x58, 2]])?, found(0, "tenant_id", "2"));
        assert_eq!(outside(&[&[0x0a, 1, b'a', 0x5a, 1, 1]])?, found(0, "tenant_id", ""));
        assert_eq!(outside(&[&[0x0a, 1, b'a', 0x58, 1, 0xfa, 0x0f, 1, b'b', 0x5a, 1, 2]])?, None);
        // A record that would be rejected, as it has neither an id nor a setup time, is outside all the same.
        assert_eq!(outside(&[inside, &[0x0a, 1, b'c', 0x58, 1]])?, found(1, "source", "c"));
        assert!(record_outside(&[0x12, 5, 0], &scope).is_err());
        Ok(())
    }

    #[test]
    fn later_rejections_are_sorted_in() {
        let rejection = || Rejection::new(RejectReason::NumberOutOfRange, "");
        for before in 0_u32..64 {
            for later in 0_u32..64 {
                let (mut first, mut all) = (Rejections::default(), Rejections::default());
                let (mut row, mut rows) = (0, Vec::new());
                for index in 0..6 {
                    if before >> index & 1 == 1 {
                        first.push(index, "a", rejection());
                        all.push(index, "a", rejection());
                        continue;
                    }
                    if later >> index & 1 == 1 {
                        rows.push((row, "b", rejection()));
                        all.push(index, "b", rejection());
                    }
                    row += 1;
                }
                let found = first.with_rows(rows);
                assert_eq!((found.encoded, found.counts), (all.encoded, all.counts), "{before:b} {later:b}");
            }
        }
    }

    #[test]
    fn rejected_records_are_counted_by_source_and_reason() -> Result<()> {
        // One without a source, and three of the source "x", of which the last has a session id.
        let unnamed: &[u8] = &[0x12, 0];
        let of_x: &[u8] = &[0x12, 3, 0x0a, 1, b'x'];
        let without_time: &[u8] = &[0x12, 6, 0x0a, 1, b'x', 0x12, 1, b'i'];
        let bytes = [unnamed, of_x, of_x, without_time].concat();
        let batch = decode_batch(&bytes, |_| None, |_, _| {})?;
        let counts = |pairs: &[(RejectReason, usize)]| pairs.iter().copied().collect::<BTreeMap<_, _>>();
        let expected = HashMap::from([
            ("".into(), counts(&[(RejectReason::MissingSessionId, 1)])),
            ("x".into(), counts(&[(RejectReason::MissingSessionId, 2), (RejectReason::MissingSetupTime, 1)])),
        ]);
        assert_eq!(batch.rejected.counts, expected);
        Ok(())
    }

    #[test]
    fn alert_times_out_of_order_are_dropped_and_counted_by_source() -> Result<()> {
        // Times are seconds: setup 10, alert, answer 20. The fourth record is rejected for its missing id.
        let record = |id: &str, alert: u8| {
            let mut bytes = vec![0x0a, 1, b'x', 0x32, 2, 8, 10, 0x3a, 2, 8, 20, 0xc2, 3, 2, 8, alert];
            bytes.extend([0x12, id.len() as u8].iter().chain(id.as_bytes()));
            [&[0x12, bytes.len() as u8], bytes.as_slice()].concat()
        };
        let bytes = [record("a", 9), record("b", 15), record("c", 21), record("", 21)].concat();
        let mut alerts = Vec::new();
        let batch = decode_batch(&bytes, |_| None, |_, record| alerts.push(record.ints[int_slot::ALERT_TIME]))?;
        assert_eq!(alerts, [ABSENT, 15_000_000, ABSENT]);
        assert_eq!(batch.rejected.dropped_alert_times, HashMap::from([("x".into(), 2)]));
        assert_eq!((batch.rejected.dropped_alert_time_count(), batch.rejected.counts.len()), (2, 1));
        Ok(())
    }

    #[test]
    fn a_batch_names_a_limited_number_of_sources_of_rejected_records() {
        let mut rejections = Rejections::default();
        for number in 0..NAMED_SOURCE_COUNT_MAX + 5 {
            rejections.count(&format!("s{number}"), RejectReason::Deleted, 1);
        }
        rejections.count("s0", RejectReason::Deleted, 1);
        assert_eq!(rejections.counts.len(), NAMED_SOURCE_COUNT_MAX + 1);
        assert_eq!(rejections.counts["s0"][&RejectReason::Deleted], 2);
        assert_eq!(rejections.counts[""][&RejectReason::Deleted], 5);
    }

    #[test]
    fn a_source_that_is_too_long_is_not_named() {
        let mut rejections = Rejections::default();
        for length in [TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1] {
            rejections.count(&"s".repeat(length), RejectReason::TextTooLong, 1);
        }
        let lengths: Vec<_> = rejections.counts.keys().map(|source| source.len()).collect();
        assert_eq!(lengths.iter().max(), Some(&TEXT_BYTES_MAX));
        assert_eq!(rejections.counts[""][&RejectReason::TextTooLong], 1);
    }

    #[test]
    fn an_answer_has_the_bytes_of_its_message() -> Result<()> {
        // The second record has the session id "a" and lacks its setup time.
        let batch = decode_batch(&[0x12, 0, 0x0a, 1, b'b', 0x12, 3, 0x12, 1, b'a'], |_| None, |_, _| {})?;
        let rejected = |index, reason: RejectReason, description: &str| RejectedRecord {
            index: Some(index),
            reason: Some(reason as i32),
            description: Some(description.to_owned()),
        };
        let answer = WriteRecordsResponse {
            batch_id: Some("b".to_owned()),
            accepted: Some(0),
            replaced: Some(1 << 40),
            duplicates: Some(2),
            outranked: Some(1),
            suspected_reuse: Some(0),
            dropped_alert_times: Some(3),
            rejected: vec![
                rejected(0, RejectReason::MissingSessionId, "session_id is required"),
                rejected(1, RejectReason::MissingSetupTime, "setup_time is required"),
            ],
        };
        let head = encode_response_head(batch.batch_id, [0, 1 << 40, 2, 1, 0, 3]);
        let bytes = [head, batch.rejected.encoded.clone()].concat();
        assert_eq!(WriteRecordsResponse::decode(bytes.as_slice()).ok(), Some(answer.clone()));
        assert_eq!(batch.rejected.records(), answer.rejected);
        Ok(())
    }
}
