//! Tells which segments have to be looked at, so that a scan need not look at the file of each that it read.
//!
//! A look (`stat`) takes 1 to 2 µs, which is as long as a small report takes for all else in a segment. Linux tells
//! what happens in a directory ([`inotify`](super::inotify)): one system call shows that nothing did. A file is looked
//! at if
//!
//! - an event named it since it was last looked at, or events were lost;
//! - another program has it open, or mapped: a write changes bytes before it makes its event. The first program that
//!   closes it counts for all;
//! - its directory is not watched, because the operating system refused, or has ended the watch.
//!
//! Invariants: a file is entered after its directory is watched and the earlier events were taken, and is looked at
//! before it is first trusted; the lock is held from taking an event until its file is marked, so that no thread
//! finds the queue empty before.
//!
//! No event tells of changes that another host makes on a network file system, or that come through a hard link in
//! another directory. The look at all files (`damage.rs`) finds these.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::inotify::{Event, Queue};

/// Bit of [`FileEvents`]: another program has the file open.
const IS_OPEN: u64 = 1 << 63;
/// Bit of [`FileEvents`]: events of the directory have ended.
const IS_UNWATCHED: u64 = 1 << 62;
/// No number of events: the file was not looked at.
const NEVER: u64 = IS_UNWATCHED - 1;

/// Number of the events of a file, and the bits above.
type FileEvents = AtomicU64;

/// The watched directories of a store.
pub struct FileWatch {
    watches: Mutex<Watches>,
    /// As [`Tuning::watched_directory_count_max`](crate::tuning::Tuning::watched_directory_count_max).
    directory_count_max: usize,
}

/// A file whose directory is watched, until this is dropped.
pub struct WatchedFile {
    watch: Arc<FileWatch>,
    directory: i32,
    name: OsString,
    events: Arc<FileEvents>,
    /// Number of the events after which the file was last looked at.
    looked: AtomicU64,
}

impl FileWatch {
    /// Creates one that watches nothing yet, later at most `directory_count_max` directories of segments.
    pub fn new(directory_count_max: usize) -> Self {
        Self { watches: Mutex::default(), directory_count_max }
    }

    /// Enters a file, given by its path and the end of it within the data directory. `None` if it cannot be watched.
    pub fn enter(self: &Arc<Self>, path: &Path, name: &str) -> Option<WatchedFile> {
        if self.directory_count_max == 0 {
            return None;
        }
        let mut watches = self.watches.lock();
        match watches.enter(path, name, self.directory_count_max) {
            Ok((directory, events)) => {
                let name = path.file_name()?.to_owned();
                Some(WatchedFile { watch: Arc::clone(self), directory, name, events, looked: AtomicU64::new(NEVER) })
            }
            Err(error) => {
                watches.refusal.get_or_insert_with(|| Refusal { problem: refusal(path, &error), is_reported: false });
                None
            }
        }
    }

    /// Takes all events; afterwards [`WatchedFile::unseen`] tells which files they named.
    pub fn take_events(&self) {
        self.watches.lock().take_events();
    }

    /// Why some file cannot be watched; returns it once, so that a log has one line.
    pub fn take_refusal(&self) -> Option<String> {
        let mut watches = self.watches.lock();
        let refusal = watches.refusal.as_mut().filter(|refusal| !refusal.is_reported)?;
        refusal.is_reported = true;
        Some(refusal.problem.clone())
    }
}

impl WatchedFile {
    /// The events of the file if it has to be looked at; `None` if nothing has happened since it was last looked at.
    pub fn unseen(&self) -> Option<u64> {
        let events = self.events.load(Ordering::Acquire);
        (events != self.looked.load(Ordering::Acquire)).then_some(events)
    }

    /// Notes that the file was looked at after `events`, and had not changed.
    pub fn note_look(&self, events: u64) {
        // With a bit set it has to be looked at again, whatever the number.
        if events & (IS_OPEN | IS_UNWATCHED) == 0 {
            self.looked.store(events, Ordering::Release);
        }
    }
}

impl Drop for WatchedFile {
    fn drop(&mut self) {
        self.watch.watches.lock().leave(self.directory, &self.name, &self.events);
    }
}

/// Why a file cannot be watched.
struct Refusal {
    problem: String,
    is_reported: bool,
}

fn refusal(path: &Path, error: &io::Error) -> String {
    let directory = path.parent().unwrap_or(path).display();
    format!("{directory}: its changes cannot be watched ({error}); each report looks at the files that it reads instead")
}

/// The queue, and the files by watch and name.
#[derive(Default)]
struct Watches {
    /// Opened for the first file.
    queue: Option<Queue>,
    directories: Directories,
    refusal: Option<Refusal>,
}

