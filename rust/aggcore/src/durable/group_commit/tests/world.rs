//! A store on real files with its callers: what they did, and what must hold once all of them have ended.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use arrow_ipc::reader::StreamReader;
use prost::Message;
use shuttle::thread::yield_now;
use tempfile::TempDir;

use super::*;
use crate::columns::row_set::RowSet;
use crate::record::deletion::Deletion;
use crate::record::scrubbing::Scrubbing;
use crate::storage::ResolvedVersion;
use crate::storage::segment::ManifestEntry;
use crate::wire::v1::{SessionRecord, WriteRecordsRequest};

/// The batch during whose commit the committing thread panics.
pub const INTERRUPTING: &str = "interrupting";
/// How the names of batches of corrections begin.
const CORRECTION: &str = "correction";
/// Seconds of the setup of records of batches whose names begin with `late`; others are set up earlier on the same day.
pub const LATE_S: i64 = 5;
/// File systems in memory, where a schedule takes a tenth of the time.
const MEMORY: &str = "/dev/shm";

/// Limits of the store.
#[derive(Clone, Copy)]
pub struct Limits {
    pub waiting_bytes: usize,
    pub group_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { waiting_bytes: 1 << 20, group_bytes: 1 << 20 }
    }
}

/// The store, its files and its callers.
pub struct World {
    pub store: JournaledStore,
    /// Cancelled by one thread, for another.
    pub cancel: CancelToken,
    directory: TempDir,
    /// Where removed journal files go.
    removed: TempDir,
    /// Held by who creates a journal file, as in Python.
    journal_files: Mutex<()>,
    /// No thread is suspended while it holds these real locks.
    catalogue: parking_lot::Mutex<Catalogue>,
    sent: parking_lot::Mutex<Vec<Sent>>,
}

/// What a start would open.
#[derive(Default)]
struct Catalogue {
    segments: Vec<(i64, ManifestEntry)>,
    tombstones: HashMap<String, Arc<RowSet>>,
    active: Vec<ManifestEntry>,
    first_journal: u64,
    files: u64,
}

/// A batch, and what its caller got.
struct Sent {
    name: String,
    pending: Arc<PendingCommit>,
    /// `None` for a caller that did not wait, or in which the commit panicked.
    got: Option<Result<BatchOutcome>>,
}

impl World {
    pub fn new(limits: Limits) -> Arc<Self> {
        let tuning = Tuning { helper_thread_count: 1, commit_group_bytes: limits.group_bytes, ..Tuning::default() };
        let batch = BatchLimits { rows: 9, id_bytes: 99 };
        let limits = CommitLimits { batch, call_seconds: 60, waiting_bytes: limits.waiting_bytes, counted_sources: 9 };
        let directory = new_directory();
        let store = JournaledStore::new(directory.path(), limits, MemoryLimits::default(), tuning);
        Arc::new(Self {
            store,
            cancel: CancelToken::with_limit(None),
            directory,
            removed: new_directory(),
            journal_files: Mutex::default(),
            catalogue: parking_lot::Mutex::default(),
            sent: parking_lot::Mutex::default(),
        })
    }

    // ---- What threads do ----

    pub fn write_all(&self, names: &[&str]) {
        names.iter().for_each(|name| self.write(name, &CancelToken::with_limit(None)));
    }

    pub fn write_cancelled(&self, name: &str) {
        self.write(name, &self.cancel);
    }

    pub fn submit_and_leave(&self, names: &[&str]) {
        names.iter().for_each(|name| drop(self.submit(name)));
    }

    fn write(&self, name: &str, cancel: &CancelToken) {
        let pending = self.submit(name);
        // The commit may panic in the thread of any caller.
        let Ok(got) = catch_unwind(AssertUnwindSafe(|| self.store.wait(&pending, cancel))) else { return };
        let mut sent = self.sent.lock();
        sent.iter_mut().filter(|sent| Arc::ptr_eq(&sent.pending, &pending)).for_each(|sent| sent.got = Some(copy_of(&got)));
    }

    pub fn submit(&self, name: &str) -> Arc<PendingCommit> {
        self.require_open();
        let pending = self.store.submit(&batch(name), received_us(name), 0, None).unwrap();
        self.sent.lock().push(Sent { name: name.to_owned(), pending: Arc::clone(&pending), got: None });
        pending
    }

    fn require_open(&self) {
        if !self.store.has_journal() {
            let _turn = self.journal_files.lock();
            if !self.store.has_journal() {
                self.open();
            }
        }
    }

