//! An export has one schema for every stream, and the values that were written, from memory and from segments.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;

use std::io::Cursor;
use std::sync::Arc;

use aggcore::Store;
use aggcore::testing::{ABSENT, ColumnKind, FIELDS, Field, FieldType, Record};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, cast::AsArray};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, TimeUnit};
use common::{OwnedRecord, batch, distinct_records};
use proptest::prelude::*;

const RECEIVED_US: i64 = 1_234_567;

fn exported_type(field: &Field) -> DataType {
    if field.field_type == FieldType::Time {
        return DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    }
    if field.field_type.column_kind() == ColumnKind::Int { DataType::Int64 } else { DataType::Utf8 }
}

fn read_stream(bytes: &[u8]) -> RecordBatch {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none());
    batch
}

/// All streams of a store, each checked for the schema.
fn exported(store: &Store, row_max: usize) -> Vec<RecordBatch> {
    let (mut cursor, mut batches) = ((0, 0), Vec::new());
    while let Some((bytes, next)) = store.export((i64::MIN, i64::MAX), cursor, row_max).unwrap() {
        let batch = read_stream(&bytes);
        let schema = batch.schema();
        let columns: Vec<_> = schema.fields().iter().map(|field| (field.name().as_str(), field.data_type().clone())).collect();
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let fields = FIELDS.iter().map(|field| (field.name, exported_type(field))).chain([("received_time", time)]);
        assert_eq!(columns, fields.collect::<Vec<_>>());
        assert!(schema.fields().iter().all(|field| field.is_nullable()));
        assert!((1..=row_max).contains(&batch.num_rows()));
        batches.push(batch);
        cursor = next;
    }
    batches
}

/// The column that plain builders of Arrow make of a field.
fn expected_column(field: &Field, records: &[OwnedRecord]) -> ArrayRef {
    if field.field_type.column_kind() != ColumnKind::Int {
        let text =
            |record: &OwnedRecord| Some(record.strings[Record::string_slot(field)].clone()).filter(|text| !text.is_empty());
        return Arc::new(records.iter().map(text).collect::<StringArray>());
    }
    let values = records.iter().map(|record| Some(record.ints[field.slot]).filter(|&value| value != ABSENT));
    if field.field_type == FieldType::Time {
        return Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"));
    }
    Arc::new(values.collect::<Int64Array>())
}

/// Compares streams with the records of their session ids, whatever order these come in.
fn check(batches: &[RecordBatch], records: &[OwnedRecord]) {
    let mut rows = 0;
    for batch in batches {
        let ids = batch.column_by_name("session_id").unwrap().as_string::<i32>();
        let of_id = |id| records.iter().find(|record| Some(record.text("session_id")) == id).unwrap().clone();
        let written: Vec<OwnedRecord> = ids.iter().map(of_id).collect();
        for (field, column) in FIELDS.iter().zip(batch.columns()) {
            assert_eq!(column, &expected_column(field, &written), "{}", field.name);
        }
        let received = TimestampMicrosecondArray::from_value(RECEIVED_US, batch.num_rows()).with_timezone("UTC");
        assert_eq!(&(Arc::new(received) as ArrayRef), batch.columns().last().unwrap());
        rows += batch.num_rows();
    }
    assert_eq!(rows, records.len());
}

proptest! {
    // Each case flushes several files to disk.
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn records_in_memory_and_in_segments_are_exported_as_written(records in distinct_records(40), row_max in 1usize..50) {
        let (store, directory) = (Store::default(), tempfile::tempdir().unwrap());
        store.apply(&batch(&records), RECEIVED_US);
        check(&exported(&store, row_max), &records);
        let flush = store.begin_flush(false);
        let edit = store.write_flush(directory.path(), 1, 10, &flush).unwrap();
        store.install(edit);
        check(&exported(&store, row_max), &records);
    }
}

#[test]
fn integers_of_every_width_are_exported_as_int64() {
    for width in [-128, 127, -32_768, 32_767, i64::from(i32::MIN), i64::from(i32::MAX), ABSENT + 1, i64::MAX] {
        let record = |id: &str| OwnedRecord::new(id, 0).with("end_time", 5);
        let records = [record("a").with("app_id", width), record("b")];
        let store = Store::default();
        store.apply(&batch(&records), RECEIVED_US);
        check(&exported(&store, 100), &records);
    }
}
