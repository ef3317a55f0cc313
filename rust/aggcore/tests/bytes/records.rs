//! Batches of records: ours are those that prost decodes and a naive reading of the rules accepts.
//!
//! Our reader differs from prost on purpose in four ways, and only these ([`is_read_differently`]): it skips a field of the
//! contract that has another wire type, as protobuf asks; it drops the bits of a varint beyond the 64th, as protobuf's C++
//! parser does; it refuses groups, which the contract never had; and it skips the source rule, which the service reads.

use aggcore::testing::v1::{SessionRecord, WriteRecordsRequest};
use aggcore::testing::{ABSENT, ColumnarBatch, FIELDS, FieldType, encode_record};
use aggcore::{Error, Scrubbing, Tuning};
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{WireType, decode_varint, encode_key, encode_varint};
use prost_types::Timestamp;

use crate::cases::{check, decode};
use crate::common::{OwnedRecord, record};
use crate::damage::{arbitrary, damaged};

const SECONDS_MAX: i64 = 7_258_118_400;
const TEXT_BYTES_MAX: usize = 256;
/// The numbers of `RejectReason` in the contract.
mod reason {
    pub const MISSING_SESSION_ID: i32 = 1;
    pub const MISSING_SETUP_TIME: i32 = 2;
    pub const MISSING_END_TIME: i32 = 3;
    pub const TIME_OUT_OF_RANGE: i32 = 4;
    pub const ANSWER_BEFORE_SETUP: i32 = 5;
    pub const END_BEFORE_ANSWER: i32 = 6;
    pub const END_BEFORE_SETUP: i32 = 7;
    pub const TEXT_TOO_LONG: i32 = 8;
    pub const BAD_PRICE: i32 = 9;
    pub const UNKNOWN_ENUM_VALUE: i32 = 10;
    pub const NUMBER_OUT_OF_RANGE: i32 = 11;
}

// ---- Inputs ----

/// Encodes a field with a length.
pub fn put(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn varint() -> impl Strategy<Value = Vec<u8>> {
    let encoded = |number: u64| {
        let mut out = Vec::new();
        encode_varint(number, &mut out);
        out
    };
    let overlong = (0u8..0x80).prop_map(|last| [&[0x85; 9][..], &[last]].concat());
    let numbers = prop_oneof![5 => 0u64..5, 2 => any::<u64>(), 1 => Just(ABSENT as u64)];
    prop_oneof![9 => numbers.prop_map(encoded), 1 => overlong]
}

fn timestamp() -> impl Strategy<Value = Vec<u8>> {
    let seconds = prop_oneof![6 => 0i64..3, 1 => -1..1i64, 1 => SECONDS_MAX - 1..SECONDS_MAX + 1];
    let nanos = prop_oneof![6 => 0i32..2_000_000, 1 => -1..1i32, 1 => 999_999_999..1_000_000_001];
    let whole = (seconds, nanos).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos }.encode_to_vec());
    prop_oneof![4 => whole, 1 => fields(1..4, varint().prop_map(|bytes| (0, bytes)))]
}

/// The wire type and the bytes of a value.
fn value() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let with_length = |bytes: Vec<u8>| {
        let mut out = Vec::new();
        encode_varint(bytes.len() as u64, &mut out);
        (2, [out, bytes].concat())
    };
    let price = "[+-]?[0-9]{0,11}(\\.[0-9]{0,10})?".prop_map(String::into_bytes);
    let text = "[ab]{0,2}|\\PC{0,90}".prop_map(String::into_bytes);
    let bytes = prop_oneof![3 => text, 2 => timestamp(), 1 => price, 1 => prop::collection::vec(any::<u8>(), 0..4)];
    prop_oneof![
        8 => varint().prop_map(|bytes| (0, bytes)),
        12 => bytes.prop_map(with_length),
        1 => any::<[u8; 8]>().prop_map(|bytes| (1, bytes.to_vec())),
        1 => any::<[u8; 4]>().prop_map(|bytes| (5, bytes.to_vec())),
    ]
}

/// Fields with numbers of a range.
fn fields(tags: std::ops::Range<u32>, value: impl Strategy<Value = (u8, Vec<u8>)>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec((tags, value), 0..6).prop_map(|fields| {
        let mut out = Vec::new();
        for (tag, (wire_type, bytes)) in fields {
            encode_varint(u64::from(tag << 3 | u32::from(wire_type)), &mut out);
            out.extend(bytes);
        }
        out
    })
}

/// Fields of any number, wire type and value: a message of nothing in particular.
pub fn message() -> impl Strategy<Value = Vec<u8>> {
    fields(1..62, value())
}

