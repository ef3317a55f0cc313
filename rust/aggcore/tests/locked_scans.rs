//! Scans under the lock of the memtables, by threads of low priority beside a writer.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.
#![cfg(target_os = "linux")] // Elsewhere threads have no priority of their own.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use aggcore::{CancelToken, Key, Measure, MemoryLimits, Scan, Store, Tuning};
use common::{OwnedRecord, batch};

const SCANNING_THREADS: usize = 4;
const ROUNDS: u64 = 500;
const ROWS: u64 = 4_000;
const WAIT_MAX: Duration = Duration::from_secs(60);
const NICENESS: i32 = 10;

/// A thread that waits for its helpers took up the next scan, and then waited for the writer that waited for its first scan.
#[test]
fn scans_of_low_priority_and_writers_do_not_wait_for_each_other() {
    let tuning = Tuning { parallel_row_count_min: 1, task_row_count_max: 64, ..Tuning::default() };
    let store = Arc::new(Store::new(tuning, MemoryLimits::default()));
    store.apply(&batch(&sessions(0..ROWS)), 0);
    let (done, all_done) = mpsc::channel();
    let begin = Arc::new(Barrier::new(SCANNING_THREADS + 1));
    for _ in 0..SCANNING_THREADS {
        let (store, begin, done) = (Arc::clone(&store), Arc::clone(&begin), done.clone());
        thread::spawn(move || {
            rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS).unwrap();
            begin.wait();
            (0..ROUNDS).for_each(|_| assert_eq!(group_count(&store), 7));
            done.send(()).unwrap();
        });
    }
    begin.wait();
    let ended = Arc::new(AtomicBool::new(false));
    let (writing, no_more) = (Arc::clone(&store), Arc::clone(&ended));
    thread::spawn(move || {
        while !no_more.load(Ordering::Relaxed) {
            writing.apply(&batch(&sessions(0..1)), 0);
        }
        done.send(()).unwrap();
    });
    (0..SCANNING_THREADS).for_each(|_| all_done.recv_timeout(WAIT_MAX).unwrap());
    ended.store(true, Ordering::Relaxed);
    all_done.recv_timeout(WAIT_MAX).unwrap();
}

fn sessions(numbers: std::ops::Range<u64>) -> Vec<OwnedRecord> {
    numbers.map(|number| OwnedRecord::new(&number.to_string(), number as i64).with("app_id", number as i64 % 7)).collect()
}

/// Scans the store into groups and returns their number.
fn group_count(store: &Store) -> usize {
    let cancel = CancelToken::with_limit(None);
    let scan = Scan {
        edges: None,
        predicates: &[],
        keys: &Key::columns(&["app_id"]),
        measure: Measure::Sessions,
        deck: None,
        cell_count_max: 1_000_000,
        cancel: &cancel,
        memory: &store.resources().memory.begin_query(),
        resources: store.resources(),
    };
    store.partials(&scan).unwrap().sums.len()
}
