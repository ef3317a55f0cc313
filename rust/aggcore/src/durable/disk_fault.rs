//! Disk full and other disk faults: what the store does after the journal could not be written.
//!
//! If an append or a sync fails (for example with ENOSPC), every batch of the group gets the error and none
//! of them is applied to the store. The file is abandoned, because `fsync` must not be retried on the same
//! descriptor: the kernel may have dropped the dirty pages, and the second call would report success (Rebello
//! et al., [Can Applications Recover from fsync
//! Failures?](https://www.usenix.org/conference/atc20/presentation/rebello), 2020). The next batch, a retry
//! in the background, or a flush with an active snapshot opens a new file. Until that succeeds,
//! [`JournalWriter::fault`] is set and the store is read-only: reports go on, batches get
//! [`Error::ReadOnly`].

use std::path::Path;

use super::journal::Journal;
use crate::error::{Error, Result};

/// The journal file that takes the next frames, or the fault that prevents one.
pub struct JournalWriter {
    /// `None` before the first batch and after a fault: the next batch opens a new file.
    pub journal: Option<Journal>,
    /// Sequence number of the next file.
    pub next_sequence: u64,
    /// Bytes of the files before the open one that the next start still reads.
    pub older_bytes: u64,
    /// The error of the last write or open, until a new file could be opened.
    pub fault: Option<String>,
}

impl JournalWriter {
    /// Appends frames and syncs them.
    ///
    /// # Errors
    /// `Io` if the operating system refuses the write, `ReadOnly` if a new file could not be opened. Both set
    /// the fault.
    pub fn append<'a>(&mut self, directory: &Path, frames: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        let appended = self.open(directory).and_then(|journal| journal.append(frames));
        if let Err(error) = &appended {
            self.fault = Some(error.to_string());
            self.older_bytes += self.journal.take().map_or(0, |journal| journal.bytes());
        }
        appended
    }

    /// Returns the open file, or opens a new one.
    ///
    /// # Errors
    /// `ReadOnly` if the operating system refuses to create it.
    pub fn open(&mut self, directory: &Path) -> Result<&mut Journal> {
        if self.journal.is_none() {
            let sequence = self.take_sequence();
            match Journal::create(directory, sequence) {
                Ok(journal) => {
                    self.fault = None;
                    self.journal = Some(journal);
                }
                Err(error) => self.fault = Some(error.to_string()),
            }
        }
        let fault = self.fault.clone().unwrap_or_default();
        self.journal.as_mut().ok_or(Error::ReadOnly(fault))
    }

    /// Reserves the sequence number of a new file.
    pub fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }
}
