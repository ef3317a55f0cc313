//! Segments whose files another program truncates, overwrites or removes while the store is open: each read
//! fails as damaged or returns the right figures, and nothing ends the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod common;

use std::fs::{File, remove_file, rename, write};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aggcore::{
    CancelToken, Error, Key, ManifestEntry, Measure, MemoryLimits, Partials, Predicate, Result, RowSet, Scan, Store, Tuning,
};
use common::{OwnedRecord, batch};

const DAY_US: i64 = 86_400_000_000;
/// Enough for several pages of each column.
const ROWS: i64 = 20_000;

/// A store with one segment on each of two days.
struct Opened {
    directory: tempfile::TempDir,
    store: Store,
    written: Vec<(i64, ManifestEntry)>,
}

impl Opened {
    fn new() -> Self {
        Self::with(Tuning::default())
    }

    fn with(tuning: Tuning) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(tuning, MemoryLimits::default());
        let records: Vec<OwnedRecord> = (0..ROWS).map(record).collect();
        store.apply(&batch(&records), 0);
        store.apply(&batch(&[record(DAY_US / 1_000 * 5)]), 0);
        let edit = store.write_flush(directory.path(), 1, 1_000_000, &store.begin_flush(false)).unwrap();
        let written = edit.segments.iter().map(|new| (new.day, new.written.clone())).collect();
        store.install(edit);
        let opened = Self { directory, store, written };
        // Read once, so that the pages are verified and a later read trusts them.
        assert_eq!(opened.calls(0), ROWS);
        assert_eq!(opened.texts(0).unwrap(), ROWS);
        opened
    }

    /// File of the day with `ROWS` records.
    fn path(&self) -> PathBuf {
        self.directory.path().join(&self.written[0].1.name)
    }

    fn calls(&self, day: i64) -> i64 {
        count(&self.store, day, &[], &[]).unwrap()
    }

    /// Counts the calls of a day by a scan that reads texts of the rows.
    fn texts(&self, day: i64) -> Result<i64> {
        let keys = ["session_id".to_owned(), "folder".to_owned()];
        count(&self.store, day, &[], &keys)
    }

    fn reopen(&self) -> Store {
        let store = Store::default();
        for (day, written) in &self.written {
            store.open_segment(self.directory.path(), *day, written, RowSet::default(), false);
        }
        store
    }
}

fn record(number: i64) -> OwnedRecord {
    OwnedRecord::new(&format!("session {number}"), number * 1_000)
        .with("answer_time", number * 1_000 + 10)
        .with("end_time", number * 1_000 + 5_000_010)
        .with("app_id", number % 7)
        .with_text("folder", &format!("folder {}", number % 300))
        .with_text("account_id", &format!("account {}", number % 5))
}

