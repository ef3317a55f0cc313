//! Group commit: one write and one `fdatasync` make the batches of many callers durable.
//!
//! Leader and followers: every caller enqueues its batch and then asks for the journal's lock. The one that
//! gets it takes a group from the queue, appends and syncs its frames, and applies its batches to the store
//! in the order of their frames. The callers of the other batches find their outcome set when they get the
//! lock. (DeWitt et al., [Implementation Techniques for Main Memory Database
//! Systems](https://doi.org/10.1145/602259.602261), 1984.)
//!
//! Invariants: no batch is applied before it is durable; batches are applied in the order of the journal, so
//! that a replay gives the same store; a correction is resolved against all batches before it, and its frame has the
//! versions that it became (`correction.rs`); the lock of the journal is taken before that of the queue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use super::back_pressure::PendingCommit;
use super::back_pressure::{CommitQueue, PendingResolution, Push};
use super::commit_counters::{CommitCounters, CommitCounts};
use super::disk_fault::{JournalWriter, PreparedJournal};
use super::journal::{self, Frame, Journal};
use super::required_files::{FileStatus, MissingFile, RequiredFile, RequiredFiles};
use super::sync::{AtomicBool, Mutex, OnceLock};
use crate::cancellation::CancelToken;
use crate::error::{Error, Result};
use crate::memory::MemoryLimits;
use crate::record::data_scope::DataScope;
use crate::record::deletion::DeletionRules;
use crate::record::new_record::NewRecordRules;
use crate::record::scrubbing::Scrubbing;
use crate::record::{Record, RejectReason};
use crate::storage::segment::ManifestEntry;
use crate::storage::{BatchOutcome, Flush, SourceCounters, SourceCounts, Store};
use crate::tuning::Tuning;
use crate::wire::columnar_batch::ColumnarBatch;
use crate::wire::{self, BatchLimits};

/// Time for which a caller waits for the journal's lock without a look at its cancellation token.
const WAIT_STEP: Duration = Duration::from_millis(20);

/// The fault after a panic during a commit.
const INTERRUPTED: &str =
    "a commit was interrupted by an error of the service itself; it needs a restart, which reads the journal";

/// Limits of one batch and of the queue.
#[derive(Clone, Copy, Debug)]
pub struct CommitLimits {
    /// Limits of one batch.
    pub batch: BatchLimits,
    /// Maximum seconds between the setup and the end of a new record.
    pub call_seconds: i64,
    /// Maximum bytes of the batches that wait for a commit; see `back_pressure.rs`.
    pub waiting_bytes: usize,
    /// Maximum sources whose records are counted by name.
    pub counted_sources: usize,
}

/// A store that makes each batch durable in a journal before it applies it.
pub struct JournaledStore {
    /// The records.
    pub store: Store,
    directory: PathBuf,
    limits: CommitLimits,
    rules: NewRecordRules,
    queue: Mutex<CommitQueue>,
    journal: Mutex<JournalWriter>,
    /// Whether a journal file is open, to be asked without waiting for a sync.
    has_journal: AtomicBool,
    required: Mutex<RequiredFiles>,
    commits: CommitCounters,
    sources: SourceCounters,
    /// Bytes of the journal files that the next start has to replay, to be read without waiting for a sync.
    journal_bytes: AtomicU64,
}

impl JournaledStore {
    /// Creates an empty store for a data directory. The caller then opens the files that the catalogue names
    /// and calls [`JournaledStore::replay`].
    pub fn new(directory: &Path, limits: CommitLimits, memory: MemoryLimits, tuning: Tuning) -> Self {
        Self {
            store: Store::new(tuning, memory),
            directory: directory.to_owned(),
            limits,
            rules: NewRecordRules::new(limits.call_seconds),
            queue: Mutex::default(),
            journal: Mutex::default(),
            has_journal: AtomicBool::new(false),
            required: Mutex::default(),
            commits: CommitCounters::default(),
            sources: SourceCounters::new(limits.counted_sources),
            journal_bytes: AtomicU64::new(0),
        }
    }

