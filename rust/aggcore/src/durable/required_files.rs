//! The files without which acknowledged batches would be lost at the next start: the data directory itself, its
//! lock, the catalogue and the journal. They are looked at before a batch is acknowledged.
//!
//! A program that removes, replaces or moves one of them does not disturb a process that has it open: writes go on
//! into a file that the next start will not find. A program that empties or overwrites one leaves the file where it
//! is, so those that the process does not write at the moment must also keep their content.
//!
//! What must be there is what the process opened, and never what a path led to later: another program may have
//! replaced the file in between.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The files of one data directory that must stay where they are.
#[derive(Default)]
pub struct RequiredFiles {
    files: Vec<RequiredFile>,
    journals: Vec<(u64, RequiredFile)>,
}

/// A file that must stay where it is.
pub struct RequiredFile {
    /// Path relative to the data directory; empty for the directory itself.
    pub name: String,
    pub status: FileStatus,
}

/// What a path must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Device and inode.
    pub identity: (u64, u64),
    /// What its content must be; `None` while this process writes it.
    pub content: Option<ContentStatus>,
}

/// What tells the content of a file from a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentStatus {
    /// The file has at least this length.
    pub bytes_min: u64,
    /// Time of the last modification in nanoseconds since 1970-01-01T00:00:00Z.
    pub modified_ns: i64,
}

/// A required file that is not where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFile {
    /// Path relative to the data directory; empty for the directory itself.
    pub name: String,
    /// Whether it is a journal file.
    pub is_journal: bool,
    problem: &'static str,
}

impl std::fmt::Display for MissingFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.name.is_empty() { "the data directory" } else { &self.name };
        write!(formatter, "{name} {} while this process used it", self.problem)
    }
}

impl RequiredFiles {
    /// Replaces the files other than journal files by these.
    pub fn require(&mut self, files: Vec<RequiredFile>) {
        self.files = files;
    }

    /// Adds a journal file.
    pub fn require_journal(&mut self, sequence: u64, file: RequiredFile) {
        self.journals.push((sequence, file));
    }

    /// Notes that a journal file takes no more frames: its content must stay from now on.
    pub fn close_journal(&mut self, sequence: u64, content: Option<ContentStatus>) {
        let closed = self.journals.iter_mut().filter(|(required, _)| *required == sequence);
        closed.for_each(|(_, file)| file.status.content = content);
    }

    /// Drops the journal files before a sequence number.
    pub fn release_journals_before(&mut self, first: u64) {
        self.journals.retain(|(sequence, _)| *sequence >= first);
    }

    /// The first file that is not where it was; a journal file only if none of the others is missing.
    pub fn missing(&self, directory: &Path) -> Option<MissingFile> {
        let missing = |file: &RequiredFile| file.problem(directory).map(|problem| (file.name.clone(), problem));
        let found = self.files.iter().find_map(missing).map(|found| (found, false));
        let found = found.or_else(|| self.journals.iter().find_map(|(_, file)| missing(file)).map(|found| (found, true)));
        found.map(|((name, problem), is_journal)| MissingFile { name, is_journal, problem })
    }
}

impl FileStatus {
    /// The status of a file of which only the place matters.
    pub fn of_place(metadata: &Metadata) -> Self {
        Self { identity: (metadata.dev(), metadata.ino()), content: None }
    }

    /// The status of a file with its present content.
    pub fn of_content(metadata: &Metadata) -> Self {
        Self { content: Some(ContentStatus::of(metadata, metadata.len())), ..Self::of_place(metadata) }
    }

    /// What happened to a file that has another status now.
    fn problem(&self, now: &Metadata) -> Option<&'static str> {
        if Self::of_place(now).identity != self.identity {
            return Some("was replaced");
        }
        let content = self.content?;
        let is_unchanged = now.len() >= content.bytes_min && modified_ns(now) == content.modified_ns;
        (!is_unchanged).then_some("was changed")
    }
}

impl ContentStatus {
    /// The content of a file that should have at least `bytes_min` bytes.
    pub fn of(metadata: &Metadata, bytes_min: u64) -> Self {
        Self { bytes_min, modified_ns: modified_ns(metadata) }
    }
}

impl RequiredFile {
    fn problem(&self, directory: &Path) -> Option<&'static str> {
        let path = if self.name.is_empty() { directory.to_owned() } else { directory.join(&self.name) };
        std::fs::metadata(path).map_or(Some("was removed"), |now| self.status.problem(&now))
    }
}

/// The time of the last modification, as Python gives it: exact until the year 2262.
fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    /// A file as it is now.
    fn present(directory: &Path, name: &str) -> RequiredFile {
        let metadata = std::fs::metadata(directory.join(name)).unwrap();
        RequiredFile { name: name.to_owned(), status: FileStatus::of_place(&metadata) }
    }

    #[test]
    fn names_what_was_removed_or_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir_all(data.join("journal")).unwrap();
        for name in ["lock", "catalog.db", "journal/1", "journal/2"] {
            std::fs::write(data.join(name), name).unwrap();
        }
        let mut required = RequiredFiles::default();
        required.require(["", "lock", "catalog.db"].map(|name| present(&data, name)).into());
        required.require_journal(1, present(&data, "journal/1"));
        required.require_journal(2, present(&data, "journal/2"));
        let text = || required.missing(&data).map(|missing| missing.to_string());
        assert_eq!(text(), None);
        std::fs::remove_file(data.join("journal/1")).unwrap();
        assert_eq!(text().unwrap(), "journal/1 was removed while this process used it");
        assert!(required.missing(&data).unwrap().is_journal);
        std::fs::rename(data.join("journal/2"), data.join("catalog.db")).unwrap();
        assert_eq!(text().unwrap(), "catalog.db was replaced while this process used it");
        std::fs::rename(&data, directory.path().join("moved")).unwrap();
        assert_eq!(text().unwrap(), "the data directory was removed while this process used it");
        std::fs::create_dir(&data).unwrap();
        assert_eq!(text().unwrap(), "the data directory was replaced while this process used it");
    }

    #[test]
    fn released_journal_files_may_go() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("1"), "1").unwrap();
        let mut required = RequiredFiles::default();
        required.require_journal(1, present(directory.path(), "1"));
        std::fs::remove_file(directory.path().join("1")).unwrap();
        assert!(required.missing(directory.path()).is_some());
        required.release_journals_before(2);
        assert_eq!(required.missing(directory.path()), None);
    }

    #[test]
    fn a_file_with_required_content_was_changed_once_it_is_shorter_or_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let status = FileStatus::of_content(&std::fs::metadata(&path).unwrap());
        let mut required = RequiredFiles::default();
        required.require(vec![RequiredFile { name: "file".to_owned(), status }]);
        assert_eq!(required.missing(directory.path()), None);
        // The clock of a file system may tick as rarely as every 10 ms.
        std::thread::sleep(std::time::Duration::from_millis(20));
        for content in ["", "CONTENT"] {
            std::fs::write(&path, content).unwrap();
            let text = required.missing(directory.path()).unwrap().to_string();
            assert_eq!(text, "file was changed while this process used it");
        }
    }
}
