//! Parallel scan: a scan is split into tasks, which the calling thread and helper threads take from a queue.
//!
//! A task is a segment, or a range of rows of a memtable. A small scan runs on the calling thread alone. For
//! a large one, helper threads of low priority, which all scans of the store share, take tasks too. A
//! helper takes one task of a scan and then queues up again behind the other scans (FIFO), so that a short
//! scan never waits for a long one to end. A very large scan is *delegated*: the calling thread takes none of
//! its tasks, as it would run them at normal priority and slow down short reports.
//!
//! A scan of few values of the mutable memtables reads them under the read lock, which blocks writers; others copy them
//! first (`state_snapshot.rs`) and then run without the lock. Under the lock, unless there are few rows, only threads of normal
//! priority scan: one of low priority would keep writers waiting whenever it is preempted (priority inversion). A calling
//! thread of normal priority takes part itself; one of low priority hands the scan over.

use std::slice;
use std::sync::Arc;

use super::copied_columns::CopiedColumns;
use super::estimate::verified_rows_to_read;
use super::helper_threads::HelperThreads;
use super::memtable::Memtable;
use super::scan_counters::ScanCounters;
use super::segment::{FileWatch, Segment, column_numbers, guard_failure, require_all_unchanged};
use super::state::{ImmutableMemtable, SegmentEntry, State, UnreadableSegment};
use super::state_snapshot::SnapshotRequest;
use super::task_queue::add_tasks;
use super::task_scanner::TaskScanner;
use super::{ReadTimes, Store, days_of};
use crate::cancellation::CancelToken;
use crate::columns::integer::UNKNOWN_STATS;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::memory::QueryMemory;
use crate::record::schema::int_slot;
use crate::scan::predicate::{Predicate, accounts_of, may_be_active, may_be_finished};
use crate::scan::traffic::{IntervalQuestion, Occupancy, TrafficPartials, TrafficScanner};
use crate::scan::{Key, Measured, Partials, Scan, Scanner, TrafficScan, any_match, column_names};
use crate::tuning::Tuning;

/// To find the group of a row takes about as long as reading this number of integers, times the square of the number of keys:
/// more keys have more groups, too.
const VALUES_PER_KEY_PAIR: usize = 2;

/// Rows per value of a key below which most rows may begin a group of their own.
const ROWS_PER_GROUP_MANY: usize = 4;

/// To begin a group takes about as long as reading this number of integers.
const VALUES_PER_NEW_GROUP: usize = 1_000;

/// Looking both dialled numbers of a row up in a code deck takes about as long as reading this number of integers.
const VALUES_PER_DECK: usize = 64;

/// What [`Store::partials`] or [`Store::any_match`] reads.
pub(super) struct ScanTarget<'a> {
    /// Times of the records.
    times: ReadTimes,
    predicates: &'a [Predicate],
    /// Columns that the scan reads.
    names: Vec<&'a str>,
    /// Numbers of these columns, to be verified in segments.
    columns: Vec<usize>,
    keys: &'a [Key],
    /// Whether it looks dialled numbers up in a code deck.
    with_deck: bool,
    memory: &'a Arc<QueryMemory>,
    cancel: &'a CancelToken,
    pub(super) tuning: &'a Tuning,
    file_watch: &'a FileWatch,
    counters: &'a ScanCounters,
}

/// The records of one task.
pub(super) enum ScanTask<'p> {
    /// A range of rows of a memtable; `memtable` numbers the memtables of a scan.
    MemtableRows { slice: Box<RecordSlice<'p>>, memtable: usize },
    /// A whole segment of any size: a rollup may answer for it.
    Segment(&'p SegmentEntry),
}

impl ScanTask<'_> {
    /// The segment that the task reads; `None` for a memtable.
    pub(super) fn segment(&self) -> Option<&Segment> {
        match self {
            Self::MemtableRows { .. } => None,
            Self::Segment(entry) => Some(&entry.segment),
        }
    }

    /// The least setup time of the records, microseconds UTC, or one before it.
    pub(super) fn least_setup_us(&self) -> i64 {
        match self {
            Self::MemtableRows { slice, .. } => slice.setup_range.0,
            Self::Segment(entry) => entry.segment.summary.setup_range.0,
        }
    }
}