    /// Applies the batches of a journal file, scrubbed, and returns its length in bytes. With `accept_loss`, a corrupt batch ends
    /// the file, and those before it are applied.
    ///
    /// # Errors
    /// `Io` if the file cannot be read, `Damaged` if it is corrupt.
    pub fn replay(&self, sequence: u64, accept_loss: bool) -> Result<u64> {
        let replayed = journal::replay(&self.directory, sequence, |frame| {
            let row_count_min = self.store.tuning().batch_dictionary_row_count_min;
            let batch = ColumnarBatch::from_journal(frame.batch)?.scrubbed(&self.store.scrubbing(), row_count_min)?;
            let (_, sources) = self.store.apply_by_source(&batch, frame.received_us);
            self.sources.note_setups(sources.iter().map(|source| (source.source, source.last_setup_us)));
            Ok(())
        });
        let name = journal::name(sequence);
        let metadata = match replayed {
            Err(Error::Damaged { .. }) if accept_loss => {
                let path = self.directory.join(&name);
                path.metadata().map_err(|source| Error::io(&path, source))?
            }
            replayed => replayed?,
        };
        let mut writer = self.journal.lock();
        writer.note_replayed(sequence, metadata.len());
        self.note_journal(&writer);
        drop(writer);
        let status = FileStatus::of_content(&metadata);
        self.required.lock().require_journal(sequence, RequiredFile { name, status });
        Ok(metadata.len())
    }

    /// Sets the deletions that later batches are checked against. If one is at work, it may look for its records once this
    /// returns: no batch changes them afterwards.
    ///
    /// A batch is checked before it waits for its commit. So all that were checked before are applied; and this again, for
    /// those that were checked against the new deletions, but not yet against the records of the former.
    pub fn use_deletions(&self, rules: DeletionRules) {
        let rules = Arc::new(rules);
        let former = self.queue.lock().set_rules(&rules);
        drop(former);
        if rules.in_progress().is_some() {
            self.commit_queued();
            drop(self.queue.lock().set_rules(&rules));
            self.commit_queued();
        }
    }

    /// Sets the numbers to erase and mask from now on. Once this returns, the journal gets none of them any more: batches that
    /// were decoded before are applied.
    pub fn use_scrubbing(&self, scrubbing: Scrubbing) {
        let scrubbing = Arc::new(scrubbing);
        self.store.use_scrubbing(&scrubbing);
        let former = self.queue.lock().set_scrubbing(&scrubbing);
        drop(former);
        self.commit_queued();
    }

    /// Commits the batches that wait at present; returns once they are applied or have failed.
    fn commit_queued(&self) {
        let count = self.queue.lock().pushed();
        loop {
            let mut writer = self.journal.lock();
            let group = {
                let mut queue = self.queue.lock();
                // Whoever took the last ones had the journal's lock until they were applied.
                if queue.has_taken(count) {
                    return;
                }
                queue.take_group(self.store.tuning().commit_group_bytes)
            };
            self.commit(&mut writer, &group);
        }
    }

    /// Blocks until a batch is durable and applied. The first caller to get the journal's lock commits the
    /// next group.
    ///
    /// # Errors
    /// - `ReadOnly` if the batch could not be made durable; the store does not have it then; a restart
    ///   may still find it, and sending it again is harmless.
    /// - `Cancelled` or `DeadlinePassed` while another caller commits; the batch stays in the queue.
    pub fn wait(&self, pending: &PendingCommit, cancel: &CancelToken) -> Result<BatchOutcome> {
        while pending.outcome.get().is_none() {
            let Some(mut writer) = self.journal.try_lock_for(WAIT_STEP) else {
                cancel.check()?;
                continue;
            };
            if pending.outcome.get().is_none() {
                let group = self.queue.lock().take_group(self.store.tuning().commit_group_bytes);
                self.commit(&mut writer, &group);
            }
        }
        match pending.outcome.get() {
            Some(Ok(outcome)) => Ok(*outcome),
            Some(Err(problem)) => Err(Error::ReadOnly(problem.clone())),
            None => Err(Error::ReadOnly("the batch was not written".to_owned())),
        }
    }