    /// Opens a new file, if none is missing. Whether that worked shows in the fault.
    fn open(&self) {
        if self.store.missing_file().is_none() && self.store.create_journal().is_ok() {
            drop(self.store.use_journal());
        }
    }

    /// Flushes with an active snapshot, as maintenance does. Returns whether the store let it.
    pub fn flush(&self) -> bool {
        self.flush_without(None)
    }

    /// Deletes what is set up before [`LATE_S`], as Python does; the rule stays.
    pub fn delete(&self) {
        let to_us = Some(LATE_S * 1_000_000);
        let rule = Arc::new(Deletion { rule_id: Some(1), to_us, ..Deletion::default() });
        self.store.use_deletions(DeletionRules::new(&[], Some(Arc::clone(&rule))));
        yield_now();
        assert!(self.flush_without(Some(&rule)));
        self.store.use_deletions(DeletionRules::new(&[rule], None));
    }

    fn flush_without(&self, deleted: Option<&Arc<Deletion>>) -> bool {
        let begun = {
            let _turn = self.journal_files.lock();
            self.store.create_journal().and_then(|_| self.store.begin_flush(true))
        };
        let Ok((flush, Some(first_journal))) = begun else { return false };
        yield_now();
        if let Some(rule) = deleted {
            self.store.store.find_deleted(&flush, Arc::clone(rule), &CancelToken::with_limit(None)).unwrap();
            yield_now();
        }
        let files = self.catalogue.lock().files;
        let edit = self.store.store.write_flush(self.directory.path(), files, 1_000, &flush).unwrap();
        let active = self.store.store.write_active_snapshot(self.directory.path(), files, &flush).unwrap();
        yield_now();
        let mut catalogue = self.catalogue.lock();
        catalogue.files += 10;
        catalogue.first_journal = first_journal;
        catalogue.active = active.unwrap();
        catalogue.segments.extend(edit.segments.iter().map(|new| (new.day, new.written.clone())));
        catalogue.tombstones.extend(edit.tombstones.iter().cloned());
        drop(catalogue);
        self.store.store.install(edit);
        yield_now();
        self.store.store.remove_deleted_active(&flush);
        self.store.release_journal_before(first_journal);
        true
    }

    /// Ends a fault, as maintenance does.
    pub fn repair(&self) {
        if self.store.fault().is_none() {
            return;
        }
        if self.store.missing_file().is_some() {
            self.flush();
        } else {
            let _turn = self.journal_files.lock();
            self.open();
        }
    }