impl Store {
    /// Runs a scan and returns its integer sums.
    ///
    /// # Errors
    /// As for [`Scanner::add`], or `Damaged`.
    pub fn partials(&self, scan: &Scan<'_>) -> Result<Partials> {
        let scanner = self.run(scan, || Scanner::new(scan))?;
        let partials = scanner.map_or_else(|| Ok(Partials::default()), Scanner::finish)?;
        self.scan_counters.note_result(partials.sums.len());
        Ok(partials)
    }

    /// Runs a traffic scan and returns its measures, those of intervals for the records of `occupancy`. All are of the same
    /// instant.
    ///
    /// # Errors
    /// As for [`TrafficScanner::add`], or `Damaged`.
    pub fn traffic_partials(&self, scan: &TrafficScan<'_>, occupancy: &Occupancy<'_>) -> Result<TrafficPartials> {
        let partials = match IntervalQuestion::of(scan, occupancy) {
            Some(question) => self.partials_with_intervals(scan, &question)?,
            None => {
                let scanner = self.run(scan, || TrafficScanner::new(scan))?;
                scanner.map_or_else(|| Ok(TrafficPartials::default()), TrafficScanner::finish)?
            }
        };
        self.scan_counters.note_result(partials.bins.len());
        Ok(partials)
    }

