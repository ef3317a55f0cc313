//! Decodes `SessionRecord` from the wire, and encodes it in one canonical form.

use prost::encoding::{WireType, encode_key, encode_varint};

use super::reader::{Reader, Value, text};
use crate::error::Result;
use crate::record::price::{format_price, parse_price};
use crate::record::schema::{ABSENT, FIELDS, Field, FieldType, INT_COUNT};
use crate::record::scrubbing::IS_SCRUBBED;
use crate::record::{EVENT_END, Record, RejectReason, Rejection, TIME_END_US};

/// Decodes and validates one record into `record`, whose previous content is cleared.
///
/// The inner result is the first rule that the record breaks. Such a record is rejected, the rest of its
/// batch is not.
///
/// # Errors
/// `MalformedBatch` if the bytes are not a valid message.
pub fn decode_record<'a>(bytes: &'a [u8], record: &mut Record<'a>) -> Result<std::result::Result<(), Rejection>> {
    *record = Record::default();
    let problem = decode_fields(bytes, record)?;
    Ok(problem.map_or_else(|| record.validate(), Err))
}

/// Decodes bytes of [`encode_record`] without validation, as the record may lack required fields.
///
/// Returns a record without fields if the bytes are malformed.
pub fn decode_partial(bytes: &[u8]) -> Record<'_> {
    let mut record = Record::default();
    match decode_fields(bytes, &mut record) {
        Ok(_) => record,
        Err(_) => Record::default(),
    }
}

/// Decodes bytes of [`encode_record`], of a record that was merged: it may break a rule for versions. `None` if they have
/// a field, or a value of one, that is not known.
pub fn decode_whole(bytes: &[u8]) -> Option<Record<'_>> {
    let mut reader = Reader::new(bytes);
    while let Some((tag, _)) = reader.field().ok()? {
        FIELDS.get(tag as usize - 1)?;
    }
    let mut record = Record::default();
    decode_fields(bytes, &mut record).ok()?.is_none().then_some(record)
}

/// Sets the fields that the bytes have. Returns the rejection for the first field, by number, whose value is out of its
/// domain.
fn decode_fields<'a>(bytes: &'a [u8], record: &mut Record<'a>) -> Result<Option<Rejection>> {
    // Later values of a field replace earlier ones, which a single pass does not do in these two cases.
    let mut is_second_pass_needed = false;
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.field()? {
        let Some(field) = FIELDS.get(tag as usize - 1) else { continue };
        match (field.field_type, value) {
            (FieldType::DictionaryText | FieldType::Text, Value::Bytes(bytes)) => {
                record.strings[Record::string_slot(field)] = text(bytes)?;
            }
            (field_type, value) => {
                is_second_pass_needed |= field_type == FieldType::Time && record.ints[field.slot] != ABSENT;
                match integer(field, field_type, value)? {
                    Some(Ok(value)) => record.ints[field.slot] = value,
                    Some(Err(_)) => is_second_pass_needed = true,
                    None => {}
                }
            }
        }
    }
    if is_second_pass_needed { decode_integers(bytes, record) } else { Ok(None) }
}

/// Sets the integer fields anew, for a message in which a time occurs twice or a value is out of its domain: protobuf merges
/// the parts of a repeated message, and the last value of any other field decides, also whether it is valid.
#[cold]
fn decode_integers(bytes: &[u8], record: &mut Record<'_>) -> Result<Option<Rejection>> {
    let mut values: [std::result::Result<i64, Rejection>; INT_COUNT] = [const { Ok(ABSENT) }; INT_COUNT];
    let mut times = [Timestamp::default(); INT_COUNT];
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.field()? {
        let Some(field) = FIELDS.get(tag as usize - 1) else { continue };
        if let (FieldType::Time, Value::Bytes(bytes)) = (field.field_type, &value) {
            times[field.slot].merge(bytes)?;
            values[field.slot] = times[field.slot].us(field);
        } else if let Some(decoded) = integer(field, field.field_type, value)? {
            values[field.slot] = decoded;
        }
    }
    let mut problem = None;
    for (stored, decoded) in record.ints.iter_mut().zip(values) {
        match decoded {
            Ok(value) => *stored = value,
            Err(rejection) => problem = problem.or(Some(rejection)),
        }
    }
    Ok(problem)
}

/// Decodes an integer field; `None` if the wire type is not that of the field, which protobuf skips.
fn integer(field: &Field, field_type: FieldType, value: Value<'_>) -> Result<Option<std::result::Result<i64, Rejection>>> {
    Ok(match (field_type, value) {
        (FieldType::Integer, Value::Varint(bits)) => Some(match bits as i64 {
            ABSENT => Err(reject(RejectReason::NumberOutOfRange, field, "is out of range")),
            number => Ok(number),
        }),
        (FieldType::Hash, Value::Fixed64(bits)) => Some(match bits as i64 {
            ABSENT => Err(reject(RejectReason::NumberOutOfRange, field, "is out of range")),
            hash => Ok(hash),
        }),
        (FieldType::Flag, Value::Varint(bits)) => Some(Ok(i64::from(bits != 0))),
        (FieldType::Enum, Value::Varint(bits)) => Some(enumerated(field, i64::from(bits as i32))),
        (FieldType::Price, Value::Bytes(bytes)) => match text(bytes)? {
            "" => Some(Ok(ABSENT)),
            price => Some(parse_price(price).ok_or_else(|| {
                reject(RejectReason::BadPrice, field, "is no decimal number of at most 9 decimals within 9223372036")
            })),
        },
        (FieldType::Time, Value::Bytes(bytes)) => {
            let mut time = Timestamp::default();
            time.merge(bytes)?;
            Some(time.us(field))
        }
        (FieldType::Integer | FieldType::Hash | FieldType::Flag | FieldType::Enum | FieldType::Time | FieldType::Price, _) => {
            None
        }
        (FieldType::DictionaryText | FieldType::Text, _) => None,
    })
}