    /// Another program appends to the newest journal file, so that the next write is refused.
    pub fn change_journal(&self) {
        let Some(path) = self.newest_journal() else { return };
        std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&[0]).unwrap();
    }

    /// Another program removes the newest journal file.
    pub fn remove_journal(&self) {
        let Some(path) = self.newest_journal() else { return };
        let folder = self.removed.path().join("journal");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::rename(&path, folder.join(path.file_name().unwrap())).unwrap();
    }

    fn newest_journal(&self) -> Option<PathBuf> {
        let newest = journal::sequences(self.directory.path()).unwrap().pop()?;
        Some(self.directory.path().join(journal::name(newest)))
    }

    // ---- What must hold ----

    /// Number of batches whose caller got an error.
    pub fn refused(&self) -> usize {
        self.sent.lock().iter().filter(|sent| matches!(sent.got, Some(Err(_)))).count()
    }

    /// All threads have ended: maintenance repairs the store and commits what is queued. Then every batch has one
    /// outcome, what is acknowledged is in the journal and in the store once, and a start finds the same.
    pub fn check(&self) {
        // A change after the last batch shows only when the next one is written.
        for name in ["late 1", "late 2", "late 3", "last"] {
            self.write_all(&[name]);
            self.repair();
        }
        assert_eq!(self.store.fault(), None);
        while self.store.commit_group() {}
        let replayed = self.check_callers();
        self.check_counts();
        assert!(self.sent.lock().iter().any(|sent| sent.name == "last" && matches!(sent.got, Some(Ok(_)))));
        assert_eq!(rows(&self.store.store), rows(&replayed), "the store has what was acknowledged, and nothing else");
        assert_eq!(rows(&self.store.store), rows(&self.reopened()), "a start finds what the store has");
    }

    /// What was counted is what callers got: each batch that succeeded once, and no other one.
    fn check_counts(&self) {
        let sent = self.sent.lock();
        let succeeded = sent.iter().filter_map(|sent| sent.pending.outcome.get()?.as_ref().ok());
        let mut expected = BatchOutcome::default();
        succeeded.for_each(|outcome| expected += *outcome);
        let sources = self.store.source_counts();
        let sum = |count: fn(&SourceCounts) -> u64| sources.iter().map(|(_, counts)| count(counts)).sum::<u64>();
        let counted = [sum(|counts| counts.accepted), sum(|counts| counts.replaced), sum(|counts| counts.duplicates)];
        assert_eq!(counted, [expected.accepted, expected.replaced, expected.duplicates].map(|count| count as u64));
        assert_eq!(self.store.journal_bytes(), self.store.journal.lock().bytes());
        assert_eq!(self.store.queued_bytes(), 0);
    }

    /// All threads have ended, one of which has deleted: nothing of that is left, and a start finds what the store has.
    pub fn check_deleted(&self) {
        let expired = self.store.store.export((0, LATE_S * 1_000_000), (0, 0), 1_000).unwrap();
        assert!(expired.is_none(), "a deleted record came back");
        assert_eq!(rows(&self.store.store), rows(&self.reopened()), "a start finds what the store has");
        let outcomes: Vec<_> = self.sent.lock().iter().map(|sent| sent.got.is_some()).collect();
        assert!(outcomes.iter().all(|answered| *answered));
    }

    /// As [`World::check`], after the panic of a thread that committed: the store stays as it was then.
    pub fn check_interrupted(&self) {
        let acknowledged = self.check_callers();
        assert_eq!(rows(&self.store.store), rows(&acknowledged), "nothing is applied after the panic");
        let fault = self.store.fault().unwrap();
        assert!(fault.contains("restart"), "{fault}");
        self.repair();
        assert!(!self.flush(), "a flush would make durable what is in memory");
        assert!(self.store.begin_flush(false).is_err());
        assert_eq!(self.store.fault(), Some(fault), "only a start ends it");
        self.write_all(&["late"]);
        assert!(matches!(&self.sent.lock().last().unwrap().got, Some(Err(Error::ReadOnly(_)))));
        let reopened = rows(&self.reopened());
        assert!(
            self.acknowledged().iter().all(|name| reopened.iter().any(|row| row.contains(name.as_str()))),
            "a start finds them"
        );
    }

    fn acknowledged(&self) -> Vec<String> {
        let sent = self.sent.lock();
        sent.iter().filter(|sent| matches!(sent.pending.outcome.get(), Some(Ok(_)))).map(|sent| sent.name.clone()).collect()
    }

    /// Checks what each caller got against the frames of the journal. Returns a store to which the acknowledged ones
    /// were applied in their order.
    fn check_callers(&self) -> Store {
        let frames = self.frames();
        for sent in self.sent.lock().iter() {
            let name = &sent.name;
            let count = frames.iter().filter(|(found, _)| found == name).count();
            match (sent.pending.outcome.get(), &sent.got) {
                (Some(Ok(outcome)), Some(Ok(got))) => assert_eq!(outcome, got),
                (Some(Ok(_)), None | Some(Err(Error::Cancelled))) => {}
                // A file that was removed during the write has the batch; so does one whose batch was not applied.
                (Some(Err(_)), None | Some(Err(Error::ReadOnly(_) | Error::Cancelled))) => assert!(count <= 1, "{name}"),
                (outcome, got) => panic!("the batch {name} has the outcome {outcome:?}, and its caller got {got:?}"),
            }
            assert!(count == 1 || matches!(sent.pending.outcome.get(), Some(Err(_))), "{name} is in {count} frames");
        }
        self.replayed(&frames)
    }

    fn replayed(&self, frames: &[(String, Vec<u8>)]) -> Store {
        let sent = self.sent.lock();
        let outcomes: HashMap<_, _> = sent.iter().map(|sent| (&sent.name, sent.pending.outcome.get())).collect();
        let store = new_store();
        for (name, batch) in frames {
            if let Some(Ok(outcome)) = outcomes[name] {
                let written = ColumnarBatch::from_journal(batch).unwrap();
                if name.starts_with(CORRECTION) {
                    check_resolved(&store, name, &written);
                }
                let applied = store.apply(&written, received_us(name));
                assert_eq!(applied, *outcome, "{name} is applied in the order of the frames");
            }
        }
        store
    }

    /// Name and content of all batches in the journal, removed files included, in order.
    fn frames(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = BTreeMap::new();
        for directory in [self.removed.path(), self.directory.path()] {
            files.extend(journal::sequences(directory).unwrap().into_iter().map(|sequence| (sequence, directory)));
        }
        let mut frames = Vec::new();
        for (sequence, directory) in files {
            let read = |frame: &Frame<'_>| {
                let batch = ColumnarBatch::from_journal(frame.batch)?;
                frames.push((batch.fields().key(0).1.to_owned(), frame.batch.to_vec()));
                Ok(())
            };
            journal::replay(directory, sequence, read).unwrap();
        }
        frames
    }

    /// The store as a start finds it.
    fn reopened(&self) -> Store {
        let catalogue = self.catalogue.lock();
        let (directory, store) = (self.directory.path(), new_store());
        for (day, written) in &catalogue.segments {
            let tombstones = catalogue.tombstones.get(&written.name).map(|rows| RowSet::clone(rows)).unwrap_or_default();
            store.open_segment(directory, *day, written, tombstones, false);
        }
        catalogue.active.iter().for_each(|written| store.open_active_snapshot(directory, written).unwrap());
        for sequence in journal::sequences(directory).unwrap() {
            if sequence >= catalogue.first_journal {
                let apply = |frame: &Frame<'_>| {
                    store.apply(&ColumnarBatch::from_journal(frame.batch)?, frame.received_us);
                    Ok(())
                };
                journal::replay(directory, sequence, apply).unwrap();
            }
        }
        store
    }
}

