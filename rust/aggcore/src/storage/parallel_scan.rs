//! Scans over all that a store holds.
//!
//! Small work is done by the thread that asks. Large work is helped with by threads that all scans share: one task at a
//! time, in turns, so that no scan waits for another to end.

use std::borrow::Cow;
use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use parking_lot::Mutex;
use rayon::{ScopeFifo, ThreadPool, ThreadPoolBuilder};

use super::state::{ImmutableMemtable, SegmentEntry, State};
use super::{Store, days_of};
use crate::cancellation::CancelToken;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::scan::predicate::{Predicate, account_of, may_be_active, may_be_finished};
use crate::scan::{Partials, Scan, Scanner, any_match, column_names};

/// Fewer rows are scanned sooner than a helper wakes up.
const PARALLEL_ROWS_MIN: usize = 1 << 16;
/// RowMetadata rows are scanned by helpers alone: the thread that asks would not give way to short reports.
const DELEGATED_ROWS_MIN: usize = 1 << 22;
/// Rows in memory of one task.
const TASK_ROWS_MAX: usize = 1 << 18;
/// As many rows as an account of a segment may cost with the search for it; how many it has is not known before.
const ACCOUNT_ROWS_ESTIMATE: usize = 1 << 13;

#[cfg(target_os = "linux")]
const HELPER_NICENESS: i32 = 15;

/// As many helpers as there are cores; `None` where there is but one.
static HELPERS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let count = available_parallelism().map_or(1, NonZero::get);
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|number| format!("scan-{number}"));
    let pool = pool.start_handler(|_| lower_priority());
    if count == 1 { None } else { pool.build().ok() }
});

/// Lets other threads go first: a short report is not to wait while a long one is helped with.
fn lower_priority() {
    // On Linux a thread has a niceness of its own; elsewhere help is as urgent as all else.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), HELPER_NICENESS);
}

/// The records that a scan, or a look for any record, is about.
struct ScanTarget<'a> {
    /// Setup times: from, to.
    range: (i64, i64),
    predicates: &'a [Predicate],
    /// Columns that may be read.
    names: Vec<&'a str>,
}

/// Records to look at, as much as one task takes.
enum ScanTask<'p> {
    /// Rows of a table in memory, whose number follows.
    MemtableRows { slice: Box<RecordSlice<'p>>, table: usize },
    /// A segment whatever its size, as sums of it may be known.
    Segment(&'p SegmentEntry),
}

impl Store {
    /// Answers a scan with integer sums.
    ///
    /// # Errors
    /// What [`Scanner::add`] gives, or `Damaged`.
    pub fn partials(&self, scan: &Scan<'_>) -> Result<Partials> {
        // Also where there is nothing to scan.
        scan.cancel.check()?;
        let target = ScanTarget { range: scan.range(), predicates: scan.predicates, names: scan.column_names() };
        let mut scanner = Some(Scanner::new(scan));
        self.visit_tasks(&target, |tasks| {
            scanner = scanner.take().map(|scanner| run_tasks(scanner, scan, &target, tasks)).transpose()?;
            Ok(true)
        })?;
        scanner.map_or_else(|| Ok(Partials::default()), Scanner::finish)
    }

    /// Whether any record meets all conditions.
    ///
    /// # Errors
    /// What [`any_match`] gives, or `Damaged`.
    pub fn any_match(&self, predicates: &[Predicate], cancel: &CancelToken) -> Result<bool> {
        cancel.check()?;
        let target = ScanTarget { range: (i64::MIN, i64::MAX), predicates, names: column_names(predicates) };
        let mut found = false;
        self.visit_tasks(&target, |tasks| {
            for task in tasks {
                found = found || any_match(&*target.slice(task)?, predicates, cancel)?;
            }
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Hands over all that may have records that are target: first what writers change, who wait meanwhile, then all
    /// else, until `take` gives false.
    fn visit_tasks(&self, target: &ScanTarget<'_>, mut take: impl FnMut(&[ScanTask<'_>]) -> Result<bool>) -> Result<()> {
        let (no_tombstones, (from, to)) = (RowSet::default(), target.range);
        let (active, finished) = (may_be_active(target.predicates), may_be_finished(target.predicates));
        let state = self.read();
        let changing = [(active, &state.active), (finished, &state.memtable)];
        let tables = changing.len();
        let changing = changing.iter().zip(0..).filter(|((may, _), _)| *may);
        let changing = changing.flat_map(|((_, table), number)| target.split(&table.slice(&no_tombstones), number));
        if !take(&changing.collect::<Vec<_>>())? || !finished {
            return Ok(());
        }
        let immutable: Vec<ImmutableMemtable> = state.immutable.clone();
        let entries: Vec<SegmentEntry> = state.readable(from, to)?;
        drop(state);
        let immutable = immutable.iter().zip(tables..);
        let immutable =
            immutable.flat_map(|(immutable, number)| target.split(&immutable.table.slice(&immutable.tombstones), number));
        take(&immutable.chain(entries.iter().map(ScanTask::Segment)).collect::<Vec<_>>()).map(drop)
    }
}

impl ScanTarget<'_> {
    /// Rows of a table in memory in tasks.
    fn split<'p>(&self, slice: &RecordSlice<'p>, table: usize) -> Vec<ScanTask<'p>> {
        let ((from, to), (first, last), rows) = (self.range, slice.setup_range, &slice.rows);
        if rows.is_empty() || last < from || to <= first {
            return Vec::new();
        }
        let size = rows.len().div_ceil(rows.len().div_ceil(TASK_ROWS_MAX));
        let rows_of = |start: usize| start..rows.end.min(start + size);
        let task = |start: usize| ScanTask::MemtableRows {
            slice: Box::new(RecordSlice { rows: rows_of(start), ..slice.clone() }),
            table,
        };
        rows.clone().step_by(size).map(task).collect()
    }

    /// The columns of a task.
    fn slice<'p>(&self, task: &'p ScanTask<'p>) -> Result<Cow<'p, RecordSlice<'p>>> {
        match task {
            ScanTask::MemtableRows { slice, .. } => Ok(Cow::Borrowed(slice)),
            ScanTask::Segment(SegmentEntry { segment, tombstones, .. }) => Ok(Cow::Owned(match account_of(self.predicates) {
                Some(account) => segment.slice_of_account(account, self.range, &self.names, tombstones)?,
                None => segment.slice(&self.names, tombstones)?,
            })),
        }
    }

    /// About how many rows a task has to look at.
    fn estimated_rows(&self, task: &ScanTask<'_>) -> usize {
        match task {
            ScanTask::MemtableRows { slice, .. } => slice.rows.len(),
            ScanTask::Segment(entry) if account_of(self.predicates).is_some() => entry.segment.rows().min(ACCOUNT_ROWS_ESTIMATE),
            ScanTask::Segment(entry) => entry.segment.rows(),
        }
    }

    fn add(&self, task: &ScanTask<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        let slice = self.slice(task)?;
        match task {
            ScanTask::MemtableRows { table, .. } => scanner.add_table_rows(&slice, *table),
            ScanTask::Segment(entry) => entry.rollups.add(&entry.segment, &slice, scanner),
        }
    }
}