fn count(store: &Store, day: i64, predicates: &[Predicate], keys: &[String]) -> Result<i64> {
    let cancel = CancelToken::with_limit(None);
    let scan = Scan {
        edges: Some(&[day * DAY_US, (day + 1) * DAY_US]),
        predicates,
        keys: &Key::columns(keys),
        measure: Measure::Calls,
        deck: None,
        cell_count_max: 1_000_000,
        cancel: &cancel,
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    let Partials { sums, .. } = store.partials(&scan)?;
    Ok(sums.iter().map(|sums| sums[0]).sum())
}

fn truncate(path: &Path, bytes: u64) {
    writable(path).set_len(bytes).unwrap();
}

fn writable(path: &Path) -> File {
    File::options().write(true).open(path).unwrap()
}

/// A change of a file, with what the error says of it.
type Change = (&'static str, fn(&Path));

fn changes() -> [Change; 7] {
    [
        ("truncated", |path| truncate(path, 0)),
        ("truncated", |path| truncate(path, std::fs::metadata(path).unwrap().len() / 2 + 77)),
        // No page disappears: the kernel fills the rest of the last one with zeros.
        ("truncated", |path| truncate(path, std::fs::metadata(path).unwrap().len() - 1)),
        ("changed", |path| {
            let bytes = std::fs::metadata(path).unwrap().len();
            truncate(path, 0);
            truncate(path, bytes);
        }),
        ("changed", |path| {
            let bytes = std::fs::metadata(path).unwrap().len() as usize;
            writable(path).write_all_at(&vec![0xff; bytes], 0).unwrap();
        }),
        ("removed", |path| remove_file(path).unwrap()),
        ("replaced", |path| {
            let other = path.with_extension("other");
            write(&other, std::fs::read(path).unwrap()).unwrap();
            rename(&other, path).unwrap();
        }),
    ]
}

/// Each change, with a store whose directories are watched, and with one that looks at each file that it reads.
fn cases() -> impl Iterator<Item = (&'static str, fn(&Path), Opened)> {
    let unwatched = || Tuning { watched_directory_count_max: 0, ..Tuning::default() };
    let opened = move |(what, change)| [(what, change, Opened::new()), (what, change, Opened::with(unwatched()))];
    changes().into_iter().flat_map(opened)
}

fn check_damaged<T: std::fmt::Debug>(result: Result<T>, path: &Path, what: &str) {
    match result {
        Err(Error::Damaged { file, problem }) => {
            assert!(path.ends_with(&file), "{file} instead of {}", path.display());
            assert!(problem.contains(what), "{problem} instead of {what}");
        }
        other => panic!("{other:?} instead of {what}"),
    }
}

/// Waits until the clock of the file system has ticked, as the file was written a moment ago.
fn wait_for_the_clock() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn a_changed_file_fails_each_scan_of_its_day_and_no_other() {
    for (what, change, opened) in cases() {
        wait_for_the_clock();
        change(&opened.path());
        check_damaged(opened.texts(0), &opened.path(), what);
        check_damaged(count(&opened.store, 0, &[], &[]), &opened.path(), what);
        assert_eq!(opened.calls(5), 1);
        check_damaged(opened.store.export((0, DAY_US), (0, 0), 1_000).map(|_| ()), &opened.path(), what);
        let found = opened.store.look_at_files();
        assert_eq!(found.iter().map(|(name, _)| name).collect::<Vec<_>>(), [&opened.written[0].1.name]);
        assert!(found[0].1.contains(what) && opened.store.look_at_files().is_empty());
    }
}

#[test]
fn a_look_at_the_files_finds_what_no_scan_has_met() {
    for (what, change) in changes() {
        let opened = Opened::new();
        wait_for_the_clock();
        assert!(opened.store.look_at_files().is_empty());
        change(&opened.path());
        assert!(opened.store.look_at_files()[0].1.contains(what));
        check_damaged(count(&opened.store, 0, &[], &[]), &opened.path(), what);
    }
}

#[test]
fn a_filter_on_text_fails_as_well() {
    for (what, change, opened) in cases() {
        let account = |name: &str| {
            let accounts = [Predicate::one_of_texts("account_id".to_owned(), vec![name.to_owned()], false)];
            count(&opened.store, 0, &accounts, &[])
        };
        assert_eq!(account("account 1").unwrap(), ROWS / 5);
        wait_for_the_clock();
        change(&opened.path());
        // The first one is known by its rows, the second one has to be searched for.
        check_damaged(account("account 1"), &opened.path(), what);
        check_damaged(account("account 2"), &opened.path(), what);
    }
}

#[test]
fn a_compaction_of_a_changed_file_writes_no_segment() {
    for (what, change) in changes() {
        let opened = Opened::new();
        // Verifies the whole file: the compaction reads no checksum again.
        drop(opened.store.export((0, DAY_US), (0, 0), 10).unwrap());
        wait_for_the_clock();
        change(&opened.path());
        let names = [opened.written[0].1.name.clone()];
        let compacted = opened.store.compact(opened.directory.path(), 50, 1_000_000, &names);
        check_damaged(compacted.map(|_| ()), &opened.path(), what);
    }
}

#[test]
fn a_version_of_a_record_in_a_changed_file_is_kept_and_the_file_marked() {
    for (_, change) in changes() {
        let opened = Opened::new();
        let (path, good) = (opened.path(), std::fs::read(opened.path()).unwrap());
        // Reads the Bloom filter and the index, so that their pages are trusted.
        opened.store.apply(&batch(&[record(17)]), 1);
        wait_for_the_clock();
        change(&path);
        let outcome = opened.store.apply(&batch(&[record(18).with("app_id", 100), record(ROWS)]), 2);
        assert_eq!(outcome.accepted + outcome.replaced, 2);
        let flush = opened.store.begin_flush(false);
        let edit = opened.store.write_flush(opened.directory.path(), 100, 1_000, &flush).unwrap();
        assert!(edit.tombstones.is_empty());
        assert_eq!(opened.store.damaged(), [opened.written[0].1.name.clone()]);
        // The file comes back, but what was flushed meanwhile was never compared with it.
        drop(remove_file(&path));
        write(&path, good).unwrap();
        check_damaged(count(&opened.store, 0, &[], &[]), &path, "");
    }
}

#[test]
fn a_damaged_file_that_no_version_was_looked_for_in_may_come_back() {
    let opened = Opened::new();
    let (path, good) = (opened.path(), std::fs::read(opened.path()).unwrap());
    wait_for_the_clock();
    truncate(&path, 0);
    check_damaged(count(&opened.store, 0, &[], &[]), &path, "truncated");
    let outcome = opened.store.apply(&batch(&[record(DAY_US / 1_000 * 5 + 1)]), 2);
    assert_eq!(outcome.accepted, 1);
    assert!(opened.store.damaged().is_empty());
    writable(&path).write_all(&good).unwrap();
    assert_eq!(count(&opened.reopen(), 0, &[], &[]).unwrap(), ROWS);
}

#[test]
fn scans_and_writes_go_on_while_the_file_is_truncated_and_put_back() {
    let opened = Opened::new();
    let (path, good) = (opened.path(), std::fs::read(opened.path()).unwrap());
    let end = Instant::now() + Duration::from_secs(1);
    let scan = |store: &Store| match count(store, 0, &[], &["session_id".to_owned(), "folder".to_owned()]) {
        Ok(calls) => assert_eq!(calls, ROWS),
        Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{error}"),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < end {
                std::thread::sleep(Duration::from_millis(7));
                truncate(&path, 5_000);
                writable(&path).write_all(&good).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                while Instant::now() < end {
                    let store = opened.reopen();
                    (0..3).for_each(|_| scan(&store));
                    store.apply(&batch(&[record(3), record(4).with("app_id", 9)]), 3);
                }
            });
        }
    });
}

