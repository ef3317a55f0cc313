//! Journal files of both formats, their frames, and the batches in these.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use aggcore::journal::{self, Frame};
use aggcore::testing::{ColumnarBatch, FIELDS};
use aggcore::{Error, Result};
use arrow_array::{ArrayRef, DictionaryArray, NullArray, RecordBatch, StringArray, UInt8Array};
use arrow_ipc::{reader::StreamReader, writer::StreamWriter};
use arrow_schema::{Field, Schema};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::cases::{check, decode};
use crate::common::{OwnedRecord, batch};
use crate::damage::{Edits, arbitrary, damaged, edits};
use crate::records::{encoded_batch, read};

const SEQUENCE: u64 = 3;
const PREDECESSOR: u64 = 2;
/// What `arrow-ipc` reserves at most for a message whose declared length exceeds the bytes that are there.
const ARROW_RESERVED_BYTES: usize = 64 << 20;

/// A batch as the journal has it.
fn journaled() -> impl Strategy<Value = Vec<u8>> {
    encoded_batch().prop_filter_map("malformed batch", |bytes| read(&bytes).ok()?.to_journal().ok())
}

/// The header of docs/storage.md, of format 1 or 2.
fn header(format: u8, synced: usize) -> Vec<u8> {
    let [sequence, synced, predecessor] = [SEQUENCE, synced as u64, PREDECESSOR].map(u64::to_le_bytes);
    let words = if format == 1 { [sequence, synced].concat() } else { [sequence, synced, predecessor].concat() };
    let crc32 = crc32fast::hash(&words).to_le_bytes();
    [b"PEGJRNL", &[b'0' + format][..], &words, &crc32, &[0; 4]].concat()
}

/// A file of some frames, of which the first `synced_count` are known to be on disk.
pub fn file(format: u8, frames: &[Vec<u8>], synced_count: usize) -> Vec<u8> {
    let synced = header(format, 0).len() + frames[..synced_count].iter().map(Vec::len).sum::<usize>();
    [header(format, synced), frames.concat()].concat()
}

/// A frame with a batch.
pub fn frame(batch: &[u8]) -> Vec<u8> {
    Frame { received_us: 7, batch }.to_bytes()
}

/// A directory with this journal file.
fn directory_with(bytes: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(journal::name(SEQUENCE));
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    directory
}

/// The batches that a replay returns.
fn replayed(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let mut batches = Vec::new();
    journal::replay(directory, SEQUENCE, |frame| {
        batches.push(frame.batch.to_vec());
        Ok(())
    })?;
    Ok(batches)
}

fn assert_names_the_file(error: &Error) {
    let Error::Damaged { file, .. } = error else { panic!("{error}") };
    assert_eq!(*file, journal::name(SEQUENCE), "{error}");
}

/// Reads the batch of a frame; one that is accepted survives a round trip.
pub fn check_batch(bytes: &[u8]) {
    let read = || ColumnarBatch::from_journal(bytes);
    let batch = match decode(bytes.len(), ARROW_RESERVED_BYTES, read) {
        Ok(batch) => batch,
        Err(error) => return assert!(matches!(error, Error::Damaged { .. }), "{error}"),
    };
    let records = |batch: &ColumnarBatch| {
        let record = |row| format!("{:?}", batch.fields().record(row));
        (batch.key_hash.clone(), (0..batch.rows()).map(record).collect::<Vec<_>>())
    };
    let again = ColumnarBatch::from_journal(&batch.to_journal().unwrap()).unwrap();
    assert_eq!(records(&again), records(&batch));
}

/// Calls all that reads a journal file; returns the batches of a replay.
pub fn read_file(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let directory = directory_with(bytes);
    let directory = directory.path();
    let batches = decode(bytes.len(), 0, || replayed(directory)).inspect_err(assert_names_the_file).ok();
    let content = decode(bytes.len(), ARROW_RESERVED_BYTES, || journal::read_content(directory, SEQUENCE));
    match content.inspect_err(assert_names_the_file) {
        Ok(content) => {
            assert_eq!((Some(content.batches), content.bytes), (batches.as_ref().map(Vec::len), bytes.len() as u64));
        }
        Err(_) => drop(journal::has_batches(directory, SEQUENCE).unwrap()),
    }
    let predecessor = journal::predecessor(directory, SEQUENCE).inspect_err(assert_names_the_file);
    assert!(predecessor.is_ok() || batches.is_none(), "a file that is replayed has a header");
    batches
}

#[test]
fn a_damaged_file_is_refused_or_ends_after_its_synced_frames() {
    let batches = prop::collection::vec(journaled(), 1..3);
    let inputs = (batches, 1u8..3, any::<Index>(), edits());
    check(100, inputs, |(batches, format, synced_count, edits): (Vec<Vec<u8>>, u8, Index, Edits)| {
        let frames: Vec<Vec<u8>> = batches.iter().map(|batch| frame(batch)).collect();
        let synced_count = synced_count.index(frames.len() + 1);
        let written = file(format, &frames, synced_count);
        assert_eq!(read_file(&written).as_ref(), Some(&batches));
        if let Some(found) = read_file(&edits.apply_to(written)) {
            assert!((synced_count..=batches.len()).contains(&found.len()));
            assert_eq!(found, batches[..found.len()]);
        }
    });
}

#[test]
fn an_arbitrary_file_is_refused() {
    let begun = (1u8..3, arbitrary()).prop_map(|(format, frames)| [header(format, 0), frames].concat());
    check(100, prop_oneof![arbitrary(), begun], |bytes| drop(read_file(&bytes)));
}

#[test]
fn a_frame_with_a_malformed_batch_names_the_file() {
    check(100, prop_oneof![1 => arbitrary(), 6 => damaged(journaled())], |batch| {
        let frames = [frame(&batch)];
        // A frame without bytes ends a file.
        read_file(&file(2, &frames, usize::from(!batch.is_empty())));
    });
}

#[test]
fn a_malformed_batch_is_refused_or_survives_a_round_trip() {
    check(300, prop_oneof![1 => arbitrary(), 9 => damaged(journaled())], |bytes| check_batch(&bytes));
}

/// Encodes columns as the batch of a frame, whatever they are.
fn stream(columns: Vec<ArrayRef>) -> Vec<u8> {
    let fields = FIELDS.iter().zip(&columns).map(|(field, column)| Field::new(field.name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    writer.into_inner().unwrap()
}

/// The columns of a valid batch of one record.
fn columns() -> Vec<ArrayRef> {
    let bytes = batch(&[OwnedRecord::new("a", 0)]).to_journal().unwrap();
    StreamReader::try_new(Cursor::new(bytes), None).unwrap().next().unwrap().unwrap().columns().to_vec()
}

#[test]
fn a_batch_without_bytes_for_its_rows_is_refused() {
    let absent: ArrayRef = Arc::new(NullArray::new(1 << 40));
    let bytes = stream(vec![absent; FIELDS.len()]);
    assert!(decode(bytes.len(), 0, || ColumnarBatch::from_journal(&bytes)).is_err());
}

#[test]
fn a_code_beneath_a_null_must_be_that_of_an_entry() {
    for (code, is_valid) in [(0, true), (1, false), (255, false)] {
        let codes = UInt8Array::new(vec![code].into(), Some(vec![false].into()));
        let mut columns = columns();
        columns[0] = Arc::new(DictionaryArray::try_new(codes, Arc::new(StringArray::from(vec![""]))).unwrap());
        let read = ColumnarBatch::from_journal(&stream(columns));
        assert_eq!(read.map(|batch| batch.fields().record(0).source().to_owned()).ok(), is_valid.then(String::new));
    }
}