/// Decodes an enum or `part_class`: all have the numbers 0 (unspecified, the same as absent) to 3.
fn enumerated(field: &Field, number: i64) -> std::result::Result<i64, Rejection> {
    match number {
        0 => Ok(ABSENT),
        1..=EVENT_END => Ok(number),
        _ => Err(reject(RejectReason::UnknownEnumValue, field, "has a number that is not known")),
    }
}

/// A `google.protobuf.Timestamp`.
#[derive(Clone, Copy, Default)]
struct Timestamp {
    seconds: i64,
    nanos: i64,
}

impl Timestamp {
    /// Sets the fields that the bytes have.
    fn merge(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        while let Some((tag, value)) = reader.field()? {
            match (tag, value) {
                (1, Value::Varint(bits)) => self.seconds = bits as i64,
                (2, Value::Varint(bits)) => self.nanos = i64::from(bits as i32),
                _ => {}
            }
        }
        Ok(())
    }

    /// Microseconds UTC, rounded down. Rejects a time outside [1970, 2200) and nanoseconds outside [0, 10^9).
    fn us(self, field: &Field) -> std::result::Result<i64, Rejection> {
        let in_range = (0..1_000_000_000).contains(&self.nanos) && (0..TIME_END_US / 1_000_000).contains(&self.seconds);
        let outside = || reject(RejectReason::TimeOutOfRange, field, "is outside [1970-01-01Z, 2200-01-01Z)");
        if in_range { Ok(self.seconds * 1_000_000 + self.nanos / 1_000) } else { Err(outside()) }
    }
}

fn reject(reason: RejectReason, field: &Field, problem: &str) -> Rejection {
    Rejection::new(reason, format!("{} {problem}", field.name))
}

/// Appends the canonical form of a record: present fields by ascending number, times in whole microseconds,
/// prices in their shortest form. Equal records have equal bytes, so a hash of the bytes is a hash of the
/// content.
pub fn encode_record(record: &Record<'_>, out: &mut Vec<u8>) {
    encode_fields(record, |_| true, out);
}

/// Appends the fields that `wanted` selects by their index in [`FIELDS`].
fn encode_fields(record: &Record<'_>, wanted: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    for (index, field) in FIELDS.iter().enumerate().filter(|(index, _)| wanted(*index)) {
        let tag = Field::tag(index);
        if field.is_string() {
            put_text(tag, record.strings[Record::string_slot(field)], out);
            continue;
        }
        match (field.field_type, record.ints[field.slot]) {
            (_, ABSENT) => {}
            (FieldType::Time, us) => put_time(tag, us, out),
            (FieldType::Hash, bits) => {
                encode_key(tag, WireType::SixtyFourBit, out);
                out.extend_from_slice(&bits.to_le_bytes());
            }
            (FieldType::Price, units) => put_text(tag, &format_price(units), out),
            (_, number) => {
                encode_key(tag, WireType::Varint, out);
                encode_varint(number as u64, out);
            }
        }
    }
}

/// Appends the canonical form of all that scrubbing never changes, then that of the other fields. Returns the length of the
/// former.
pub fn encode_lasting_first(record: &Record<'_>, out: &mut Vec<u8>) -> usize {
    encode_fields(record, |index| !IS_SCRUBBED[index], out);
    let length = out.len();
    encode_fields(record, |index| IS_SCRUBBED[index], out);
    length
}

/// Appends a text field, unless it is absent.
fn put_text(tag: u32, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        encode_key(tag, WireType::LengthDelimited, out);
        encode_varint(text.len() as u64, out);
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends a `google.protobuf.Timestamp` field.
fn put_time(tag: u32, us: i64, out: &mut Vec<u8>) {
    let mut message = Vec::with_capacity(16);
    for (number_tag, number) in [(1, us.div_euclid(1_000_000)), (2, us.rem_euclid(1_000_000) * 1_000)] {
        if number != 0 {
            encode_key(number_tag, WireType::Varint, &mut message);
            encode_varint(number as u64, &mut message);
        }
    }
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(message.len() as u64, out);
    out.extend_from_slice(&message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::int_slot;

    #[test]
    fn canonical_form_decodes_to_the_same_record() {
        let mut record = Record { ints: [1; INT_COUNT], strings: std::array::from_fn(|_| "x") };
        record.ints[int_slot::SIP_STATUS] = 200;
        record.ints[int_slot::SETUP_TIME] = 0;
        record.ints[int_slot::ANSWER_TIME] = 1;
        record.ints[int_slot::END_TIME] = 1_774_746_000_123_456;
        let mut bytes = Vec::new();
        encode_record(&record, &mut bytes);
        let mut back = Record::default();
        assert!(matches!(decode_record(&bytes, &mut back), Ok(Ok(()))));
        assert_eq!(back, record);
    }
}