/// A group, in the place of a field.
fn group() -> impl Strategy<Value = Vec<u8>> {
    (1u32..64).prop_map(|tag| {
        let mut out = Vec::new();
        encode_key(tag, WireType::StartGroup, &mut out);
        encode_key(tag, WireType::EndGroup, &mut out);
        out
    })
}

/// Prices and times of their fields, of which one may follow another.
fn special_fields() -> impl Strategy<Value = Vec<u8>> {
    let time = (prop_oneof![6u32..9, Just(56)], timestamp());
    let price =
        (prop_oneof![Just(26u32), Just(57)], "[+-]?[0-9]{1,11}(\\.[0-9]{1,10})?|[0-9.]{0,3}".prop_map(String::into_bytes));
    prop::collection::vec(prop_oneof![time, price], 0..4).prop_map(|fields| {
        let mut out = Vec::new();
        fields.iter().for_each(|(tag, bytes)| put(*tag, bytes, &mut out));
        out
    })
}

/// A valid record, followed by further fields.
fn encoded_record() -> impl Strategy<Value = Vec<u8>> {
    let extra = prop_oneof![6 => Just(Vec::new()), 3 => message(), 3 => special_fields(), 1 => group()];
    (record(4), extra).prop_map(|(record, extra)| {
        let mut out = Vec::new();
        encode_record(&record.view(), &mut out);
        [out, extra].concat()
    })
}

/// A batch of up to six records, most of them valid.
pub fn encoded_batch() -> impl Strategy<Value = Vec<u8>> {
    let records = prop::collection::vec(prop_oneof![6 => encoded_record(), 1 => message()], 0..7);
    (records, "[a-z]{0,3}", message()).prop_map(|(records, id, unknown)| {
        let mut out = Vec::new();
        records.iter().for_each(|record| put(2, record, &mut out));
        put(1, id.as_bytes(), &mut out);
        put(99, &unknown, &mut out);
        out
    })
}

/// Reads a batch within the bounds of memory.
pub fn read(bytes: &[u8]) -> aggcore::Result<ColumnarBatch> {
    let dictionary_rows_min = Tuning::default().batch_dictionary_row_count_min;
    decode(bytes.len(), 0, || ColumnarBatch::from_wire(bytes, dictionary_rows_min, &Scrubbing::default(), |_| None))
}

// ---- What prost decodes ----

/// The kinds of messages in a batch.
#[derive(Clone, Copy)]
enum Kind {
    Batch,
    Record,
    Time,
}

impl Kind {
    /// The wire type of a field, and the kind of the message that it contains.
    fn field(self, tag: u64) -> Option<(u64, Option<Self>)> {
        match (self, tag) {
            (Self::Batch, 1) => Some((2, None)),
            (Self::Batch, 2) => Some((2, Some(Self::Record))),
            (Self::Batch, 3 | 5) | (Self::Time, 1 | 2) => Some((0, None)),
            // No value of the source rule has this wire type.
            (Self::Batch, 4) => Some((u64::MAX, None)),
            (Self::Batch | Self::Time, _) => None,
            (Self::Record, _) => match FIELDS.get((tag as usize).checked_sub(1)?)?.field_type {
                FieldType::Integer | FieldType::Enum | FieldType::Flag => Some((0, None)),
                FieldType::Hash => Some((1, None)),
                FieldType::Time => Some((2, Some(Self::Time))),
                FieldType::Price | FieldType::DictionaryText | FieldType::Text => Some((2, None)),
            },
        }
    }
}

/// Whether prost and our reader differ on purpose over these bytes.
fn is_read_differently(bytes: &[u8], kind: Kind) -> bool {
    let mut rest = bytes;
    // `Err` tells that what follows is read differently, or, if false, by none.
    let mut step = || -> Result<(), bool> {
        let key = number(&mut rest)?;
        let length = match key & 7 {
            0 => number(&mut rest).map(|_| 0)?,
            1 => 8,
            2 => number(&mut rest)?,
            5 => 4,
            wire_type => return Err(wire_type < 5),
        };
        let (value, after) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or(false)?;
        rest = after;
        match kind.field(key >> 3) {
            Some((wire_type, _)) if wire_type != key & 7 => Err(true),
            Some((_, Some(kind))) if is_read_differently(value, kind) => Err(true),
            _ => Ok(()),
        }
    };
    loop {
        match step() {
            Ok(()) => {}
            Err(is_different) => return is_different,
        }
    }
}

