//! The tasks of a scan, and the threads that take them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rayon::ScopeFifo;

use super::helper_threads::HelperThreads;
use super::parallel_scan::{ScanTarget, ScanTask};
use super::task_scanner::TaskScanner;
use crate::error::Result;

/// Time that a scan of some accounts in segments takes, or is going to take, before helpers are woken.
const HELPED_SCAN_MIN: Duration = Duration::from_millis(1);

/// The tasks of one scan, from which its threads take the next one.
struct TaskQueue<'p> {
    target: &'p ScanTarget<'p>,
    tasks: &'p [ScanTask<'p>],
    /// Index of the next task.
    next: AtomicUsize,
}

impl<'p> TaskQueue<'p> {
    /// Takes a task, with its number.
    fn next(&self) -> Option<(usize, &'p ScanTask<'p>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Some((number, self.tasks.get(number)?))
    }

    /// Adds a task to a scanner; an error drops the remaining tasks.
    fn add(&self, (number, task): (usize, &ScanTask<'_>), scanner: &mut impl TaskScanner) -> Result<()> {
        let added = self.target.add(task, scanner).and_then(|()| scanner.end_task(number));
        added.inspect_err(|_| self.next.store(self.tasks.len(), Ordering::Relaxed))
    }

    /// Adds tasks to a scanner for as long as they have taken, and the rest takes at their pace, less than [`HELPED_SCAN_MIN`].
    /// How many rows accounts have is a guess: those of a small one are read before a helper wakes up, and a helper that waits
    /// for a processor would hold the scan up. Returns whether no task is left.
    fn drain_while_short(&self, scanner: &mut impl TaskScanner) -> Result<bool> {
        let begun = Instant::now();
        while let Some((number, task)) = self.next() {
            self.add((number, task), scanner)?;
            let (done, elapsed) = (number as u32 + 1, begun.elapsed());
            let rest = elapsed / done * (self.tasks.len() as u32 - done);
            if elapsed.max(rest) >= HELPED_SCAN_MIN {
                return Ok(done as usize == self.tasks.len());
            }
        }
        Ok(true)
    }

    /// Adds tasks to a scanner until none is left.
    fn drain(&self, scanner: &mut impl TaskScanner) -> Result<()> {
        std::iter::from_fn(|| self.next()).try_for_each(|task| self.add(task, scanner))
    }
}

/// Scanners of the helpers, to be merged into that of the calling thread.
type Collected<S> = Mutex<Vec<Result<S>>>;

/// Adds tasks to a scanner, which is gone after an error. `begin` makes the scanner of a helper.
pub(super) fn add_tasks<S: TaskScanner>(
    scanner: &mut Option<S>, begin: &(impl Fn() -> S + Sync), target: &ScanTarget<'_>, tasks: &[ScanTask<'_>],
    helpers: &HelperThreads,
) -> Result<()> {
    let added = scanner.take().map(|scanner| run_tasks(scanner, begin, target, tasks, helpers)).transpose();
    // An error, too, may come from what was read of a changed file.
    target.require_unchanged(tasks)?;
    *scanner = added?;
    Ok(())
}

/// Adds tasks to a scanner: alone, with helpers, or delegated to them, by the number of rows. `begin` makes the scanner of a
/// helper.
fn run_tasks<S: TaskScanner>(
    mut scanner: S, begin: &(impl Fn() -> S + Sync), target: &ScanTarget<'_>, tasks: &[ScanTask<'_>], helpers: &HelperThreads,
) -> Result<S> {
    let tuning = target.tuning;
    let rows: usize = tasks.iter().map(|task| target.estimated_rows(task)).sum();
    // (Tried: the calling thread takes part at any size. Short reports then waited for it.)
    // Never the mutable memtables, whose scan blocks writers; see the module documentation. Tasks that
    // include a segment run without the lock.
    let is_delegated = rows >= tuning.delegated_row_count_min && tasks.iter().any(|task| matches!(task, ScanTask::Segment(_)));
    let queue = TaskQueue { target, tasks, next: AtomicUsize::new(0) };
    let collected = Collected::default();
    let is_parallel = rows >= tuning.parallel_row_count_min && tasks.len() > 1;
    let tries_alone = is_parallel && !is_delegated && target.is_guess() && tasks.iter().all(|task| task.segment().is_some());
    let is_done = tries_alone && queue.drain_while_short(&mut scanner)?;
    match if is_parallel && !is_done { helpers.get(tuning) } else { None } {
        None => queue.drain(&mut scanner)?,
        Some(helpers) => helpers.in_place_scope_fifo(|scope| {
            for _ in usize::from(!is_delegated)..helpers.current_num_threads() {
                scope.spawn_fifo(|scope| take_turn(scope, None, begin, &queue, &collected));
            }
            if is_delegated { Ok(()) } else { queue.drain(&mut scanner) }
        })?,
    }
    collected.into_inner().into_iter().try_fold(scanner, |scanner, helper| scanner.merge(helper?))
}

/// Runs one task on a helper thread, then spawns itself again behind the other scans; without a task left,
/// hands over its scanner.
fn take_turn<'s, S: TaskScanner + 's>(
    scope: &ScopeFifo<'s>, scanner: Option<S>, begin: &'s (impl Fn() -> S + Sync), queue: &'s TaskQueue<'s>,
    collected: &'s Collected<S>,
) {
    let collect = |scanner| collected.lock().extend(scanner);
    let Some(task) = queue.next() else { return collect(scanner.map(Ok)) };
    let mut scanner = scanner.unwrap_or_else(begin);
    match queue.add(task, &mut scanner) {
        Ok(()) => scope.spawn_fifo(move |scope| take_turn(scope, Some(scanner), begin, queue, collected)),
        Err(error) => collect(Some(Err(error))),
    }
}
