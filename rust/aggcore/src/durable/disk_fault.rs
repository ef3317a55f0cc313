//! Disk full and other disk faults: what the store does after the journal could not be written.
//!
//! If an append or a sync fails (for example with ENOSPC), every batch of the group gets the error and none
//! of them is applied to the store. The file is abandoned, because `fsync` must not be retried on the same
//! descriptor: the kernel may have dropped the dirty pages, and the second call would report success (Rebello
//! et al., [Can Applications Recover from fsync
//! Failures?](https://www.usenix.org/conference/atc20/presentation/rebello), 2020). The same happens if a
//! required file is missing (see `required_files.rs`). Until the caller has created a new file and the catalogue
//! names it, [`JournalWriter::fault`] is set and the store is read-only: reports go on, batches get
//! [`Error::ReadOnly`].
//!
//! **Trial write.** On a nearly full disk an empty file can be created although no batch fits. So a file that
//! follows a fault first takes a trial write as large as the append that failed, at least
//! [`Tuning::trial_write_bytes_min`](crate::tuning::Tuning::trial_write_bytes_min).
//!
//! **Refused batches may be durable.** The file that failed may have whole frames of them, which the next start applies.
//! That is harmless for versions that rank by themselves. A correction ranks above what the store holds, and it must outrank
//! what a start may find besides: until the failed file is released, [`JournalWriter::require_no_refused_frames`] fails.

use std::time::Duration;

use super::journal::Journal;
use crate::error::{Error, Result};

/// The journal file that takes the next frames, or the fault that prevents one.
#[derive(Default)]
pub struct JournalWriter {
    /// `None` before the first batch and after a fault.
    pub journal: Option<Journal>,
    /// A file that was created to follow `journal`. It takes no frames before the catalogue names it.
    prepared: Option<PreparedJournal>,
    /// Files that were prepared before that one. A transaction of the catalogue that failed may have named them all
    /// the same, until another one has named the prepared file.
    unused: Vec<Journal>,
    /// Sequence number of the last file that took, or may have taken, frames; 0 for none.
    pub last_sequence: u64,
    /// Sequence number of the last file that was created.
    last_created: u64,
    /// Sequence numbers and bytes of the files before the open one that the next start still reads.
    older: Vec<(u64, u64)>,
    /// Why the store is read-only.
    pub fault: Option<String>,
    /// Why it is read-only until the next start: what memory has may differ from the journal, which a new file does not mend.
    pub lasting_fault: Option<String>,
    /// Bytes of the append that failed last.
    failed_bytes: usize,
    /// Sequence number of the last file that failed, until it is released.
    failed_sequence: Option<u64>,
}

/// What the next journal file needs to know.
pub struct NextJournal {
    pub sequence: u64,
    pub predecessor: u64,
    pub trial_bytes: usize,
}

/// A file that takes no frames yet.
pub struct PreparedJournal {
    pub journal: Journal,
    /// Bytes of the trial write that it took.
    pub trial_bytes: usize,
}

impl JournalWriter {
    /// Appends frames and syncs them. Returns how long the sync took.
    ///
    /// # Errors
    /// `ReadOnly` if there is a fault, or if no file is open; `Io` or `Damaged` if the write fails: the caller must
    /// call [`JournalWriter::fail`] then.
    pub fn append(&mut self, frames: &[&[u8]]) -> Result<Duration> {
        if let Some(fault) = self.any_fault() {
            return Err(Error::ReadOnly(fault));
        }
        let journal = self.journal.as_mut().ok_or_else(|| Error::ReadOnly("no journal file is open".to_owned()))?;
        let appended = journal.append(frames.iter().copied());
        if appended.is_err() {
            self.failed_bytes = frames.iter().map(|frame| frame.len()).sum();
        }
        appended
    }

    /// Why the store is read-only, if it is.
    pub fn any_fault(&self) -> Option<String> {
        self.lasting_fault.clone().or_else(|| self.fault.clone())
    }