    /// Returns the `WriteRecordsResponse` of a batch, up to its rejected records, once it is durable; see
    /// [`JournaledStore::wait`].
    ///
    /// # Errors
    /// As [`JournaledStore::wait`].
    pub fn wait_for_response_head(&self, pending: &PendingCommit, cancel: &CancelToken) -> Result<Vec<u8>> {
        let BatchOutcome { accepted, replaced, duplicates, outranked, suspected_reuse } = self.wait(pending, cancel)?;
        let dropped_alert_times = pending.batch.rejected.dropped_alert_time_count();
        let counts = [accepted, replaced, duplicates, outranked, suspected_reuse, dropped_alert_times];
        Ok(wire::encode_response_head(pending.batch.batch_id.as_deref(), counts))
    }

    /// Commits one group, including batches whose caller has disconnected. Returns false if the queue was
    /// empty.
    pub fn commit_group(&self) -> bool {
        let mut writer = self.journal.lock();
        let group = self.queue.lock().take_group(self.store.tuning().commit_group_bytes);
        if !group.is_empty() {
            self.commit(&mut writer, &group);
        }
        !group.is_empty()
    }

    /// Why the store is read-only, if it is; see `disk_fault.rs`.
    pub fn fault(&self) -> Option<String> {
        self.journal.lock().any_fault()
    }

    /// Whether the next start may apply batches that were refused, until a flush with an active snapshot.
    pub fn may_have_refused_frames(&self) -> bool {
        self.journal.lock().may_have_refused_frames()
    }

    /// Whether a journal file is open, so that batches can be committed. Takes no lock.
    pub fn has_journal(&self) -> bool {
        self.has_journal.load(Ordering::Acquire)
    }

    /// Creates the next journal file, without using it, and returns its sequence number: the catalogue must name it
    /// before [`JournaledStore::use_journal`] or [`JournaledStore::begin_flush`] switch to it. A file that was created
    /// before and not used may be that one. Calls must not overlap.
    ///
    /// # Errors
    /// `Io` if the file cannot be created, or if a trial write after a fault fails; this sets the fault. `ReadOnly` if the
    /// fault lasts until the next start.
    pub fn create_journal(&self) -> Result<u64> {
        {
            let writer = self.journal.lock();
            writer.require_whole_memory()?;
            if let Some(sequence) = writer.reusable(self.store.tuning().trial_write_bytes_min) {
                return Ok(sequence);
            }
        }
        let created = self.try_create_journal();
        let mut writer = self.journal.lock();
        match created {
            Ok(prepared) => {
                let sequence = prepared.journal.sequence;
                writer.prepare(prepared);
                Ok(sequence)
            }
            Err(error) => {
                if writer.journal.is_none() {
                    writer.fault = Some(error.to_string());
                }
                Err(error)
            }
        }
    }

    /// Creates the file outside the lock, as several syncs would block the commits meanwhile.
    fn try_create_journal(&self) -> Result<PreparedJournal> {
        let last_on_disk = journal::sequences(&self.directory)?.pop().unwrap_or_default();
        let next = self.journal.lock().reserve(last_on_disk, self.store.tuning().trial_write_bytes_min);
        let journal = Journal::create(&self.directory, next.sequence, next.predecessor, next.trial_bytes)?;
        Ok(PreparedJournal { journal, trial_bytes: next.trial_bytes })
    }

    /// Commits later batches to the file that [`JournaledStore::create_journal`] created. Ends a fault.
    ///
    /// # Errors
    /// `ReadOnly` if there is none.
    pub fn use_journal(&self) -> Result<()> {
        self.switch(&mut self.journal.lock()).map(drop)
    }

    /// Makes the store read-only until [`JournaledStore::use_journal`].
    pub fn set_fault(&self, fault: String) {
        self.fail(&mut self.journal.lock(), fault);
    }

    /// Replaces the required files other than journal files; see `required_files.rs`.
    pub fn require_files(&self, files: Vec<RequiredFile>) {
        self.required.lock().require(files);
    }

