//! Guards what is read of a segment: what was read counts only if the file is still the one that was opened.
//!
//! A page checksum is compared once, and the file stays mapped for as long as the store is open. Another
//! program may truncate, overwrite or remove it meanwhile, between a check and a read as well. So the file is
//! looked at *after* each read: [`guard`] fails if it changed, and then the segment is damaged for good, like
//! one that fails a checksum. A scan looks at all its files together, and only at those that something
//! happened to ([`require_all_unchanged`]).
//!
//! Until then a reader may meet zeros or other bytes: it checks all bounds and panics at the worst, which
//! [`guard`] takes for damage if the file changed.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Segment;
use super::file_identity::{FileChange, FileIdentity};
use super::file_watch::FileWatch;
use crate::error::{Error, Result};

/// Runs `read`, which reads segments, and returns its result if their files have not changed.
///
/// # Errors
/// Those of `read`; `Damaged` if a file has changed, and `Io` if the status of a file cannot be read.
pub fn guard<'a, T>(segments: impl IntoIterator<Item = &'a Segment>, read: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic leaves half done is dropped by the caller, as after an error.
    let result = catch_unwind(AssertUnwindSafe(read));
    segments.into_iter().try_for_each(Segment::require_unchanged)?;
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs `read`, which reads a segment, and looks at the file if it fails. The caller still has to see that the file
/// has not changed, by [`require_all_unchanged`].
///
/// # Errors
/// Those of `read`, or `Damaged` or `Io` instead.
pub fn guard_failure<T>(segment: &Segment, read: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        failed => guard([segment], || failed.unwrap_or_else(|panic| resume_unwind(panic))),
    }
}

/// Fails if the file of a segment that was read has changed. Looks only at those that something happened to
/// (`file_watch.rs`): else it is one system call for all.
///
/// # Errors
/// As [`guard`].
pub fn require_all_unchanged<'a>(watch: &FileWatch, read: impl Iterator<Item = &'a Segment>) -> Result<()> {
    let mut read = read.peekable();
    if read.peek().is_some() {
        watch.take_events();
    }
    read.try_for_each(Segment::require_unchanged_by_events)
}

impl Segment {
    /// Has the file watched, so that scans need not look at it.
    pub fn watch(&self, watch: &Arc<FileWatch>) {
        if let Some(watched) = watch.enter(&self.path, &self.name) {
            drop(self.watched.set(watched));
        }
    }

    /// Whether the file changed, or a checksum failed, since the segment was opened.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed) || self.file.is_lost()
    }

    /// The error of a damaged segment.
    pub fn damage(&self) -> Error {
        Error::damaged(&self.path, self.problem())
    }

    /// What happened to a damaged segment.
    pub fn problem(&self) -> &str {
        self.problem.get_or_init(|| match self.file.change_at(&self.path) {
            Ok(Some(change)) => change.to_string(),
            _ if self.file.is_lost() => "a page of it could not be read".to_owned(),
            _ => "it fails its checksum".to_owned(),
        })
    }

    /// Looks at the file; marks the segment as damaged if it has other content than when it was opened. A file that
    /// was removed fails too, unless the segment is retired, but only until it is back: its content is still mapped.
    ///
    /// # Errors
    /// `Damaged` if it is, or was before; `Io` if the status of the file cannot be read.
    pub fn require_unchanged(&self) -> Result<()> {
        if self.is_damaged() {
            return Err(self.damage());
        }
        let status_error = |source| Error::io(&self.path, source);
        let change = self.file.change_at(&self.path).map_err(status_error)?;
        self.is_missing.store(change == Some(FileChange::Removed), Ordering::Relaxed);
        match change {
            None => Ok(()),
            Some(FileChange::Touched) if self.has_kept_content().map_err(status_error)? => Ok(()),
            Some(FileChange::Touched) => self.mark_damaged(&FileChange::Touched),
            Some(FileChange::Removed) if self.is_retired.load(Ordering::Acquire) => Ok(()),
            Some(FileChange::Removed) => Err(Error::damaged(&self.path, FileChange::Removed)),
            Some(change @ FileChange::Changed(_)) => self.mark_damaged(&change),
        }
    }

    /// Verifies all of a touched file again; if it has the same content, takes its present identity for that of the
    /// opened one. Content that was changed and changed back between two looks is not noticed.
    fn has_kept_content(&self) -> io::Result<bool> {
        let now = FileIdentity::at(&self.path)?;
        if !self.pages.is_file_still_intact() || self.file.is_lost() || FileIdentity::at(&self.path)? != now {
            return Ok(false);
        }
        self.file.take_identity(now);
        Ok(true)
    }

    fn mark_damaged(&self, change: &FileChange) -> Result<()> {
        self.problem.get_or_init(|| change.to_string());
        self.damaged.store(true, Ordering::Relaxed);
        Err(self.damage())
    }

    /// From now on the owner of the file may remove it.
    pub fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
    }

    /// Whether the file was missing when it was last looked at.
    pub fn is_missing(&self) -> bool {
        self.is_missing.load(Ordering::Relaxed)
    }

    /// Looks at the file if something may have happened to it since the last look; the events were taken.
    fn require_unchanged_by_events(&self) -> Result<()> {
        if self.is_damaged() {
            return Err(self.damage());
        }
        let Some(watched) = self.watched.get() else { return self.require_unchanged() };
        watched.unseen().map_or(Ok(()), |events| {
            self.require_unchanged()?;
            watched.note_look(events);
            Ok(())
        })
    }

    /// Marks the segment as damaged unless `is_intact`; fails if it is or was damaged.
    pub(super) fn require_intact(&self, is_intact: bool) -> Result<()> {
        if !is_intact {
            // If one page is corrupt, the keys cannot be trusted, and thus no sum of the segment.
            self.damaged.store(true, Ordering::Relaxed);
        }
        // If the file is lost from here on, the look after the read finds it.
        if self.damaged.load(Ordering::Relaxed) { Err(self.damage()) } else { Ok(()) }
    }

    /// What is wrong with the file, if the last call did not find the same; so a log names it once.
    pub fn new_problem(&self) -> Option<String> {
        match self.require_unchanged() {
            Err(Error::Damaged { problem, .. }) => (!self.is_reported.swap(true, Ordering::Relaxed)).then_some(problem),
            Ok(()) => {
                self.is_reported.store(false, Ordering::Relaxed);
                None
            }
            // The status of the file cannot be read at the moment; the next call looks again.
            Err(_) => None,
        }
    }

    /// Whether a key was looked for since [`Segment::check_searches`] ran.
    pub fn was_searched(&self) -> bool {
        self.was_searched.load(Ordering::Acquire)
    }

    /// Checks that the keys that were looked for since the last call were looked for in the right file.
    pub fn check_searches(&self) {
        let was_searched = self.was_searched.swap(false, Ordering::AcqRel);
        if was_searched && self.require_unchanged().is_err() {
            self.has_unknown_keys.store(true, Ordering::Release);
        }
    }

    /// Whether a key was looked for without a reliable answer: its record may be stored twice by now.
    pub fn has_unknown_keys(&self) -> bool {
        self.has_unknown_keys.load(Ordering::Acquire)
    }
}
