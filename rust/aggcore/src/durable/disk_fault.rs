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

use super::journal::Journal;
use crate::error::{Error, Result};

/// The journal file that takes the next frames, or the fault that prevents one.
#[derive(Default)]
pub struct JournalWriter {
    /// `None` before the first batch and after a fault.
    pub journal: Option<Journal>,
    /// A file that was created to follow `journal`. It takes no frames before the catalogue names it.
    prepared: Option<Journal>,
    /// Sequence number of the last file that took, or may have taken, frames; 0 for none.
    pub last_sequence: u64,
    /// Sequence number of the last file that was created.
    last_created: u64,
    /// Bytes of the files before the open one that the next start still reads.
    pub older_bytes: u64,
    /// Why the store is read-only.
    pub fault: Option<String>,
    /// Bytes of the append that failed last.
    failed_bytes: usize,
}

/// What the next journal file needs to know.
pub struct NextJournal {
    pub sequence: u64,
    pub predecessor: u64,
    pub trial_bytes: usize,
}

impl JournalWriter {
    /// Appends frames and syncs them.
    ///
    /// # Errors
    /// `Io` or `Damaged` if the write fails, which sets the fault; `ReadOnly` if there is a fault, or if no file is
    /// open.
    pub fn append(&mut self, frames: &[&[u8]]) -> Result<()> {
        let Some(journal) = &mut self.journal else {
            return Err(Error::ReadOnly(self.fault.clone().unwrap_or_else(|| "no journal file is open".to_owned())));
        };
        let appended = journal.append(frames.iter().copied());
        if let Err(error) = &appended {
            self.failed_bytes = frames.iter().map(|frame| frame.len()).sum();
            self.fail(error.to_string());
        }
        appended
    }

    /// Makes the store read-only: the open file takes no more frames.
    pub fn fail(&mut self, fault: String) {
        self.fault = Some(fault);
        self.older_bytes += self.journal.take().map_or(0, |journal| journal.bytes());
    }

    /// Notes a file that was replayed.
    pub fn note_replayed(&mut self, sequence: u64, bytes: u64) {
        self.last_sequence = self.last_sequence.max(sequence);
        self.older_bytes += bytes;
    }

    /// Reserves the sequence number of the next file, greater than `last_on_disk`.
    pub fn reserve(&mut self, last_on_disk: u64, trial_bytes_min: usize) -> NextJournal {
        self.last_created = self.last_created.max(self.last_sequence).max(last_on_disk) + 1;
        let trial_bytes = if self.fault.is_some() { self.failed_bytes.max(trial_bytes_min) } else { 0 };
        NextJournal { sequence: self.last_created, predecessor: self.last_sequence, trial_bytes }
    }

    /// Takes a new file, in place of one that was prepared before and never used.
    pub fn prepare(&mut self, journal: Journal) {
        self.prepared.replace(journal).into_iter().for_each(Journal::discard);
    }

    /// Makes the prepared file the open one, which ends a fault; returns its sequence number.
    ///
    /// # Errors
    /// `ReadOnly` if no file was prepared.
    pub fn switch(&mut self) -> Result<u64> {
        let next = self.prepared.take().ok_or_else(|| Error::ReadOnly("no journal file was created".to_owned()))?;
        self.last_sequence = next.sequence;
        self.older_bytes += self.journal.replace(next).map_or(0, |journal| journal.bytes());
        self.fault = None;
        Ok(self.last_sequence)
    }
}
