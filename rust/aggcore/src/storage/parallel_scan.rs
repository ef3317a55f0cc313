//! Parallel scan: a scan is split into tasks, which the calling thread and helper threads take from a queue.
//!
//! A task is a segment, or a range of rows of a memtable. A small scan runs on the calling thread alone. For
//! a large one, helper threads of low priority, which all scans of the store share, take tasks too. A
//! helper takes one task of a scan and then queues up again behind the other scans (FIFO), so that a short
//! scan never waits for a long one to end. A very large scan is *delegated*: the calling thread takes none of
//! its tasks, as it would run them at normal priority and slow down short reports.
//!
//! Scans of the mutable memtables hold the read lock and block writers, so the calling thread always takes
//! part in them: low-priority threads alone would keep writers waiting (priority inversion).

use std::borrow::Cow;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use parking_lot::Mutex;
use rayon::{ScopeFifo, ThreadPool, ThreadPoolBuilder};

use super::estimate::verified_rows_to_read;
use super::state::{ImmutableMemtable, SegmentEntry, State};
use super::{Store, days_of, overlaps};
use crate::cancellation::CancelToken;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::scan::predicate::{Predicate, account_of, may_be_active, may_be_finished};
use crate::scan::{Partials, Scan, Scanner, any_match, column_names};
use crate::tuning::Tuning;

/// The helper threads of a store, started by the first scan that is large enough.
#[derive(Default)]
pub(super) struct HelperThreads(OnceLock<Option<ThreadPool>>);

impl HelperThreads {
    /// Returns the threads; `None` if there would be only one (`helper_thread_count` 1, or 0 on a single
    /// core), or if the operating system refuses threads.
    fn get(&self, tuning: &Tuning) -> Option<&ThreadPool> {
        self.0.get_or_init(|| start_helpers(tuning)).as_ref()
    }
}

fn start_helpers(tuning: &Tuning) -> Option<ThreadPool> {
    let core_count = available_parallelism().map_or(1, NonZero::get);
    let count = if tuning.helper_thread_count == 0 { core_count } else { tuning.helper_thread_count };
    let niceness = tuning.helper_niceness;
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|number| format!("scan-{number}"));
    let pool = pool.start_handler(move |_| lower_priority(niceness));
    if count == 1 { None } else { pool.build().ok() }
}

/// Gives the current thread a low priority, so that a short report preempts it.
///
/// (Tried: niceness 19 instead of 15, without a gain.)
fn lower_priority(niceness: i32) {
    // Only Linux has a niceness per thread; elsewhere helpers run at normal priority.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// What [`Store::partials`] or [`Store::any_match`] reads.
struct ScanTarget<'a> {
    /// Setup times in microseconds UTC; the end is exclusive.
    range: (i64, i64),
    predicates: &'a [Predicate],
    /// Columns that the scan reads, to be verified in segments.
    names: Vec<&'a str>,
    tuning: &'a Tuning,
}

