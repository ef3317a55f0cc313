//! Group commit: batches of many callers become durable with one flush, then show in the store in the same order.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::back_pressure::CommitQueue;
pub use super::back_pressure::PendingCommit;
use super::disk_fault::JournalWriter;
use super::journal::{self, Frame, Journal};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::storage::{BatchOutcome, Flush, Store};
use crate::wire::columnar_batch::ColumnarBatch;

/// What one batch, and all that wait, may have.
#[derive(Clone, Copy, Debug)]
pub struct CommitLimits {
    /// Records of a batch.
    pub batch_rows: usize,
    /// Bytes that wait to be made durable.
    pub waiting_bytes: usize,
}

/// A store whose batches are made durable in a journal.
pub struct JournaledStore {
    /// The records.
    pub store: Store,
    directory: PathBuf,
    limits: CommitLimits,
    queue: Mutex<CommitQueue>,
    journal: Mutex<JournalWriter>,
}

impl JournaledStore {
    /// A store with no records yet in a data directory, to be filled with what the catalogue names, and then by
    /// [`JournaledStore::replay`].
    pub fn new(directory: &Path, limits: CommitLimits) -> Self {
        let writer = JournalWriter { journal: None, next_sequence: 1, older_bytes: 0, fault: None };
        Self {
            store: Store::default(),
            directory: directory.to_owned(),
            limits,
            queue: Mutex::default(),
            journal: Mutex::new(writer),
        }
    }

    /// Takes the batches of all journal files from number `first` on back into memory.
    ///
    /// # Errors
    /// `Io` where a file cannot be read, `Damaged` where one is not what was written.
    pub fn replay(&self, first: u64) -> Result<()> {
        let mut writer = self.journal.lock();
        let mut before = None;
        for sequence in journal::sequences(&self.directory)?.into_iter().filter(|&sequence| sequence >= first) {
            writer.next_sequence = writer.next_sequence.max(sequence + 1);
            let bytes = self.replay_file(sequence)?;
            writer.older_bytes += bytes;
            // Beside the owner: a file is made before it is used, and the one before it may have gone on meanwhile.
            if let Some((before, known)) = before.replace((sequence, bytes))
                && journal::bytes_of(&self.directory, before)? != known
            {
                writer.older_bytes += self.replay_file(before)? - known;
            }
        }
        writer.next_sequence = writer.next_sequence.max(first);
        Ok(())
    }

    fn replay_file(&self, sequence: u64) -> Result<u64> {
        journal::replay(&self.directory, sequence, |frame| {
            self.store.apply(&ColumnarBatch::from_journal(frame.batch)?, frame.received_us);
            Ok(())
        })
    }

    /// Takes a `WriteRecordsRequest` on its way to the disk. Records set up before `oldest_us` are rejected, but for events
    /// of sessions that are still active. Where as much waits as may, the caller writes some of it first.
    ///
    /// # Errors
    /// `MalformedBatch` or `BatchLimit`.
    pub fn submit(&self, bytes: &[u8], received_us: i64, oldest_us: i64) -> Result<Arc<PendingCommit>> {
        let is_too_old = |record: &Record<'_>| record.setup_us() < oldest_us && !self.store.is_active(record);
        let batch = ColumnarBatch::from_wire(bytes, is_too_old)?;
        let (asked, allowed) = (batch.rows() + batch.rejected.len(), self.limits.batch_rows);
        if asked > allowed {
            return Err(Error::BatchLimit { asked, allowed });
        }
        let empty = batch.rows() == 0;
        let frame = if empty { Vec::new() } else { Frame { received_us, batch: &batch.to_journal()? }.to_bytes() };
        let pending = Arc::new(PendingCommit { batch, received_us, frame, outcome: OnceLock::new() });
        if empty {
            // Nothing of it needs to be durable.
            pending.finish(Ok(BatchOutcome::default()));
            return Ok(pending);
        }
        while !self.queue.lock().try_push(&pending, self.limits.waiting_bytes) {
            self.commit_group();
        }
        Ok(pending)
    }

    /// Returns once a batch survives a power cut and shows in the store. Whoever comes first writes for all that wait.
    ///
    /// # Errors
    /// `ReadOnly` where it could not be made durable.
    pub fn wait(&self, pending: &PendingCommit) -> Result<BatchOutcome> {
        while pending.outcome.get().is_none() {
            let mut writer = self.journal.lock();
            if pending.outcome.get().is_none() {
                let group = self.queue.lock().take_group();
                self.commit(&mut writer, &group);
            }
        }
        match pending.outcome.get() {
            Some(Ok(outcome)) => Ok(*outcome),
            Some(Err(problem)) => Err(Error::ReadOnly(problem.clone())),
            None => Err(Error::ReadOnly("the batch was not written".to_owned())),
        }
    }

    /// Makes batches that wait durable, those that nobody waits for any more among them; false where none waits.
    pub fn commit_group(&self) -> bool {
        let mut writer = self.journal.lock();
        let group = self.queue.lock().take_group();
        if !group.is_empty() {
            self.commit(&mut writer, &group);
        }
        !group.is_empty()
    }

    /// Why nothing can be made durable now.
    pub fn fault(&self) -> Option<String> {
        self.journal.lock().fault.clone()
    }

    /// After a failure, tries whether a new file can be begun; no batch is needed for that.
    pub fn reopen_after_fault(&self) {
        let mut writer = self.journal.lock();
        if writer.fault.is_some() {
            // What stands in the way is kept as the fault.
            drop(writer.open(&self.directory));
        }
    }

    /// Bytes of the journal files that the next start would read.
    pub fn journal_bytes(&self) -> u64 {
        let writer = self.journal.lock();
        writer.older_bytes + writer.journal.as_ref().map_or(0, Journal::bytes)
    }

    /// Begins a seal. With `with_active` the batches from now on go to a new journal file, whose number is given too:
    /// once the seal is in the catalogue, the files before it are not needed any more.
    ///
    /// # Errors
    /// `Io` where the new file cannot be made; nothing has changed then.
    pub fn begin_flush(&self, with_active: bool) -> Result<(Flush, Option<u64>)> {
        if !with_active {
            return Ok((self.store.begin_flush(false), None));
        }
        // Made before the lock is taken, as that takes several flushes.
        let sequence = self.journal.lock().take_sequence();
        let next = Journal::create(&self.directory, sequence)?;
        let mut writer = self.journal.lock();
        writer.older_bytes += writer.journal.replace(next).map_or(0, |journal| journal.bytes());
        writer.fault = None;
        Ok((self.store.begin_flush(true), Some(sequence)))
    }

    /// Removes the journal files before `first`, which the catalogue does not need any more.
    ///
    /// # Errors
    /// `Io` where the operating system refuses; the next start removes them.
    pub fn drop_journal(&self, first: u64) -> Result<()> {
        self.journal.lock().older_bytes = 0;
        for sequence in journal::sequences(&self.directory)?.into_iter().filter(|&sequence| sequence < first) {
            journal::remove(&self.directory, sequence)?;
        }
        Ok(())
    }

    fn commit(&self, writer: &mut JournalWriter, group: &[Arc<PendingCommit>]) {
        match writer.append(&self.directory, group.iter().map(|pending| pending.frame.as_slice())) {
            Err(error) => group.iter().for_each(|pending| pending.finish(Err(error.to_string()))),
            Ok(()) => {
                for pending in group {
                    pending.finish(Ok(self.store.apply(&pending.batch, pending.received_us)));
                }
            }
        }
    }
}