    /// Returns whether memory has what the journal has, so that it may be written into other files.
    ///
    /// # Errors
    /// `ReadOnly` if only the next start brings it there.
    pub fn require_whole_memory(&self) -> Result<()> {
        self.lasting_fault.clone().map_or(Ok(()), |fault| Err(Error::ReadOnly(fault)))
    }

    /// Whether the next start may apply batches that were refused.
    pub fn may_have_refused_frames(&self) -> bool {
        self.failed_sequence.is_some()
    }

    /// # Errors
    /// `ReadOnly` if the next start may apply batches that were refused.
    pub fn require_no_refused_frames(&self) -> Result<()> {
        let problem = "corrections wait for the next flush, as the journal may have batches that were refused; send them again";
        if self.may_have_refused_frames() { Err(Error::ReadOnly(problem.to_owned())) } else { Ok(()) }
    }

    /// Makes the store read-only. Returns the file that was open: it takes no more frames.
    pub fn fail(&mut self, fault: String) -> Option<Journal> {
        self.fault = Some(fault);
        self.failed_sequence = self.journal.as_ref().map(|journal| journal.sequence).or(self.failed_sequence);
        self.replace(None)
    }

    /// Notes a file that was replayed.
    pub fn note_replayed(&mut self, sequence: u64, bytes: u64) {
        self.last_sequence = self.last_sequence.max(sequence);
        self.older.push((sequence, bytes));
    }

    /// Bytes of the files that the next start reads.
    pub fn bytes(&self) -> u64 {
        self.older.iter().map(|(_, bytes)| bytes).sum::<u64>() + self.journal.as_ref().map_or(0, Journal::bytes)
    }

    /// Notes that the next start does not read the files before a sequence number.
    pub fn release_before(&mut self, first: u64) {
        self.older.retain(|(sequence, _)| *sequence >= first);
        self.failed_sequence = self.failed_sequence.filter(|&sequence| sequence >= first);
    }

    /// Sequence number of the prepared file, if it can be used as it is. Another attempt then does not leave one more
    /// file behind.
    pub fn reusable(&self, trial_bytes_min: usize) -> Option<u64> {
        let prepared = self.prepared.as_ref()?;
        let is_tried = prepared.trial_bytes >= self.trial_bytes(trial_bytes_min);
        (is_tried && prepared.journal.is_in_place()).then_some(prepared.journal.sequence)
    }

    /// Reserves the sequence number of the next file, greater than `last_on_disk`.
    pub fn reserve(&mut self, last_on_disk: u64, trial_bytes_min: usize) -> NextJournal {
        self.last_created = self.last_created.max(self.last_sequence).max(last_on_disk) + 1;
        let trial_bytes = self.trial_bytes(trial_bytes_min);
        NextJournal { sequence: self.last_created, predecessor: self.last_sequence, trial_bytes }
    }

    /// Takes a new file, in place of one that was prepared before and never used.
    pub fn prepare(&mut self, prepared: PreparedJournal) {
        self.unused.extend(self.prepared.replace(prepared).map(|unused| unused.journal));
    }

    /// Makes the prepared file, which the catalogue names by now, the open one. This ends a fault. Returns the file
    /// that was open: it takes no more frames.
    ///
    /// # Errors
    /// `ReadOnly` if no file was prepared, or if the fault lasts until the next start.
    pub fn switch(&mut self) -> Result<Option<Journal>> {
        self.require_whole_memory()?;
        let next = self.prepared.take().ok_or_else(|| Error::ReadOnly("no journal file was created".to_owned()))?;
        self.unused.drain(..).for_each(Journal::discard);
        self.last_sequence = next.journal.sequence;
        self.fault = None;
        Ok(self.replace(Some(next.journal)))
    }

    fn trial_bytes(&self, trial_bytes_min: usize) -> usize {
        if self.fault.is_some() { self.failed_bytes.max(trial_bytes_min) } else { 0 }
    }

    /// Replaces the open file; returns the one before.
    fn replace(&mut self, next: Option<Journal>) -> Option<Journal> {
        let closed = std::mem::replace(&mut self.journal, next);
        self.older.extend(closed.as_ref().map(|journal| (journal.sequence, journal.bytes())));
        closed
    }
}