/// The records of one task.
enum ScanTask<'p> {
    /// A range of rows of a memtable; `memtable` numbers the memtables of a scan.
    MemtableRows { slice: Box<RecordSlice<'p>>, memtable: usize },
    /// A whole segment of any size: a rollup may answer for it.
    Segment(&'p SegmentEntry),
}

impl Store {
    /// Runs a scan and returns its integer sums.
    ///
    /// # Errors
    /// As for [`Scanner::add`], or `Damaged`.
    pub fn partials(&self, scan: &Scan<'_>) -> Result<Partials> {
        // An empty store runs no task that would check.
        scan.cancel.check()?;
        let target =
            ScanTarget { range: scan.range(), predicates: scan.predicates, names: scan.column_names(), tuning: self.tuning() };
        let mut scanner = Some(Scanner::new(scan));
        self.visit_tasks(&target, |tasks| {
            scanner = scanner.take().map(|scanner| run_tasks(scanner, scan, &target, tasks, &self.helpers)).transpose()?;
            Ok(true)
        })?;
        scanner.map_or_else(|| Ok(Partials::default()), Scanner::finish)
    }

    /// Whether any record satisfies all predicates.
    ///
    /// # Errors
    /// As for [`any_match`], or `Damaged`.
    pub fn any_match(&self, predicates: &[Predicate], cancel: &CancelToken) -> Result<bool> {
        cancel.check()?;
        let target =
            ScanTarget { range: (i64::MIN, i64::MAX), predicates, names: column_names(predicates), tuning: self.tuning() };
        let mut found = false;
        self.visit_tasks(&target, |tasks| {
            for task in tasks {
                found = found || any_match(&*target.slice(task)?, predicates, cancel, self.tuning())?;
            }
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Passes the tasks of a target to `run`: first those of mutable memtables, under the read lock, then,
    /// without a lock, those of immutable memtables and segments, unless `run` returned false or only active
    /// sessions can match.
    fn visit_tasks(&self, target: &ScanTarget<'_>, mut run: impl FnMut(&[ScanTask<'_>]) -> Result<bool>) -> Result<()> {
        let (no_tombstones, (from, to)) = (RowSet::default(), target.range);
        let (active, finished) = (may_be_active(target.predicates), may_be_finished(target.predicates));
        let state = self.read();
        let mut tasks = Vec::new();
        if active {
            tasks.extend(target.split(&state.active.slice(&no_tombstones), 0));
        }
        if finished {
            tasks.extend(target.split(&state.memtable.slice(&no_tombstones), 1));
        }
        if !run(&tasks)? || !finished {
            return Ok(());
        }
        drop(tasks);
        let immutable: Vec<ImmutableMemtable> = state.immutable.clone();
        let entries: Vec<SegmentEntry> = state.readable(from, to)?.cloned().collect();
        drop(state);
        let mut tasks = Vec::new();
        for (immutable, memtable) in immutable.iter().zip(2..) {
            tasks.extend(target.split(&immutable.table.slice(&immutable.tombstones), memtable));
        }
        tasks.extend(entries.iter().map(ScanTask::Segment));
        run(&tasks).map(drop)
    }
}

impl ScanTarget<'_> {
    /// Splits the rows of a memtable into tasks of equal size; none if its setup times lie outside the range.
    fn split<'p>(&self, slice: &RecordSlice<'p>, memtable: usize) -> Vec<ScanTask<'p>> {
        let rows = &slice.rows;
        if rows.is_empty() || !overlaps(slice.setup_range, self.range) {
            return Vec::new();
        }
        let size = rows.len().div_ceil(rows.len().div_ceil(self.tuning.task_row_count_max));
        let rows_of = |start: usize| start..rows.end.min(start + size);
        let task = |start: usize| ScanTask::MemtableRows {
            slice: Box::new(RecordSlice { rows: rows_of(start), ..slice.clone() }),
            memtable,
        };
        rows.clone().step_by(size).map(task).collect()
    }

    /// Returns the rows of a task as a slice; verifies the columns of a segment.
    fn slice<'p>(&self, task: &'p ScanTask<'p>) -> Result<Cow<'p, RecordSlice<'p>>> {
        match task {
            ScanTask::MemtableRows { slice, .. } => Ok(Cow::Borrowed(slice)),
            ScanTask::Segment(SegmentEntry { segment, tombstones, .. }) => Ok(Cow::Owned(match account_of(self.predicates) {
                Some(account) => segment.slice_of_account(account, self.range, &self.names, tombstones)?,
                None => segment.slice(&self.names, tombstones)?,
            })),
        }
    }

    /// Estimates the rows that a task reads.
    fn estimated_rows(&self, task: &ScanTask<'_>) -> usize {
        match task {
            ScanTask::MemtableRows { slice, .. } => slice.rows.len(),
            ScanTask::Segment(entry) => verified_rows_to_read(&entry.segment, self.predicates, self.tuning),
        }
    }

    /// Adds the records of a task to a scanner.
    fn add(&self, task: &ScanTask<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        let slice = self.slice(task)?;
        match task {
            ScanTask::MemtableRows { memtable, .. } => scanner.add_memtable_rows(&slice, *memtable),
            ScanTask::Segment(entry) => entry.rollups.add(&entry.segment, &slice, scanner),
        }
    }
}

