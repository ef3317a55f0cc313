//! Recognizes that a file was removed, replaced, truncated or changed after it was opened.
//!
//! The status of the *path* is compared, not that of an open file: it also shows a file that was moved away,
//! and needs no file descriptor per segment, of which a process may have as few as 1,024.
//!
//! The time of the last status change (`ctime`) is not compared, since a backup changes it by a hard link. A
//! program that overwrites a file and then sets the time of its last modification back is therefore not
//! noticed here; page checksums notice it for pages that were not read before.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells a file from another one, and its content from a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds of the last modification.
    modified: (i64, i64),
}

/// What happened to a file since it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// The path leads to no file. What is mapped of the opened one stays as it was.
    Removed,
    /// The path leads to the same file, of the same length, whose time of the last modification is another one. Its
    /// content may be the same: `touch`, or a backup that was put back over it.
    Touched,
    /// The path leads to another file, or to other content; a text says which.
    Changed(String),
}

impl std::fmt::Display for FileChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self {
            Self::Removed => "removed",
            Self::Touched => "changed",
            Self::Changed(what) => what,
        };
        write!(formatter, "it was {what} while it was in use")
    }
}

impl FileIdentity {
    /// Takes the identity of a file from its status.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// The present identity of the file at a path.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn at(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::of(&metadata))
    }

    /// Says what happened to the file; `None` if the path still leads to the same file with the same content.
    ///
    /// # Errors
    /// The error of the operating system if the status of the file cannot be read.
    pub fn change_at(&self, path: &Path) -> io::Result<Option<FileChange>> {
        match Self::at(path) {
            Ok(now) => Ok(self.change_to(&now)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Some(FileChange::Removed))
            }
            Err(error) => Err(error),
        }
    }

    /// Says what happened to the file since; `now` is its present identity.
    fn change_to(&self, now: &Self) -> Option<FileChange> {
        let what = if self == now {
            return None;
        } else if (self.device, self.inode) != (now.device, now.inode) {
            "replaced by another file".to_owned()
        } else if now.bytes < self.bytes {
            format!("truncated from {} to {} bytes", self.bytes, now.bytes)
        } else if now.bytes > self.bytes {
            format!("lengthened from {} to {} bytes", self.bytes, now.bytes)
        } else {
            return Some(FileChange::Touched);
        };
        Some(FileChange::Changed(what))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;
    use std::fs::{File, write};

    #[test]
    fn each_change_of_a_file_is_named_and_a_hard_link_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("file"), directory.path().join("other"));
        let check = |change: &dyn Fn(), expected: Option<&str>| {
            write(&path, b"12345678").unwrap();
            let before = FileIdentity::of(&std::fs::metadata(&path).unwrap());
            // The clock of a file system may tick as rarely as every 10 ms.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change();
            let expected = expected.map(|what| format!("it was {what} while it was in use"));
            assert_eq!(before.change_at(&path).unwrap().map(|change| change.to_string()), expected);
        };
        check(&|| std::fs::hard_link(&path, &other).unwrap(), None);
        check(&|| write(&path, b"123").unwrap(), Some("truncated from 8 to 3 bytes"));
        check(&|| write(&path, b"123456789").unwrap(), Some("lengthened from 8 to 9 bytes"));
        check(&|| write(&path, b"1234 678").unwrap(), Some("changed"));
        check(&|| File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap(), Some("changed"));
        check(&|| std::fs::remove_file(&path).unwrap(), Some("removed"));
        let replace = || {
            write(&other, b"12345678").unwrap();
            std::fs::rename(&other, &path).unwrap();
        };
        std::fs::remove_file(&other).unwrap();
        check(&replace, Some("replaced by another file"));
        let regrow = || {
            let file = File::options().write(true).open(&path).unwrap();
            file.set_len(0).and_then(|()| file.set_len(8)).unwrap();
        };
        check(&regrow, Some("changed"));
    }
}