#[test]
fn a_scan_goes_on_with_the_files_that_a_compaction_replaces_and_removes() {
    for watched_directory_count_max in [0, 1 << 12] {
        let opened = Opened::with(Tuning { watched_directory_count_max, ..Tuning::default() });
        let end = Instant::now() + Duration::from_millis(500);
        std::thread::scope(|scope| {
            let scans = scope.spawn(|| {
                while Instant::now() < end {
                    assert_eq!(opened.texts(0).unwrap(), ROWS);
                }
            });
            let mut name = opened.written[0].1.name.clone();
            for sequence in 100..10_000 {
                if scans.is_finished() {
                    break;
                }
                let edit = opened.store.compact(opened.directory.path(), sequence, 1_000_000, &[name.clone()]).unwrap();
                let new_name = edit.segments[0].written.name.clone();
                opened.store.install(edit);
                remove_file(opened.directory.path().join(&name)).unwrap();
                name = new_name;
            }
        });
        assert!(opened.store.look_at_files().is_empty());
    }
}

#[test]
fn what_changes_no_segment_fails_no_scan() {
    let opened = Opened::new();
    let (path, other) = (opened.path(), opened.path().with_extension("other"));
    let check = |change: &dyn Fn()| {
        change();
        assert_eq!(opened.texts(0).unwrap(), ROWS);
    };
    check(&|| std::fs::hard_link(&path, &other).unwrap());
    check(&|| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap());
    check(&|| remove_file(&other).unwrap());
    check(&|| drop(std::fs::read(&path).unwrap()));
    check(&|| write(&other, b"12345678").unwrap());
    check(&|| rename(&path, &other).and_then(|()| rename(&other, &path)).unwrap());
    let file = writable(&path);
    check(&|| ());
    drop(file);
    check(&|| ());
    check(&|| wait_for_the_clock());
    // `touch`, and a program that writes the same content over the file.
    check(&|| File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap());
    assert_eq!(opened.store.look_at_files(), []);
    wait_for_the_clock();
    check(&|| writable(&path).write_all_at(&std::fs::read(&path).unwrap(), 0).unwrap());
    // A version of one of its records finds it.
    File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(opened.store.apply(&batch(&[record(1)]), 0).duplicates, 1);
    assert!(opened.store.damaged().is_empty());
    check(&|| ());
}

#[test]
fn a_moved_directory_fails_each_scan() {
    for above in [0, 1, 2] {
        let opened = Opened::new();
        let moved = opened.path().ancestors().nth(1 + above).unwrap().to_owned();
        let elsewhere = tempfile::tempdir_in(moved.parent().unwrap()).unwrap();
        rename(&moved, elsewhere.path().join("moved")).unwrap();
        check_damaged(count(&opened.store, 0, &[], &[]), &opened.path(), "removed");
        std::fs::create_dir(&moved).unwrap();
        rename(elsewhere.path().join("moved"), &moved).unwrap();
    }
}

#[test]
fn a_change_is_noticed_even_if_its_event_is_lost() {
    let queued_max: usize = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    if queued_max > 1 << 17 {
        eprintln!("NOT TESTED: to fill a queue of {queued_max} events (fs.inotify.max_queued_events) takes too long");
        return;
    }
    let opened = Opened::new();
    let others = ["a", "b"].map(|name| opened.path().with_file_name(name));
    // Each write makes two events or more.
    (0..queued_max / 2).for_each(|number| write(&others[number % 2], b"").unwrap());
    truncate(&opened.path(), 0);
    check_damaged(opened.texts(0), &opened.path(), "truncated");
    assert_eq!(opened.calls(5), 1);
}

#[test]
fn files_of_directories_that_cannot_be_watched_are_looked_at() {
    let opened = Opened::with(Tuning { watched_directory_count_max: 1, ..Tuning::default() });
    let refusal = opened.store.take_watch_refusal().unwrap();
    assert!(refusal.contains("watched_directory_count_max is 1"), "{refusal}");
    assert_eq!(opened.store.take_watch_refusal(), None);
    for (day, written) in &opened.written {
        let path = opened.directory.path().join(&written.name);
        remove_file(&path).unwrap();
        check_damaged(count(&opened.store, *day, &[], &[]), &path, "removed");
    }
}