impl State {
    /// Iterates over the segments that may have records set up in [from, to).
    ///
    /// # Errors
    /// `Damaged` if a segment of these days could not be opened.
    pub(super) fn readable(&self, from: i64, to: i64) -> Result<impl Iterator<Item = &SegmentEntry>> {
        let days = days_of(from, to);
        if let Some(unreadable) = self.unreadable.iter().find(|unreadable| days.contains(&unreadable.day)) {
            return Err(unreadable.error());
        }
        let is_in_range = move |entry: &&SegmentEntry| overlaps(entry.segment.summary.setup_range, (from, to));
        Ok(self.segments_of_days(days).filter(is_in_range))
    }
}

/// The tasks of one scan, from which its threads take the next one.
struct TaskQueue<'p> {
    target: &'p ScanTarget<'p>,
    tasks: &'p [ScanTask<'p>],
    /// Index of the next task.
    next: AtomicUsize,
}

impl<'p> TaskQueue<'p> {
    fn next(&self) -> Option<&'p ScanTask<'p>> {
        self.tasks.get(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a task to a scanner; an error drops the remaining tasks.
    fn add(&self, task: &ScanTask<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        self.target.add(task, scanner).inspect_err(|_| self.next.store(self.tasks.len(), Ordering::Relaxed))
    }

    /// Adds tasks to a scanner until none is left.
    fn drain(&self, scanner: &mut Scanner<'_>) -> Result<()> {
        std::iter::from_fn(|| self.next()).try_for_each(|task| self.add(task, scanner))
    }
}

/// Scanners of the helpers, to be merged into that of the calling thread.
type Collected<'a> = Mutex<Vec<Result<Scanner<'a>>>>;

/// Adds tasks to a scanner: alone, with helpers, or delegated to them, by the number of rows.
fn run_tasks<'a>(
    mut scanner: Scanner<'a>, scan: &'a Scan<'a>, target: &ScanTarget<'_>, tasks: &[ScanTask<'_>], helpers: &HelperThreads,
) -> Result<Scanner<'a>> {
    let tuning = target.tuning;
    let rows: usize = tasks.iter().map(|task| target.estimated_rows(task)).sum();
    // (Tried: the calling thread takes part at any size. Short reports then waited for it.)
    // Never the mutable memtables, whose scan blocks writers; see the module documentation. Tasks that
    // include a segment run without the lock.
    let is_delegated = rows >= tuning.delegated_row_count_min && tasks.iter().any(|task| matches!(task, ScanTask::Segment(_)));
    let queue = TaskQueue { target, tasks, next: AtomicUsize::new(0) };
    let collected = Collected::default();
    let is_parallel = rows >= tuning.parallel_row_count_min && tasks.len() > 1;
    match if is_parallel { helpers.get(tuning) } else { None } {
        None => queue.drain(&mut scanner)?,
        Some(helpers) => helpers.in_place_scope_fifo(|scope| {
            for _ in usize::from(!is_delegated)..helpers.current_num_threads() {
                scope.spawn_fifo(|scope| take_turn(scope, scan, None, &queue, &collected));
            }
            if is_delegated { Ok(()) } else { queue.drain(&mut scanner) }
        })?,
    }
    collected.into_inner().into_iter().try_fold(scanner, |scanner, helper| scanner.merge(helper?))
}

/// Runs one task on a helper thread, then spawns itself again behind the other scans; without a task left,
/// hands over its scanner.
fn take_turn<'s, 'a: 's>(
    scope: &ScopeFifo<'s>, scan: &'a Scan<'a>, scanner: Option<Scanner<'a>>, queue: &'s TaskQueue<'s>,
    collected: &'s Collected<'a>,
) {
    let collect = |scanner| collected.lock().extend(scanner);
    let Some(task) = queue.next() else { return collect(scanner.map(Ok)) };
    let mut scanner = scanner.unwrap_or_else(|| Scanner::new(scan));
    match queue.add(task, &mut scanner) {
        Ok(()) => scope.spawn_fifo(move |scope| take_turn(scope, scan, Some(scanner), queue, collected)),
        Err(error) => collect(Some(Err(error))),
    }
}