fn new_directory() -> TempDir {
    let in_memory = tempfile::tempdir_in(MEMORY);
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

fn new_store() -> Store {
    Store::new(Tuning { helper_thread_count: 1, ..Tuning::default() }, MemoryLimits::default())
}

fn copy_of(got: &Result<BatchOutcome>) -> Result<BatchOutcome> {
    match got {
        Ok(outcome) => Ok(*outcome),
        Err(Error::ReadOnly(fault)) => Err(Error::ReadOnly(fault.clone())),
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => panic!("{error}"),
    }
}

/// Checks that a frame has the versions that corrections are after all frames before it.
fn check_resolved(store: &Store, name: &str, written: &ColumnarBatch) {
    let sent = ColumnarBatch::from_wire(&batch(name), 1, &Scrubbing::default(), |_| None).unwrap();
    let resolved = store.resolve(&sent, true, None);
    let written: Vec<_> = (0..written.rows()).map(|row| (row, written.fields().record(row))).collect();
    let versions: Vec<_> = resolved.versions.iter().map(ResolvedVersion::record).enumerate().collect();
    assert_eq!(versions, written, "{name} is resolved after the frames before it");
}

/// A different time for each name of a batch.
fn received_us(name: &str) -> i64 {
    name.bytes().fold(0, |sum, byte| sum * 256 % 1_000_003 + i64::from(byte))
}

/// A batch of a call of its own, and of versions of a finished and of an active session that all batches share. Which
/// version comes first shows in the outcomes.
fn batch(name: &str) -> Vec<u8> {
    let setup_s = if name.starts_with("late") { LATE_S } else { 1 };
    let record = |session_id: &str, end_s: Option<i64>| SessionRecord {
        session_id: Some(session_id.to_owned()),
        revision: Some(received_us(name)),
        setup_time: Some(prost_types::Timestamp { seconds: setup_s, nanos: 0 }),
        end_time: end_s.map(|seconds| setup_s + seconds).map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
        account_id: Some(name.to_owned()),
        // Shows in a record that late versions have joined.
        folder: (setup_s < LATE_S).then(|| name.to_owned()),
        ..SessionRecord::default()
    };
    let mut records = vec![record(name, Some(2)), record("finished", Some(3)), record("active", None)];
    let correct = name.starts_with(CORRECTION).then_some(true);
    if correct.is_some() {
        // Only sessions that have ended can be corrected.
        records.retain(|record| record.end_time.is_some());
    }
    WriteRecordsRequest { batch_id: Some(name.to_owned()), records, correct, ..Default::default() }.encode_to_vec()
}

/// All records of a store as texts, in order.
fn rows(store: &Store) -> Vec<String> {
    let (mut rows, mut cursor) = (Vec::new(), (0, 0));
    while let Some((stream, next)) = store.export((0, 1_000_000_000), cursor, 1_000).unwrap() {
        for batch in StreamReader::try_new(stream.as_slice(), None).unwrap() {
            let batch = batch.unwrap();
            rows.extend((0..batch.num_rows()).map(|row| format!("{:?}", batch.slice(row, 1).columns())));
        }
        cursor = next;
    }
    rows.sort();
    rows
}