    /// Adds all records that a scan may count to a scanner, with those of helpers.
    fn run<'a, M: Measured, S: TaskScanner>(&self, scan: &'a Scan<'a, M>, begin: impl Fn() -> S + Sync) -> Result<Option<S>> {
        // An empty store runs no task that would check.
        scan.cancel.check()?;
        let target = self.target(scan);
        let mut scanner = Some(begin());
        self.visit_tasks(slice::from_ref(&target), |tasks, threads| {
            add_tasks(&mut scanner, &begin, &target, &tasks[0], threads)?;
            Ok(true)
        })?;
        Ok(scanner)
    }

    /// What a scan reads.
    pub(super) fn target<'a, M: Measured>(&'a self, scan: &'a Scan<'a, M>) -> ScanTarget<'a> {
        let names = scan.column_names();
        ScanTarget {
            times: ReadTimes::of_setup(scan.range()),
            predicates: scan.predicates,
            with_deck: scan.reads_deck_rates(),
            columns: column_numbers(&names),
            names,
            keys: scan.keys,
            memory: scan.memory,
            cancel: scan.cancel,
            tuning: self.tuning(),
            file_watch: &self.file_watch,
            counters: &self.scan_counters,
        }
    }

    /// Whether any record satisfies all predicates.
    ///
    /// # Errors
    /// As for [`any_match`], or `Damaged`.
    pub fn any_match(&self, predicates: &[Predicate], cancel: &CancelToken) -> Result<bool> {
        cancel.check()?;
        let names = column_names(predicates);
        let target = ScanTarget {
            times: ReadTimes::of_setup((i64::MIN, i64::MAX)),
            predicates,
            with_deck: false,
            columns: column_numbers(&names),
            names,
            keys: &[],
            memory: &self.resources.memory.begin_query(),
            cancel,
            tuning: self.tuning(),
            file_watch: &self.file_watch,
            counters: &self.scan_counters,
        };
        let mut found = false;
        self.visit_tasks(slice::from_ref(&target), |tasks, _| {
            let (tasks, mut read) = (&tasks[0], 0);
            while !found && read < tasks.len() {
                let task = &tasks[read];
                target.guard(task, || {
                    target.visit_slices(task, |slice| {
                        found = found || any_match(slice, predicates, cancel, self.tuning())?;
                        Ok(())
                    })
                })?;
                read += 1;
            }
            target.require_unchanged(&tasks[..read])?;
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Passes the tasks of each target to `run`, with the threads that may help; those of all targets are of the same instant. If the mutable memtables have few values to
    /// read: first their tasks, under the read lock, then, without a lock, those of immutable memtables and segments, unless
    /// `run` returned false or only active sessions can match. Otherwise all at once, without a lock.
    pub(super) fn visit_tasks<F>(&self, targets: &[ScanTarget<'_>], mut run: F) -> Result<()>
    where
        F: FnMut(&[Vec<ScanTask<'_>>], &HelperThreads) -> Result<bool> + Send,
    {
        let (values, rows) = values_in_memory(targets, &self.read());
        if values > self.tuning().locked_scan_value_count_max {
            return self.visit_copied_tasks(targets, run);
        }
        let scan = || self.visit_locked_tasks(targets, &mut run);
        let rest = self.locked_scan_threads.run_locked(rows, self.tuning(), scan)?;
        let Some((immutable, entries)) = rest else { return Ok(()) };
        let tasks: Vec<_> = targets.iter().map(|target| target.immutable_tasks(&immutable, &entries, 2)).collect();
        run(&tasks, &self.helpers).map(drop)
    }

    /// Passes the tasks of mutable memtables to `run`, under the read lock. Returns the rest to scan, as of the same instant;
    /// `None` if `run` returned false or only active sessions can match.
    fn visit_locked_tasks<F>(
        &self, targets: &[ScanTarget<'_>], run: &mut F,
    ) -> Result<Option<(Vec<ImmutableMemtable>, Vec<SegmentEntry>)>>
    where
        F: FnMut(&[Vec<ScanTask<'_>>], &HelperThreads) -> Result<bool>,
    {
        let no_tombstones = RowSet::default();
        let finished = targets.iter().any(|target| may_be_finished(target.predicates));
        let state = self.read();
        let tasks_of = |target: &ScanTarget<'_>| {
            let mut tasks = Vec::new();
            if may_be_active(target.predicates) && state.active.rows() > 0 {
                tasks.extend(target.split(&state.active.slice(&no_tombstones), 0));
            }
            if may_be_finished(target.predicates) && state.memtable.rows() > 0 {
                tasks.extend(target.split(&state.memtable.slice(&no_tombstones), 1));
            }
            tasks
        };
        let tasks: Vec<_> = targets.iter().map(tasks_of).collect();
        if !run(&tasks, &self.locked_scan_threads)? || !finished {
            return Ok(None);
        }
        Ok(Some((state.immutable.clone(), state.readable(&times_of(targets))?.cloned().collect())))
    }

    /// Copies what targets read of mutable memtables, then passes all tasks to `run`.
    fn visit_copied_tasks<F>(&self, targets: &[ScanTarget<'_>], mut run: F) -> Result<()>
    where
        F: FnMut(&[Vec<ScanTask<'_>>], &HelperThreads) -> Result<bool>,
    {
        let Some(first) = targets.first() else { return Ok(()) };
        let no_tombstones = RowSet::default();
        let names: Vec<&str> = targets.iter().flat_map(|target| &target.names).copied().collect();
        let snapshot = self.snapshot(&SnapshotRequest {
            times: &times_of(targets),
            active: targets.iter().any(|target| may_be_active(target.predicates)),
            finished: targets.iter().any(|target| may_be_finished(target.predicates)),
            columns: CopiedColumns::of_names(&names),
            memory: first.memory,
            cancel: first.cancel,
        })?;
        let tasks_of = |target: &ScanTarget<'_>| {
            let mut tasks = Vec::new();
            for (copy, number) in snapshot.copies.iter().zip((0..).step_by(2)) {
                let (parts, undo) = copy.slices(&no_tombstones);
                tasks.extend(parts.flat_map(|part| target.split(&part, number)));
                tasks.extend(target.split(&undo, number + 1));
            }
            tasks.extend(target.immutable_tasks(&snapshot.immutable, &snapshot.entries, 2 * snapshot.copies.len()));
            tasks
        };
        let tasks: Vec<_> = targets.iter().map(tasks_of).collect();
        run(&tasks, &self.helpers).map(drop)
    }
}

/// Times of the records that each target reads.
fn times_of(targets: &[ScanTarget<'_>]) -> Vec<ReadTimes> {
    targets.iter().map(|target| target.times).collect()
}

/// Values, and rows, that targets read in mutable memtables.
fn values_in_memory(targets: &[ScanTarget<'_>], state: &State) -> (usize, usize) {
    let of_targets = targets.iter().map(|target| target.values_in_memory(state));
    of_targets.fold((0, 0), |(values, rows), (more_values, more_rows)| (values + more_values, rows + more_rows))
}

impl ScanTarget<'_> {
    /// The same of records whose intervals end after an instant, microseconds UTC, however long before they were set up.
    pub(super) fn ending_after(self, us: i64) -> Self {
        Self { times: ReadTimes { ends_after: Some(us), ..self.times }, ..self }
    }

    /// Values, and rows, that the target reads in mutable memtables.
    fn values_in_memory(&self, state: &State) -> (usize, usize) {
        let (active, finished) = (may_be_active(self.predicates), may_be_finished(self.predicates));
        let tables = [(active, &state.active), (finished, &state.memtable)].into_iter();
        let is_read = |(wanted, table): &(bool, &Memtable)| {
            *wanted && table.rows() > 0 && self.times.may_include(table.setup_range_by_days(), table.end_stats())
        };
        tables.filter(is_read).fold((0, 0), |(values, rows), (_, table)| {
            let values_per_row = self.values_per_row() + self.values_per_group(table);
            (values + table.rows() * values_per_row, rows + table.rows())
        })
    }

    /// Reading a row, without grouping it, takes about as long as reading this number of integers.
    fn values_per_row(&self) -> usize {
        CopiedColumns::of_names(&self.names).values_per_row() + if self.with_deck { VALUES_PER_DECK } else { 0 }
    }

    /// Finding the group of a row takes about as long as reading this number of integers.
    fn values_per_group(&self, table: &Memtable) -> usize {
        let has_many = |key: &Key| table.distinct_count_max(key.source()) > table.rows() / ROWS_PER_GROUP_MANY;
        if self.keys.iter().any(has_many) { VALUES_PER_NEW_GROUP } else { VALUES_PER_KEY_PAIR * self.keys.len().pow(2) }
    }

    /// The tasks of immutable memtables, which are numbered from `first_number` on, and of segments.
    fn immutable_tasks<'p>(
        &self, immutable: &'p [ImmutableMemtable], entries: &'p [SegmentEntry], first_number: usize,
    ) -> Vec<ScanTask<'p>> {
        let mut tasks = Vec::new();
        for (immutable, memtable) in immutable.iter().zip(first_number..) {
            tasks.extend(self.split(&immutable.table.slice(&immutable.tombstones), memtable));
        }
        tasks.extend(entries.iter().filter(|entry| self.times.may_include_segment(&entry.segment)).map(ScanTask::Segment));
        tasks
    }

    /// Splits the rows of a memtable into tasks of equal size; none if its records do not count, by their times.
    fn split<'p>(&self, slice: &RecordSlice<'p>, memtable: usize) -> Vec<ScanTask<'p>> {
        let (rows, end_stats) = (&slice.rows, slice.column_stats.map_or(UNKNOWN_STATS, |stats| stats[int_slot::END_TIME]));
        if rows.is_empty() || !self.times.may_include(slice.setup_range, end_stats) {
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

    /// Passes the rows of a task to `visit`; see [`ScanTarget::visit_slices_of_segment`].
    fn visit_slices(&self, task: &ScanTask<'_>, mut visit: impl FnMut(&RecordSlice<'_>) -> Result<()>) -> Result<()> {
        match task {
            ScanTask::MemtableRows { slice, .. } => visit(slice),
            ScanTask::Segment(entry) => self.visit_slices_of_segment(entry, visit),
        }
    }

    /// Passes the rows of a segment to `visit`, after verifying its columns: as one slice, or those of each account if the
    /// predicates ask for a few.
    fn visit_slices_of_segment(&self, entry: &SegmentEntry, mut visit: impl FnMut(&RecordSlice<'_>) -> Result<()>) -> Result<()> {
        let SegmentEntry { segment, tombstones, .. } = entry;
        let Some(accounts) = accounts_of(self.predicates) else { return visit(&segment.slice(&self.columns, tombstones)?) };
        accounts
            .into_iter()
            .try_for_each(|account| visit(&segment.slice_of_account(account, self.times.setup, &self.columns, tombstones)?))
    }

    /// Whether how many rows the scan reads in segments is a guess, as it reads those of some accounts.
    pub(super) fn is_guess(&self) -> bool {
        accounts_of(self.predicates).is_some_and(|accounts| !accounts.contains(&""))
    }

    /// Estimates the rows that a task reads.
    pub(super) fn estimated_rows(&self, task: &ScanTask<'_>) -> usize {
        match task {
            ScanTask::MemtableRows { slice, .. } => slice.rows.len(),
            ScanTask::Segment(entry) => verified_rows_to_read(&entry.segment, self.predicates, self.tuning),
        }
    }

    /// Adds the records of a task to a scanner, and counts the rows that it reads, also if it fails.
    pub(super) fn add(&self, task: &ScanTask<'_>, scanner: &mut impl TaskScanner) -> Result<()> {
        let before = scanner.row_count();
        let added = self.add_uncounted(task, scanner);
        self.counters.note_rows(scanner.row_count() - before);
        added
    }

    fn add_uncounted(&self, task: &ScanTask<'_>, scanner: &mut impl TaskScanner) -> Result<()> {
        match task {
            ScanTask::MemtableRows { slice, memtable } => scanner.add_rows_of_memtable(slice, *memtable),
            ScanTask::Segment(entry) => guard_failure(&entry.segment, || {
                self.visit_slices_of_segment(entry, |slice| scanner.add_rows_of_segment(entry, slice, self.counters))
            }),
        }
    }

    /// Runs `read`, which reads the records of a task; its failure is damage if the file of a segment changed.
    fn guard<T>(&self, task: &ScanTask<'_>, read: impl FnOnce() -> Result<T>) -> Result<T> {
        match task {
            ScanTask::MemtableRows { .. } => read(),
            ScanTask::Segment(entry) => guard_failure(&entry.segment, read),
        }
    }

    /// Fails if the file of a segment has changed before its task was done.
    pub(super) fn require_unchanged(&self, done: &[ScanTask<'_>]) -> Result<()> {
        require_all_unchanged(self.file_watch, done.iter().filter_map(ScanTask::segment))
    }
}

impl State {
    /// Iterates over the segments that may have records of some of these times.
    ///
    /// # Errors
    /// `Damaged` if a segment that may have such records could not be opened.
    pub(super) fn readable<'s>(&'s self, times: &'s [ReadTimes]) -> Result<impl Iterator<Item = &'s SegmentEntry>> {
        let may_include = |times: &ReadTimes, unreadable: &UnreadableSegment| {
            days_of(times.setup.0, times.setup.1).contains(&unreadable.day) && times.may_end_later(unreadable.end_stats)
        };
        let is_needed = |unreadable: &&UnreadableSegment| times.iter().any(|times| may_include(times, unreadable));
        if let Some(unreadable) = self.unreadable.iter().find(is_needed) {
            return Err(unreadable.error());
        }
        let (from, to) =
            times.iter().fold((i64::MAX, i64::MIN), |(from, to), times| (from.min(times.setup.0), to.max(times.setup.1)));
        let is_wanted = |entry: &&SegmentEntry| times.iter().any(|times| times.may_include_segment(&entry.segment));
        Ok(self.segments_of_days(days_of(from, to)).filter(is_wanted))
    }
}