/// Takes a varint off the front; the error tells whether only prost refuses it.
fn number(rest: &mut &[u8]) -> Result<u64, bool> {
    let bytes = *rest;
    let is_overlong = bytes.len() > 9 && bytes[..9].iter().all(|&byte| byte >= 0x80) && (2..0x80).contains(&bytes[9]);
    if is_overlong { Err(true) } else { decode_varint(rest).map_err(|_| false) }
}

/// The record that a message means, and the rules that it breaks.
fn meaning(message: &SessionRecord) -> (OwnedRecord, Vec<i32>) {
    let (mut record, mut broken) = (OwnedRecord::new("", ABSENT), Vec::new());
    let mut names = 0;
    macro_rules! fields {
        ($kind:ident: $($name:ident)*) => {$(
            names += 1;
            if let Some(value) = message.$name.clone() {
                record = fields!(@$kind record, stringify!($name), value);
            }
        )*};
        (@ints $record:ident, $name:expr, $value:ident) => {{
            broken.extend(($value == i64::MIN).then_some(reason::NUMBER_OUT_OF_RANGE));
            $record.with($name, $value)
        }};
        (@enums $record:ident, $name:expr, $value:ident) => {{
            broken.extend((!(0..=3).contains(&$value)).then_some(reason::UNKNOWN_ENUM_VALUE));
            $record.with($name, if $value == 0 { ABSENT } else { i64::from($value) })
        }};
        (@hashes $record:ident, $name:expr, $value:ident) => {{
            broken.extend(($value as i64 == i64::MIN).then_some(reason::NUMBER_OUT_OF_RANGE));
            $record.with($name, $value as i64)
        }};
        (@flags $record:ident, $name:expr, $value:ident) => { $record.with($name, i64::from($value)) };
        (@prices $record:ident, $name:expr, $value:ident) => {{
            let units = if $value.is_empty() { Some(ABSENT) } else { price(&$value) };
            broken.extend(units.is_none().then_some(reason::BAD_PRICE));
            $record.with($name, units.unwrap_or_default())
        }};
        (@times $record:ident, $name:expr, $value:ident) => {{
            let is_valid = (0..SECONDS_MAX).contains(&$value.seconds) && (0..1_000_000_000).contains(&$value.nanos);
            broken.extend((!is_valid).then_some(reason::TIME_OUT_OF_RANGE));
            $record.with($name, if is_valid { $value.seconds * 1_000_000 + i64::from($value.nanos) / 1_000 } else { ABSENT })
        }};
        (@texts $record:ident, $name:expr, $value:ident) => {{
            broken.extend(($value.len() > TEXT_BYTES_MAX).then_some(reason::TEXT_TOO_LONG));
            $record.with_text($name, &$value)
        }};
    }
    fields!(ints: revision disconnect_cause tenant_id app_id comp_id equipment_id src_country_id dst_country_id);
    fields!(ints: orig_companies_id orig_owner_users_id orig_clients_id orig_accounts_id);
    fields!(ints: term_companies_id term_owner_users_id term_clients_id term_accounts_id);
    fields!(ints: sip_status);
    fields!(enums: event kind part_class release_party);
    fields!(flags: is_last_attempt replaces);
    fields!(hashes: part);
    fields!(prices: customer_price vendor_price);
    fields!(times: setup_time answer_time end_time alert_time);
    fields!(texts: source session_id company organization folder agent_id equipment_name account_id);
    fields!(texts: src_prefix_routing dst_prefix_routing auth_orig_ip currency vendor_currency);
    fields!(texts: orig_leg_id orig_src_party_id orig_dst_party_id orig_clients_name orig_accounts_name);
    fields!(texts: orig_accounts_ident orig_rates_code orig_rates_code_name orig_rates_country);
    fields!(texts: term_leg_id term_src_party_id term_dst_party_id term_clients_name term_accounts_name);
    fields!(texts: term_accounts_ident term_rates_code term_rates_code_name term_rates_country);
    assert_eq!(names, FIELDS.len());
    broken.extend(broken_orders(&record));
    (without_alert_out_of_order(record), broken)
}

/// Drops an alert time before the setup or after the answer.
fn without_alert_out_of_order(record: OwnedRecord) -> OwnedRecord {
    let [setup, alert, answer] = ["setup_time", "alert_time", "answer_time"].map(|name| record.int(name));
    let is_in_order = setup <= alert && (answer == ABSENT || alert <= answer);
    if is_in_order { record } else { record.with("alert_time", ABSENT) }
}

