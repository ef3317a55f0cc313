//! How the tasks of a scan are added to its scanner, for each kind of scan.

use super::scan_counters::ScanCounters;
use super::state::SegmentEntry;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::scan::column::SliceColumns;
use crate::scan::traffic::{IntervalScanner, TrafficScanner};
use crate::scan::{Plan, Scanner};

/// The running result of a scan, to which the rows of tasks are added.
pub trait TaskScanner: Sized + Send {
    /// Rows that were read so far.
    fn row_count(&self) -> usize;

    /// Adds rows of a memtable; `memtable` numbers the memtables of a scan.
    fn add_rows_of_memtable(&mut self, slice: &RecordSlice<'_>, memtable: usize) -> Result<()>;

    /// Adds rows of a segment.
    fn add_rows_of_segment(&mut self, entry: &SegmentEntry, slice: &RecordSlice<'_>, counters: &ScanCounters) -> Result<()>;

    /// Notes that all rows of a task were added; `number` is that of the task among those of its scan.
    fn end_task(&mut self, _number: usize) -> Result<()> {
        Ok(())
    }

    /// Adds the result of another scanner of the same scan.
    fn merge(self, other: Self) -> Result<Self>;
}

impl TaskScanner for Scanner<'_> {
    fn row_count(&self) -> usize {
        self.row_count()
    }

    fn add_rows_of_memtable(&mut self, slice: &RecordSlice<'_>, memtable: usize) -> Result<()> {
        let columns = SliceColumns::new(self.scan(), slice)?;
        self.add(Plan::new(self.scan(), &columns)?.of_memtable(memtable))
    }

    /// Adds those of a rollup if it has the sums, else the rows.
    fn add_rows_of_segment(&mut self, entry: &SegmentEntry, slice: &RecordSlice<'_>, counters: &ScanCounters) -> Result<()> {
        let (scan, no_tombstones) = (self.scan(), RowSet::default());
        let columns = SliceColumns::new(scan, slice)?.with_verdicts(&entry.verdicts);
        let plan = Plan::new(scan, &columns)?;
        if plan.is_known_empty() {
            return Ok(());
        }
        let (rollup, rows_read) = entry.rollups.resolve(&entry.segment, scan, &plan)?;
        self.note_rows_read(rows_read);
        counters.note_segment(rollup.is_some() && rows_read == 0);
        let Some(rollup) = rollup else { return self.add(plan) };
        let rows = rollup.rows(&no_tombstones);
        let columns = SliceColumns::new(scan, &rows.groups)?;
        self.add(Plan::of_rollup(scan, &rows, &columns, plan.residual())?)
    }

    fn merge(self, other: Self) -> Result<Self> {
        self.merge(other)
    }
}

impl TaskScanner for TrafficScanner<'_> {
    fn row_count(&self) -> usize {
        self.row_count()
    }

    fn add_rows_of_memtable(&mut self, slice: &RecordSlice<'_>, memtable: usize) -> Result<()> {
        let columns = SliceColumns::new(self.scan(), slice)?;
        self.add(Plan::of_traffic(self.scan(), &columns)?.of_memtable(memtable))
    }

    /// Adds those of a rollup if it has the sums, else the rows.
    fn add_rows_of_segment(&mut self, entry: &SegmentEntry, slice: &RecordSlice<'_>, counters: &ScanCounters) -> Result<()> {
        let (scan, no_tombstones) = (self.scan(), RowSet::default());
        let columns = SliceColumns::new(scan, slice)?.with_verdicts(&entry.verdicts);
        let plan = Plan::of_traffic(scan, &columns)?;
        if plan.is_known_empty() {
            return Ok(());
        }
        let (found, rows_read) = entry.traffic_rollups.resolve(&entry.segment, scan, &plan)?;
        self.note_rows_read(rows_read);
        counters.note_segment(found.is_some() && rows_read == 0);
        let Some(found) = found else { return self.add(plan) };
        let rows = found.rollup.rows(&no_tombstones);
        let (columns, sums) = (SliceColumns::of_keys(&rows, found.columns(scan, slice)), found.sums(scan));
        self.add_rollup(Plan::of_traffic_rollup(scan, &columns, &found.left)?, sums)
    }

    fn merge(self, other: Self) -> Result<Self> {
        self.merge(other)
    }
}

impl TaskScanner for IntervalScanner<'_> {
    fn row_count(&self) -> usize {
        self.row_count()
    }

    fn add_rows_of_memtable(&mut self, slice: &RecordSlice<'_>, memtable: usize) -> Result<()> {
        let columns = SliceColumns::new(self.scan(), slice)?;
        self.add(Plan::of_intervals(self.scan(), &columns)?.of_memtable(memtable))
    }

    fn add_rows_of_segment(&mut self, entry: &SegmentEntry, slice: &RecordSlice<'_>, counters: &ScanCounters) -> Result<()> {
        let columns = SliceColumns::new(self.scan(), slice)?.with_verdicts(&entry.verdicts);
        let plan = Plan::of_intervals(self.scan(), &columns)?;
        if plan.is_known_empty() {
            return Ok(());
        }
        counters.note_segment(false);
        self.add(plan)
    }

    fn end_task(&mut self, number: usize) -> Result<()> {
        IntervalScanner::end_task(self, number)
    }

    fn merge(self, other: Self) -> Result<Self> {
        self.merge(other)
    }
}
