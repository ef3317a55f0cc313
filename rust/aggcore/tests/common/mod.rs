//! Random records for the tests of the core, and the batches that a client would send them in.
#![allow(dead_code, clippy::unwrap_used)] // Each test file uses some of these; a test may panic.

use std::collections::BTreeMap;

use aggcore::testing::{
    ABSENT, ColumnarBatch, DICTIONARY_COUNT, INT_COUNT, Record, STRING_COUNT, encode_record, field, int_slot,
};
use aggcore::{KeyValues, Partials, Scrubbing, Store, Tuning};
use proptest::prelude::*;

/// A record that owns its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedRecord {
    pub ints: [i64; INT_COUNT],
    pub strings: [String; STRING_COUNT],
}

impl OwnedRecord {
    pub fn new(session_id: &str, setup_us: i64) -> Self {
        let mut record = Self { ints: [ABSENT; INT_COUNT], strings: std::array::from_fn(|_| String::new()) };
        record.strings[DICTIONARY_COUNT] = session_id.to_owned();
        record.ints[int_slot::SETUP_TIME] = setup_us;
        record
    }

    pub fn with(mut self, name: &str, value: i64) -> Self {
        self.ints[field(name).unwrap().slot] = value;
        self
    }

    pub fn with_text(mut self, name: &str, value: &str) -> Self {
        self.strings[Record::string_slot(field(name).unwrap())] = value.to_owned();
        self
    }

    pub fn int(&self, name: &str) -> i64 {
        self.ints[field(name).unwrap().slot]
    }

    pub fn text(&self, name: &str) -> &str {
        &self.strings[Record::string_slot(field(name).unwrap())]
    }

    pub fn view(&self) -> Record<'_> {
        Record { ints: self.ints, strings: std::array::from_fn(|slot| self.strings[slot].as_str()) }
    }
}

/// Encodes records as a `WriteRecordsRequest` and reads it as a batch.
pub fn batch(records: &[OwnedRecord]) -> ColumnarBatch {
    let mut bytes = Vec::new();
    for record in records {
        let mut message = Vec::new();
        encode_record(&record.view(), &mut message);
        prost::encoding::encode_key(2, prost::encoding::WireType::LengthDelimited, &mut bytes);
        prost::encoding::encode_varint(message.len() as u64, &mut bytes);
        bytes.extend(message);
    }
    ColumnarBatch::from_wire(&bytes, Tuning::default().batch_dictionary_row_count_min, &Scrubbing::default(), |_| None).unwrap()
}

/// Applies records to an empty store so that they are in segments, in an immutable memtable and in the memtables that take
/// new records.
///
/// New versions with the same values replace half of the flushed records, which leaves tombstones in the
/// segments.
pub fn apply_in_parts(store: &Store, directory: &std::path::Path, records: &[OwnedRecord]) {
    let (flushed, rest) = records.split_at(records.len() / 3);
    let (immutable, active) = rest.split_at(rest.len() / 2);
    store.apply(&batch(flushed), 0);
    let flush = store.begin_flush(false);
    store.install(store.write_flush(directory, 1, 7, &flush).unwrap());
    store.apply(&batch(immutable), 0);
    drop(store.begin_flush(false));
    store.apply(&batch(active), 0);
    let again: Vec<OwnedRecord> = flushed.iter().step_by(2).map(|record| record.clone().with("revision", 1)).collect();
    store.apply(&batch(&again), 0);
}

/// Returns the sums of a result by bin and group key.
pub fn cells(partials: &Partials) -> BTreeMap<(u32, Vec<String>), [i64; 3]> {
    let key = |cell: usize| {
        let value = |column: &KeyValues| match column {
            KeyValues::Ints(values) => values[cell].to_string(),
            texts @ KeyValues::Texts { .. } => texts.text(cell).to_owned(),
        };
        partials.keys.iter().map(value).collect()
    };
    let cells = partials.sums.iter().enumerate();
    cells.map(|(cell, sums)| ((partials.bins[cell], key(cell)), *sums)).collect()
}

/// Values, of which a quarter are absent.
fn or_absent<T: Clone + std::fmt::Debug + 'static>(values: impl Strategy<Value = T> + 'static, absent: T) -> BoxedStrategy<T> {
    prop_oneof![3 => values, 1 => Just(absent)].boxed()
}

/// A valid record within three UTC days. Its values are from small pools, so that records share groups.
///
/// Records with the same one of `id_count` session ids are versions of each other.
pub fn record(id_count: u32) -> impl Strategy<Value = OwnedRecord> {
    let times = (0..3 * 86_400_000_000i64, or_absent(0..5_000_000i64, ABSENT), or_absent(0..5_000_000i64, ABSENT));
    let numbers =
        (or_absent(1..4i64, ABSENT), or_absent(0..3i64, ABSENT), or_absent(-2..3i64, ABSENT), or_absent(0..2i64, ABSENT));
    let texts =
        (or_absent("[ab]{1,2}", String::new()), or_absent("[ab]{1,2}", String::new()), or_absent("\\+?[12]{1,4}", String::new()));
    let later = (
        or_absent(0..5_000_000i64, ABSENT),
        or_absent(-2..3i64, ABSENT),
        or_absent("EUR|USD", String::new()),
        or_absent(prop_oneof![Just(200i64), Just(486)], ABSENT),
        or_absent(1..4i64, ABSENT),
    );
    (0..id_count, times, numbers, texts, later).prop_map(
        |(
            id,
            (setup, answer, end),
            (kind, app, price, last),
            (company, folder, number),
            (alert, cost, currency, sip_status, party),
        )| {
            let answer_us = if answer == ABSENT { ABSENT } else { setup + answer };
            let alert_us_max = if answer == ABSENT { i64::MAX } else { answer_us };
            let alert_us = if alert == ABSENT { ABSENT } else { (setup + alert).min(alert_us_max) };
            let end_us = if end == ABSENT { ABSENT } else { answer_us.max(setup) + end };
            OwnedRecord::new(&format!("s{id}"), setup)
                .with("answer_time", answer_us)
                .with("end_time", end_us)
                .with("kind", kind)
                .with("app_id", app)
                .with("customer_price", price)
                .with("is_last_attempt", last)
                .with_text("company", &company)
                .with_text("folder", &folder)
                .with_text("term_dst_party_id", &number)
                .with_text("dst_prefix_routing", &number)
                .with("alert_time", alert_us)
                .with("vendor_price", cost)
                .with_text("vendor_currency", &currency)
                .with("sip_status", sip_status)
                .with("release_party", party)
        },
    )
}

/// Records with a session id each, so that none is a version of another.
pub fn distinct_records(count: usize) -> impl Strategy<Value = Vec<OwnedRecord>> {
    prop::collection::vec(record(1), 0..count).prop_map(|records| {
        let numbered = records.into_iter().enumerate();
        numbered.map(|(number, record)| record.with_text("session_id", &format!("s{number}"))).collect()
    })
}
