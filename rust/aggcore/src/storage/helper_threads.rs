//! The threads of a store that help with large scans.

use std::num::NonZero;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::niceness;
use crate::tuning::Tuning;

/// Threads of a store that help with scans. By default, they have a low priority and are started by the first scan that is
/// large enough.
#[derive(Default)]
pub struct HelperThreads {
    pool: OnceLock<Option<ThreadPool>>,
    /// Held by a thread that hands a scan over. A thread of the pool that waits for the others takes up any work of the pool:
    /// a second scan there could wait for a writer, and the writer for the first scan.
    turn: Mutex<()>,
}

impl HelperThreads {
    /// Starts threads for scans under the lock of the memtables. They inherit the priority of the calling thread.
    pub fn started(tuning: &Tuning) -> Self {
        let pool =
            ThreadPoolBuilder::new().num_threads(thread_count(tuning)).thread_name(|number| format!("locked-scan-{number}"));
        Self { pool: OnceLock::from(pool.build().ok()), turn: Mutex::default() }
    }

    /// Runs a scan of this number of rows under the lock of the memtables: on a thread of the pool, if the calling thread has a
    /// low priority and the rows are not few.
    pub fn run_locked<R: Send>(&self, rows: usize, tuning: &Tuning, scan: impl FnOnce() -> R + Send) -> R {
        match self.get(tuning) {
            Some(pool) if rows >= tuning.parallel_row_count_min && niceness::is_low() => {
                let _turn = self.turn.lock();
                pool.install(scan)
            }
            _ => scan(),
        }
    }

    /// Returns the threads; `None` if there would be only one (`helper_thread_count` 1, or 0 on a single
    /// core), or if the operating system refuses threads.
    pub fn get(&self, tuning: &Tuning) -> Option<&ThreadPool> {
        self.pool.get_or_init(|| start_helpers(tuning)).as_ref()
    }
}

fn start_helpers(tuning: &Tuning) -> Option<ThreadPool> {
    let count = thread_count(tuning);
    let niceness = tuning.helper_niceness;
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|number| format!("scan-{number}"));
    let pool = pool.start_handler(move |_| niceness::lower(niceness));
    if count == 1 { None } else { pool.build().ok() }
}

/// Number of helper threads.
pub fn thread_count(tuning: &Tuning) -> usize {
    let core_count = available_parallelism().map_or(1, NonZero::get);
    if tuning.helper_thread_count == 0 { core_count } else { tuning.helper_thread_count }
}
