//! Files that only their owner may read: calls name callers and callees.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Mode of a directory.
const DIRECTORY_MODE: u32 = 0o700;
/// Mode of a file that is still written.
const FILE_MODE: u32 = 0o600;
/// Mode of a file that never changes again.
const READ_ONLY_MODE: u32 = 0o400;

/// Creates a folder, and those above it that are missing, within a data directory. Never creates that one: another
/// program may have moved it away.
///
/// # Errors
/// Those of the operating system.
pub fn create_folders(data_directory: &Path, folder: &Path) -> io::Result<()> {
    if folder == data_directory || folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), |parent| create_folders(data_directory, parent))?;
    match DirBuilder::new().mode(DIRECTORY_MODE).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// Creates a file for writing, or empties an existing one.
///
/// # Errors
/// Those of the operating system.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)
}

/// Takes the right to write from all who open a file from now on.
///
/// # Errors
/// Those of the operating system.
pub fn make_read_only(file: &File) -> io::Result<()> {
    match file.set_permissions(Permissions::from_mode(READ_ONLY_MODE)) {
        // Some file systems have no modes, such as those of network shares.
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => Ok(()),
        changed => changed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_read_a_file_and_nobody_writes_one_that_is_read_only() {
        let directory = tempfile::tempdir().unwrap();
        let (folder, path) = (directory.path().join("a/b"), directory.path().join("a/b/file"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        create_folders(directory.path(), &folder).unwrap();
        let file = create(&path).unwrap();
        assert_eq!((mode(&directory.path().join("a")), mode(&folder), mode(&path)), (0o700, 0o700, 0o600));
        make_read_only(&file).unwrap();
        assert_eq!(mode(&path), 0o400);
    }

    #[test]
    fn a_data_directory_that_was_moved_away_is_not_created() {
        let directory = tempfile::tempdir().unwrap();
        let moved = directory.path().join("data");
        assert!(create_folders(&moved, &moved.join("segments/2026-03-30")).is_err());
        assert!(!moved.exists());
    }
}