    /// A required file that is missing, which makes the store read-only.
    pub fn missing_file(&self) -> Option<MissingFile> {
        let missing = self.required.lock().missing(&self.directory)?;
        self.set_fault(missing.to_string());
        Some(missing)
    }

    /// Bytes of the journal files that the next start has to replay. Takes no lock.
    pub fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Ordering::Relaxed)
    }

    /// Notes the files of the journal after a change.
    fn note_journal(&self, writer: &JournalWriter) {
        self.journal_bytes.store(writer.bytes(), Ordering::Relaxed);
    }

    /// What was committed since the store was created.
    pub fn commit_counts(&self) -> CommitCounts {
        self.commits.counts()
    }

    /// The records that were written since then, by source.
    pub fn source_counts(&self) -> Vec<(String, SourceCounts)> {
        self.sources.counts()
    }

    /// The rejected records by source that it has not returned before; see [`SourceCounters::take_rejected`].
    pub fn take_rejected(&self) -> Vec<(String, BTreeMap<RejectReason, u64>)> {
        self.sources.take_rejected()
    }

    /// Present bytes of the batches that wait for a commit.
    pub fn queued_bytes(&self) -> usize {
        self.queue.lock().bytes()
    }

    /// Loads a file of the active snapshot; see [`Store::open_active_snapshot`].
    ///
    /// # Errors
    /// As there.
    pub fn open_active_snapshot(&self, written: &ManifestEntry) -> Result<()> {
        self.store.open_active_snapshot(&self.directory, written)?;
        let setups = self.store.latest_active_setups();
        self.sources.note_setups(setups.iter().map(|(source, setup_us)| (&**source, Some(*setup_us))));
        Ok(())
    }

    /// Begins a flush. With `with_active`, later batches go to the file that [`JournaledStore::create_journal`]
    /// created, and its sequence number is returned: once the catalogue has the flush, the files before it can be
    /// released and removed.
    ///
    /// # Errors
    /// `ReadOnly` if no file was created, or if a commit was interrupted; nothing has changed then.
    pub fn begin_flush(&self, with_active: bool) -> Result<(Flush, Option<u64>)> {
        // Under the lock, so that no batch is both in a file before and missing in the flush, and none half applied.
        let mut writer = self.journal.lock();
        writer.require_whole_memory()?;
        if !with_active {
            return Ok((self.store.begin_flush(false), None));
        }
        let sequence = self.switch(&mut writer)?;
        Ok((self.store.begin_flush(true), Some(sequence)))
    }

    /// Requires the journal files before sequence number `first` no more: their batches are in files that the
    /// catalogue names. Ends the fault that one of them was missing.
    pub fn release_journal_before(&self, first: u64) {
        let mut writer = self.journal.lock();
        writer.release_before(first);
        self.note_journal(&writer);
        let mut required = self.required.lock();
        required.release_journals_before(first);
        if writer.journal.is_some() {
            writer.fault = required.missing(&self.directory).map(|missing| missing.to_string());
        }
    }

    /// Removes the journal files before sequence number `first`, which were released.
    ///
    /// # Errors
    /// `Io` if the operating system refuses to remove one of them, once the others are removed; the next start removes
    /// it.
    pub fn remove_journal_before(&self, first: u64) -> Result<()> {
        let released = journal::sequences(&self.directory)?.into_iter().filter(|&sequence| sequence < first);
        let removed: Vec<Result<()>> = released.map(|sequence| journal::remove(&self.directory, sequence)).collect();
        removed.into_iter().collect()
    }

    /// Commits a group: each batch to resolve alone, and the batches between two of them together. If the disk refuses some
    /// (for example with ENOSPC), or if a required file is missing, these get the error and are not applied, nor are
    /// those after them that need the disk; see `disk_fault.rs`.
    fn commit(&self, writer: &mut JournalWriter, group: &[Arc<PendingCommit>]) {
        let commit = CommitInProgress { store: self, writer, group };
        for batches in group.chunk_by(|one, next| one.resolution.is_none() && next.resolution.is_none()) {
            let resolution = batches[0].resolution.as_ref();
            let committed = match resolution {
                Some(resolution) => self.commit_resolved(commit.writer, &batches[0], resolution),
                None => self.commit_together(commit.writer, batches),
            };
            if let Err(error) = committed {
                // Without the words that `ReadOnly` begins with: `wait` makes the error anew.
                let fault = if let Error::ReadOnly(fault) = error { fault } else { error.to_string() };
                batches.iter().for_each(|pending| pending.finish(Err(fault.clone())));
            }
        }
    }

    /// Makes batches durable, then applies them.
    fn commit_together(&self, writer: &mut JournalWriter, batches: &[Arc<PendingCommit>]) -> Result<()> {
        let frames: Vec<&[u8]> = batches.iter().map(|pending| pending.frame.as_slice()).collect();
        self.append(writer, &frames)?;
        batches.iter().for_each(|pending| self.succeed(pending, self.apply(pending, &pending.batch)));
        Ok(())
    }

    fn apply(&self, pending: &PendingCommit, batch: &ColumnarBatch) -> BatchOutcome {
        #[cfg(test)]
        tests::panic_if_asked(&pending.batch);
        let (outcome, sources) = self.store.apply_by_source(batch, pending.received_us);
        self.sources.note_written(&sources, pending.received_us);
        outcome
    }

    /// Publishes the outcome of a batch that was committed, once its rejected records are counted.
    fn succeed(&self, pending: &PendingCommit, outcome: BatchOutcome) {
        self.sources.note_rejected(pending.rejected());
        pending.finish(Ok(outcome));
    }

    fn append(&self, writer: &mut JournalWriter, frames: &[&[u8]]) -> Result<()> {
        let sync_time = writer.append(frames).inspect_err(|error| {
            if !matches!(error, Error::ReadOnly(_)) {
                self.fail(writer, error.to_string());
            }
        })?;
        self.note_journal(writer);
        // Last, so that a file which was removed during the write is noticed too.
        let missing = self.required.lock().missing(&self.directory);
        if let Some(missing) = missing {
            self.fail(writer, missing.to_string());
            return Err(Error::ReadOnly(missing.to_string()));
        }
        self.commits.note(frames.len(), sync_time);
        Ok(())
    }

    fn switch(&self, writer: &mut JournalWriter) -> Result<u64> {
        let closed = writer.switch()?;
        self.note_journal(writer);
        let mut required = self.required.lock();
        closed.iter().for_each(|journal| required.close_journal(journal.sequence, journal.content_status()));
        writer.journal.iter().for_each(|journal| required.require_journal(journal.sequence, journal.required()));
        // A file before this one that is missing stays a fault until the catalogue needs it no more.
        writer.fault = required.missing(&self.directory).map(|missing| missing.to_string());
        self.has_journal.store(true, Ordering::Release);
        Ok(writer.last_sequence)
    }

    /// Sets a fault that only the next start ends.
    fn fail_for_good(&self, writer: &mut JournalWriter, fault: &str) {
        writer.lasting_fault = Some(fault.to_owned());
        self.fail(writer, fault.to_owned());
    }

    fn fail(&self, writer: &mut JournalWriter, fault: String) {
        let closed = writer.fail(fault);
        self.note_journal(writer);
        if let Some(closed) = closed {
            self.required.lock().close_journal(closed.sequence, closed.content_status());
        }
        self.has_journal.store(false, Ordering::Release);
    }
}

/// A commit that leaves no caller waiting: if it panics, the batches without an outcome get an error, and no later batch
/// is applied to what it left.
struct CommitInProgress<'a> {
    store: &'a JournaledStore,
    writer: &'a mut JournalWriter,
    group: &'a [Arc<PendingCommit>],
}

impl Drop for CommitInProgress<'_> {
    fn drop(&mut self) {
        let unfinished: Vec<_> = self.group.iter().filter(|pending| pending.outcome.get().is_none()).collect();
        if !unfinished.is_empty() {
            self.store.fail_for_good(self.writer, INTERRUPTED);
            unfinished.iter().for_each(|pending| pending.finish(Err(INTERRUPTED.to_owned())));
        }
    }
}

mod correction;
mod moving;
mod submission;

#[cfg(test)]
mod tests;
