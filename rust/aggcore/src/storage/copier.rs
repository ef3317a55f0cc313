//! The copier: a thread of normal priority that makes the steps of all memtable snapshots of a store.
//!
//! Large reports and flushes run on threads of low priority. If such a thread is preempted while it has the lock of the
//! memtables, writers wait until it runs again (priority inversion). So they hand their copying to this thread and wait for
//! it; it makes one copy after the other (FIFO), as several copies at once would make writers save each row several times.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The copier of one store.
pub struct Copier(Option<ThreadPool>);

impl Copier {
    /// Starts the thread. It inherits the priority of the calling thread.
    pub fn start() -> Self {
        Self(ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "copier".to_owned()).build().ok())
    }

    /// Runs work on the thread and returns its result; on the calling thread, if the operating system refused a thread.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(thread) => thread.install(work),
            None => work(),
        }
    }
}