impl State {
    /// The segments that may have records set up in [from, to).
    ///
    /// # Errors
    /// `Damaged` where one of them could not be opened.
    fn readable(&self, from: i64, to: i64) -> Result<Vec<SegmentEntry>> {
        let days = days_of(from, to);
        if let Some(unreadable) = self.unreadable.iter().find(|unreadable| days.contains(&unreadable.day)) {
            return Err(unreadable.error());
        }
        let overlaps = |entry: &&SegmentEntry| {
            let (first, last) = entry.segment.summary.setup_range;
            first < to && from <= last
        };
        Ok(self.segments_of_days(days).filter(overlaps).cloned().collect())
    }
}

/// Pieces that are left to scan.
struct TaskQueue<'p> {
    target: &'p ScanTarget<'p>,
    tasks: &'p [ScanTask<'p>],
    next: AtomicUsize,
}

impl<'p> TaskQueue<'p> {
    fn next(&self) -> Option<&'p ScanTask<'p>> {
        self.tasks.get(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a task to a scanner. Where that fails the others are left.
    fn add(&self, task: &ScanTask<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        self.target.add(task, scanner).inspect_err(|_| self.next.store(self.tasks.len(), Ordering::Relaxed))
    }

    fn drain(&self, scanner: &mut Scanner<'_>) -> Result<()> {
        std::iter::from_fn(|| self.next()).try_for_each(|task| self.add(task, scanner))
    }
}

/// What the helpers collected.
type Collected<'a> = Mutex<Vec<Result<Scanner<'a>>>>;

/// Adds tasks to a scanner, with helpers where it is worth it; what takes long is left to them.
fn run_tasks<'a>(
    mut scanner: Scanner<'a>, scan: &'a Scan<'a>, target: &ScanTarget<'_>, tasks: &[ScanTask<'_>],
) -> Result<Scanner<'a>> {
    let rows: usize = tasks.iter().map(|task| target.estimated_rows(task)).sum();
    // Writers wait for rows in memory, which are not left to threads that give way.
    let is_delegated = rows >= DELEGATED_ROWS_MIN && tasks.iter().any(|task| matches!(task, ScanTask::Segment(_)));
    let queue = TaskQueue { target, tasks, next: AtomicUsize::new(0) };
    let collected = Collected::default();
    match HELPERS.as_ref().filter(|_| rows >= PARALLEL_ROWS_MIN && tasks.len() > 1) {
        None => queue.drain(&mut scanner)?,
        Some(helpers) => helpers.in_place_scope_fifo(|scope| {
            for _ in usize::from(!is_delegated)..helpers.current_num_threads() {
                scope.spawn_fifo(|scope| take_turn(scope, scan, None, &queue, &collected));
            }
            if is_delegated { Ok(()) } else { queue.drain(&mut scanner) }
        })?,
    }
    collected.into_inner().into_iter().try_fold(scanner, |scanner, other| scanner.merge(other?))
}

/// Does one task, then waits for its next turn.
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
