//! The copier: threads of normal priority that make the memtable snapshots of a store.
//!
//! Large reports and flushes run on threads of low priority. If such a thread is preempted while it has the lock of the
//! memtables, writers wait until it runs again (priority inversion). So they hand their copying to these threads; a thread
//! of normal priority copies itself, which saves waking another one. One copy is made after the other, as several copies at
//! once would make writers save each row several times.

use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::niceness;

/// The copier of one store.
pub struct Copier {
    threads: Option<ThreadPool>,
    /// Held by whoever copies. A thread that waits for the others may take up any work of the pool, so that the pool must
    /// have that of one copy only.
    turn: Mutex<()>,
}

impl Copier {
    /// Starts the threads. They inherit the priority of the calling thread.
    pub fn start(thread_count: usize) -> Self {
        let threads = ThreadPoolBuilder::new().num_threads(thread_count).thread_name(|number| format!("copier-{number}"));
        Self { threads: threads.build().ok(), turn: Mutex::default() }
    }

    /// Runs work, one after the other, and returns its result; on the calling thread if that has a normal priority, or if the
    /// operating system refused threads.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        let _turn = self.turn.lock();
        match &self.threads {
            Some(threads) if niceness::is_low() => threads.install(work),
            _ => work(),
        }
    }

    /// Runs `work` on each item, at the same time. To be called in [`Copier::run`].
    pub fn for_each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync) {
        match (&self.threads, items) {
            (Some(threads), [first, others @ ..]) if !others.is_empty() => threads.in_place_scope(|scope| {
                let work = &work;
                others.iter_mut().for_each(|item| scope.spawn(move |_| work(item)));
                work(first);
            }),
            (_, items) => items.iter_mut().for_each(work),
        }
    }
}