impl Watches {
    /// Watches the directory of a file and those above it, and returns the number of the watch with the events.
    fn enter(&mut self, path: &Path, name: &str, directory_count_max: usize) -> io::Result<(i32, Arc<FileEvents>)> {
        let (Some(directory), Some(file_name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let queue = self.queue.take().map_or_else(Queue::open, Ok)?;
        let queue = self.queue.insert(queue);
        let mut above = path.ancestors().skip(2).take(Path::new(name).components().count().saturating_sub(1));
        above.try_for_each(|directory| queue.watch_moves(directory))?;
        let watch = queue.watch_files(directory)?;
        if !self.directories.contains_key(&watch) && self.directories.len() >= directory_count_max {
            queue.unwatch(watch);
            return Err(io::Error::other(format!("watched_directory_count_max is {directory_count_max}")));
        }
        // Those of the store itself, which has just written the file or opened it.
        self.take_events();
        let files = self.directories.entry(watch).or_default();
        Ok((watch, Arc::clone(files.entry(file_name.to_owned()).or_default())))
    }

    /// Forgets a file, unless another segment has entered it too; ends the watch of a directory without files.
    fn leave(&mut self, directory: i32, name: &OsStr, events: &Arc<FileEvents>) {
        // The table and the caller have one each.
        let is_last = Arc::strong_count(events) <= 2;
        let Entry::Occupied(mut files) = self.directories.entry(directory) else { return };
        if is_last && files.get().get(name).is_some_and(|known| Arc::ptr_eq(known, events)) {
            files.get_mut().remove(name);
        }
        if files.get().is_empty() {
            files.remove();
            self.queue.iter().for_each(|queue| queue.unwatch(directory));
        }
    }

    fn take_events(&mut self) {
        let directories = &mut self.directories;
        if let Some(queue) = &self.queue {
            queue.take(|event| mark(directories, &event));
        }
    }
}

/// Files of watched directories, by watch and name.
type Directories = HashMap<i32, HashMap<OsString, Arc<FileEvents>>>;

/// Marks the files that an event names.
fn mark(directories: &mut Directories, event: &Event<'_>) {
    match event {
        Event::Opened { watch, name } => mark_file(directories, *watch, name, IS_OPEN, 0),
        Event::Closed { watch, name } => mark_file(directories, *watch, name, 0, IS_OPEN),
        Event::Changed { watch, name } => mark_file(directories, *watch, name, 0, 0),
        Event::Moved | Event::Overflowed => {
            for file in directories.values().flat_map(HashMap::values) {
                file.fetch_add(1, Ordering::AcqRel);
            }
        }
        Event::Ended { watch } => {
            for file in directories.remove(watch).iter().flat_map(HashMap::values) {
                file.fetch_or(IS_UNWATCHED, Ordering::AcqRel);
            }
        }
    }
}

/// Counts an event of a file, and sets and clears bits.
fn mark_file(directories: &Directories, watch: i32, name: &[u8], set: u64, cleared: u64) {
    if let Some(file) = directories.get(&watch).and_then(|files| files.get(OsStr::from_bytes(name))) {
        // In one step for readers: nobody else stores to it, as the lock is held.
        file.store(((file.load(Ordering::Relaxed) + 1) | set) & !cleared, Ordering::Release);
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;
    use std::fs::{File, create_dir, remove_dir_all, write};

    fn watch() -> Arc<FileWatch> {
        Arc::new(FileWatch::new(2))
    }

    /// Looks at the file if need be, and says whether it did.
    fn look(file: &WatchedFile) -> bool {
        file.watch.take_events();
        let events = file.unseen();
        events.inspect(|&events| file.note_look(events)).is_some()
    }

    #[test]
    fn a_file_is_looked_at_at_first_and_after_each_change() {
        let (directory, watch) = (tempfile::tempdir().unwrap(), watch());
        let paths = ["a", "b"].map(|name| directory.path().join(name));
        paths.iter().for_each(|path| write(path, b"1").unwrap());
        let files = ["a", "b"].map(|name| watch.enter(&directory.path().join(name), name).unwrap());
        let looks = || files.each_ref().map(look);
        assert_eq!((looks(), looks()), ([true, true], [false, false]));
        write(&paths[0], b"2").unwrap();
        assert_eq!((looks(), looks()), ([true, false], [false, false]));
        write(directory.path().join("c"), b"3").unwrap();
        assert_eq!(looks(), [false, false]);
    }

    #[test]
    fn a_file_is_looked_at_while_another_program_has_it_open() {
        let (directory, watch) = (tempfile::tempdir().unwrap(), watch());
        let path = directory.path().join("a");
        write(&path, b"1").unwrap();
        let file = watch.enter(&path, "a").unwrap();
        let opened = File::open(&path).unwrap();
        assert!(look(&file) && look(&file) && look(&file));
        drop(opened);
        assert!(look(&file) && !look(&file));
    }

    #[test]
    fn a_directory_is_watched_as_long_as_it_has_files() {
        let (above, watch) = (tempfile::tempdir().unwrap(), watch());
        let directory = above.path().join("day");
        create_dir(&directory).unwrap();
        let enter = |name: &str| {
            write(directory.join(name), b"1").unwrap();
            watch.enter(&directory.join(name), &format!("day/{name}"))
        };
        let (first, second) = (enter("a").unwrap(), enter("b").unwrap());
        let count = || watch.watches.lock().directories.len();
        drop(first);
        assert_eq!(count(), 1);
        drop(second);
        assert_eq!(count(), 0);
        let third = enter("c").unwrap();
        assert!(look(&third) && !look(&third));
        remove_dir_all(&directory).unwrap();
        assert!(look(&third) && look(&third));
        assert_eq!(count(), 0);
        create_dir(&directory).unwrap();
        let fourth = enter("c").unwrap();
        drop(third);
        assert!(look(&fourth) && !look(&fourth) && count() == 1);
        write(directory.join("c"), b"2").unwrap();
        assert!(look(&fourth) && !look(&fourth));
    }
}
