//! The files without which acknowledged batches would be lost at the next start: the data directory itself, its
//! lock, the catalogue and the journal. They are looked at before a batch is acknowledged.
//!
//! A program that removes, replaces or moves one of them does not disturb a process that has it open: writes go on
//! into a file that the next start will not find.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The files of one data directory that must stay where they are.
#[derive(Default)]
pub struct RequiredFiles {
    files: Vec<RequiredFile>,
    journals: Vec<(u64, RequiredFile)>,
}

struct RequiredFile {
    /// Path relative to the data directory; empty for the directory itself.
    name: String,
    /// Device and inode that the path led to; `None` if it led to none.
    identity: Option<(u64, u64)>,
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
    /// Replaces the files other than journal files by these, as they are now.
    pub fn require(&mut self, directory: &Path, names: Vec<String>) {
        self.files = names.into_iter().map(|name| RequiredFile::new(directory, name)).collect();
    }

    /// Adds a journal file, as it is now.
    pub fn require_journal(&mut self, directory: &Path, sequence: u64, name: String) {
        self.journals.push((sequence, RequiredFile::new(directory, name)));
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

impl RequiredFile {
    fn new(directory: &Path, name: String) -> Self {
        let identity = metadata(directory, &name).map(|found| (found.dev(), found.ino()));
        Self { name, identity }
    }

    fn problem(&self, directory: &Path) -> Option<&'static str> {
        match metadata(directory, &self.name) {
            None => Some("was removed"),
            Some(found) if Some((found.dev(), found.ino())) != self.identity => Some("was replaced"),
            Some(_) => None,
        }
    }
}

fn metadata(directory: &Path, name: &str) -> Option<Metadata> {
    let path = if name.is_empty() { directory.to_owned() } else { directory.join(name) };
    std::fs::metadata(path).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    #[test]
    fn names_what_was_removed_or_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir_all(data.join("journal")).unwrap();
        for name in ["lock", "catalog.db", "journal/1", "journal/2"] {
            std::fs::write(data.join(name), name).unwrap();
        }
        let mut required = RequiredFiles::default();
        required.require(&data, vec![String::new(), "lock".to_owned(), "catalog.db".to_owned()]);
        required.require_journal(&data, 1, "journal/1".to_owned());
        required.require_journal(&data, 2, "journal/2".to_owned());
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
        let mut required = RequiredFiles::default();
        required.require_journal(directory.path(), 1, "1".to_owned());
        assert!(required.missing(directory.path()).is_some());
        required.release_journals_before(2);
        assert_eq!(required.missing(directory.path()), None);
    }
}