/// The rules about several fields, about required ones, and about a range of its own.
fn broken_orders(record: &OwnedRecord) -> Vec<i32> {
    let time = |name: &str| Some(record.int(name)).filter(|&us| us != ABSENT);
    let (setup, answer, end) = (time("setup_time"), time("answer_time"), time("end_time"));
    let is_before = |a: Option<i64>, b: Option<i64>| a.zip(b).is_some_and(|(a, b)| a < b);
    let rules = [
        (record.text("session_id").is_empty(), reason::MISSING_SESSION_ID),
        (setup.is_none(), reason::MISSING_SETUP_TIME),
        (record.int("event") == 3 && end.is_none(), reason::MISSING_END_TIME),
        (is_before(answer, setup), reason::ANSWER_BEFORE_SETUP),
        (is_before(end, answer), reason::END_BEFORE_ANSWER),
        (is_before(end, setup), reason::END_BEFORE_SETUP),
        (![ABSENT].into_iter().chain(100..700).any(|status| status == record.int("sip_status")), reason::NUMBER_OUT_OF_RANGE),
    ];
    rules.into_iter().filter(|(is_broken, _)| *is_broken).map(|(_, reason)| reason).collect()
}

/// Units of 10^-9 of a decimal number.
fn price(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    // Trailing zeros are not decimals.
    let fraction = fraction.trim_end_matches('0');
    let units = format!("{whole}{fraction:0<9}").parse::<i128>().ok().filter(|_| are_digits && fraction.len() <= 9)?;
    i64::try_from(if text.starts_with('-') { -units } else { units }).ok().filter(|&units| units != ABSENT)
}

// ---- Properties ----

/// Checks a batch; where both readers accept it, they read the same.
pub fn check_batch(bytes: Vec<u8>) {
    let (ours, theirs) = (read(&bytes), WriteRecordsRequest::decode(bytes.as_slice()));
    if let Err(error) = &ours {
        assert!(matches!(error, Error::MalformedBatch(_)), "{error}");
    }
    let (ours, theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(_), Err(_)) => return,
        (ours, theirs) => {
            let is_different = is_read_differently(&bytes, Kind::Batch);
            return assert!(is_different, "ours: {:?}, prost: {:?}", ours.err(), theirs.err());
        }
    };
    assert_eq!(ours.batch_id, theirs.batch_id);
    let (mut row, mut rejected) = (0, ours.rejected.records().into_iter().peekable());
    for (index, message) in theirs.records.iter().enumerate() {
        let (record, broken) = meaning(message);
        match rejected.next_if(|rejected| rejected.index == Some(index as i64)) {
            Some(rejected) => assert!(broken.contains(&rejected.reason.unwrap()), "{broken:?} {rejected:?}"),
            None => {
                assert_eq!((ours.fields().record(row), broken), (record.view(), Vec::new()));
                row += 1;
            }
        }
    }
    assert_eq!((row, rejected.next()), (ours.rows(), None));
}

#[test]
fn a_batch_has_the_records_that_prost_decodes() {
    check(1_000, prop_oneof![1 => arbitrary(), 3 => encoded_batch(), 6 => damaged(encoded_batch())], check_batch);
}

/// Encodes one valid record and further fields as a batch.
pub fn with_fields(extra: &[u8]) -> Vec<u8> {
    let (mut record, mut batch) = (Vec::new(), Vec::new());
    encode_record(&OwnedRecord::new("a", 5_000_000).view(), &mut record);
    record.extend_from_slice(extra);
    put(2, &record, &mut batch);
    batch
}

#[test]
fn the_parts_of_a_repeated_time_are_merged() {
    // The record has 5 s as its setup time; a second one has nanoseconds only.
    check_batch(with_fields(&[0x32, 3, 0x10, 0xd0, 0x0f]));
    let batch = read(&with_fields(&[0x32, 3, 0x10, 0xd0, 0x0f])).unwrap();
    assert_eq!(batch.fields().record(0).setup_us(), 5_000_002);
}

#[test]
fn the_last_value_of_a_repeated_field_decides() {
    const MINUS_ONE_SECOND: &[u8] = &[0x32, 11, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let cases: [(&[u8], &[u8]); 3] =
        [(&[0x28, 9], &[0x28, 1]), (&[0xd2, 1, 1, b'x'], &[0xd2, 1, 1, b'7']), (MINUS_ONE_SECOND, &[0x32, 2, 0x08, 7])];
    for (bad, good) in cases {
        for (fields, rows) in [([bad, good].concat(), 1), ([good, bad].concat(), 0)] {
            assert_eq!(read(&with_fields(&fields)).unwrap().rows(), rows, "{fields:?}");
            check_batch(with_fields(&fields));
        }
    }
}
