//! The open file of the journal, or the fault that keeps the store from writing one: a full disk among them.

use std::path::Path;

use super::journal::Journal;
use crate::error::{Error, Result};

pub struct JournalWriter {
    /// `None` before the first batch and after a failure: the next batch begins a new file.
    pub journal: Option<Journal>,
    pub next_sequence: u64,
    /// Bytes of the files before the open one that the catalogue still needs.
    pub older_bytes: u64,
    pub fault: Option<String>,
}

impl JournalWriter {
    pub fn append<'a>(&mut self, directory: &Path, frames: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        let appended = self.open(directory).and_then(|journal| journal.append(frames));
        if let Err(error) = &appended {
            self.fault = Some(error.to_string());
            self.older_bytes += self.journal.take().map_or(0, |journal| journal.bytes());
        }
        appended
    }

    /// The open file, a new one where there is none.
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

    pub fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }
}
