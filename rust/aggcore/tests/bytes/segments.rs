//! Segments, active snapshots, and their summaries in the catalogue.

use std::path::Path;

use aggcore::testing::encode_record;
use aggcore::{Error, ManifestEntry, MemoryLimits, RowSet, Segment, Store, Summary, Tuning};
use proptest::prelude::*;

use crate::cases::{check, decode};
use crate::common::{OwnedRecord, batch};
use crate::damage::{Edits, arbitrary, damaged, edits};

/// A file as its writer left it.
#[derive(Debug)]
pub struct Written {
    pub entry: ManifestEntry,
    pub bytes: Vec<u8>,
    /// Canonical forms of the rows.
    rows: Vec<Vec<u8>>,
}

/// Segments and files of active snapshots: of one row, of versions on several days, and of several pages.
pub fn written() -> Vec<Written> {
    [(1, 0), (40, 3), (3_000, 10)].into_iter().flat_map(|(row_count, version_count)| files(row_count, version_count)).collect()
}

/// A segment and a file of an active snapshot, of `row_count` sessions together or one each, `version_count` of which have
/// several versions.
fn files(row_count: i64, version_count: i64) -> Vec<Written> {
    let (directory, store) = (tempfile::tempdir().unwrap(), Store::new(Tuning::default(), MemoryLimits::default()));
    let session = |number: i64| {
        let record = OwnedRecord::new(&format!("session {number}"), number % 7 * 1_000_000)
            .with("app_id", number * 1_000)
            .with_text("account_id", &format!("account {}", number % 3));
        if number % 2 == 0 { record.with("end_time", number * 2_000_000) } else { record }
    };
    store.apply(&batch(&(0..row_count.max(2)).map(session).collect::<Vec<_>>()), 5);
    let later =
        |number: i64| session(number).with("setup_time", 86_400_000_000).with("end_time", 86_400_000_001).with("revision", -1);
    store.apply(&batch(&(0..version_count).map(later).collect::<Vec<_>>()), 6);
    let flush = store.begin_flush(true);
    let edit = store.write_flush(directory.path(), 1, 1_000_000, &flush).unwrap();
    let active = store.write_active_snapshot(directory.path(), 100, &flush).unwrap().unwrap();
    let entries = edit.segments.iter().map(|new| new.written.clone()).chain(active);
    entries.map(|entry| read(directory.path(), entry)).collect()
}

fn read(directory: &Path, entry: ManifestEntry) -> Written {
    let bytes = std::fs::read(directory.join(&entry.name)).unwrap();
    let segment = Segment::open(directory, &entry).unwrap();
    let rows = (0..segment.rows()).map(|row| canonical(&segment, row).unwrap()).collect();
    Written { entry, bytes, rows }
}

/// Reads one row, verifying only its pages.
fn canonical(segment: &Segment, row: usize) -> aggcore::Result<Vec<u8>> {
    let (no_tombstones, mut form) = (RowSet::default(), Vec::new());
    let (slice, versions) = segment.row(row, &no_tombstones)?;
    encode_record(&slice.fields.record(row), &mut form);
    form.extend_from_slice(versions.unwrap_or_default());
    Ok(form)
}

/// A directory with the file of an entry.
fn directory_with(name: &str, bytes: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    directory
}

/// Opens a damaged file in a store, and reads it in every way: each fails, naming the file, or returns what was written.
pub fn check_file(entry: &ManifestEntry, bytes: &[u8], written: &Written) {
    let directory = directory_with(&entry.name, bytes);
    check_store(entry, directory.path(), bytes == written.bytes);
    check_segment(entry, bytes, written);
}

/// Reads a damaged file in every way, without a store.
pub fn check_segment(entry: &ManifestEntry, bytes: &[u8], written: &Written) {
    let directory = directory_with(&entry.name, bytes);
    let names_the_file = |error: &Error| {
        let Error::Damaged { file, .. } = error else { panic!("{error}") };
        assert_eq!(*file, entry.name, "{error}");
    };
    let opened = decode(bytes.len(), 0, || Segment::open(directory.path(), entry));
    let Ok(segment) = opened.inspect_err(names_the_file) else { return };
    for row in [0, segment.rows() / 2, segment.rows() - 1] {
        if let Ok(found) = canonical(&segment, row).inspect_err(names_the_file) {
            assert_eq!(found, written.rows[row]);
        }
    }
    let (no_tombstones, whole) = (RowSet::default(), (i64::MIN, i64::MAX));
    if let Ok(slice) = segment.slice_of_account("account 1", whole, &[], &no_tombstones).inspect_err(names_the_file) {
        assert!(slice.rows.len() <= segment.rows());
    }
    let found = segment.find(7, "", "session 0").inspect_err(names_the_file);
    assert!(found.is_err() || found.is_ok_and(|rows| rows.is_empty()));
    let is_intact = segment.verified_slice(&no_tombstones).inspect_err(names_the_file).is_ok();
    assert_eq!(is_intact, bytes == written.bytes);
}

/// Reads a summary; one that is accepted survives a round trip.
pub fn check_summary(bytes: &[u8]) {
    match decode(bytes.len(), 0, || Summary::from_bytes("a name", bytes)) {
        Ok(summary) => assert_eq!(Summary::from_bytes("a name", &summary.to_bytes()).unwrap(), summary),
        Err(Error::Damaged { file, .. }) => assert_eq!(file, "a name"),
        Err(other) => panic!("{other}"),
    }
}

/// A store takes an active snapshot as a whole or not at all, and opens whatever the file of a segment is.
fn check_store(entry: &ManifestEntry, directory: &Path, is_intact: bool) {
    let store = Store::default();
    let opened = store.open_active_snapshot(directory, entry);
    assert!(is_intact || opened.is_err());
    assert_eq!(store.rows_in_memory().0, if opened.is_ok() { entry.rows } else { 0 });
    store.open_segment(directory, 0, entry, RowSet::default(), false);
    assert_eq!(store.segments().len(), 1);
}

#[test]
fn a_damaged_file_fails_by_name_or_is_read_as_written() {
    let written = written();
    // Damage that leaves the length as it was reaches the checksums; otherwise the entry may have the new length.
    let inputs = (0..written.len(), edits(), any::<bool>());
    check(60, inputs, |(number, edits, is_length_known): (usize, Edits, bool)| {
        let written = &written[number];
        let mut bytes = edits.apply_to(written.bytes.clone());
        let mut entry = written.entry.clone();
        if is_length_known {
            entry.bytes = bytes.len() as u64;
        } else {
            bytes.resize(written.bytes.len(), 0);
        }
        check_file(&entry, &bytes, written);
    });
}

#[test]
fn an_arbitrary_file_fails_by_name() {
    let written = written();
    check(60, (0..written.len(), arbitrary()), |(number, bytes)| {
        let entry = ManifestEntry { bytes: bytes.len() as u64, ..written[number].entry.clone() };
        check_file(&entry, &bytes, &written[number]);
    });
}

#[test]
fn a_file_under_a_damaged_entry_fails_by_name_or_is_read() {
    let written = written();
    check(60, (0..written.len(), edits(), any::<i8>()), |(number, edits, more_rows)| {
        let Written { entry, bytes, .. } = &written[number];
        let Ok(summary) = Summary::from_bytes(&entry.name, &edits.apply_to(entry.summary.to_bytes())) else { return };
        let rows = entry.rows.saturating_add_signed(isize::from(more_rows % 2));
        let damaged = ManifestEntry { summary, rows, ..entry.clone() };
        let directory = directory_with(&entry.name, bytes);
        match Segment::open(directory.path(), &damaged) {
            Ok(segment) => assert!(segment.rows() == entry.rows && segment.verify_file().is_ok() || more_rows % 2 == 0),
            Err(Error::Damaged { file, .. }) => assert_eq!(file, entry.name),
            Err(other) => panic!("{other}"),
        }
    });
}

#[test]
fn a_summary_is_refused_by_name_or_survives_a_round_trip() {
    let summaries: Vec<Vec<u8>> = written().iter().map(|written| written.entry.summary.to_bytes()).collect();
    let valid = prop::sample::select(summaries);
    check(300, prop_oneof![1 => arbitrary(), 4 => damaged(valid)], |bytes| check_summary(&bytes));
}
