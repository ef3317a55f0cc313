//! The scanner of a traffic scan.

use rayon::ThreadPool;

use super::accumulate::TrafficAccumulator;
use super::cells::TrafficCells;
use super::interval_scanner::{IntervalScanner, SweptCells};
use super::measure::TrafficMeasure;
use super::rollup_sums::{RollupAccumulator, RollupSums};
use super::{TrafficPartials, TrafficScan};
use crate::error::Result;
use crate::scan::cell_values::CellValues;
use crate::scan::column::SliceColumns;
use crate::scan::group_scanner::{Accumulate, GroupScanner};
use crate::scan::plan::Plan;
use crate::scan::predicate::Predicate;

/// The running result of a traffic scan. Threads have a scanner each, and [`TrafficScanner::merge`] adds their results up.
pub struct TrafficScanner<'a> {
    groups: GroupScanner<'a, &'a [TrafficMeasure], TrafficCells>,
}

impl<'a> TrafficScanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a TrafficScan<'a>) -> Self {
        let cells = TrafficCells::new(scan.measure, if scan.keys.is_empty() { scan.bin_count() } else { 0 });
        Self { groups: GroupScanner::new(scan, cells) }
    }

    /// The scan that the scanner runs.
    pub fn scan(&self) -> &'a TrafficScan<'a> {
        self.groups.scan
    }

    /// Rows that were read so far.
    pub fn row_count(&self) -> usize {
        self.groups.row_count
    }

    /// Adds the records that a plan of the scan selects.
    ///
    /// # Errors
    /// As [`Scanner::add`](crate::scan::Scanner::add).
    pub fn add(&mut self, plan: Plan<'_, ()>) -> Result<()> {
        if plan.is_known_empty() {
            return Ok(());
        }
        self.groups.begin_slice(&plan)?;
        let sums = TrafficAccumulator::new(plan.slice, self.groups.scan.measure);
        self.add_with(plan, sums)
    }

    /// Adds the rows of a rollup that a plan of the scan selects.
    ///
    /// # Errors
    /// As [`TrafficScanner::add`].
    pub fn add_rollup(&mut self, plan: Plan<'_, ()>, sums: RollupSums<'_>) -> Result<()> {
        if plan.is_known_empty() {
            return Ok(());
        }
        self.groups.begin_slice(&plan)?;
        let sums = RollupAccumulator::new(sums, self.groups.scan.measure);
        self.add_with(plan, sums)
    }

    /// Notes rows that were read for the scan; [`TrafficScanner::add`] notes those of its plan.
    pub fn note_rows_read(&mut self, count: usize) {
        self.groups.row_count += count;
    }

    fn add_with(&mut self, plan: Plan<'_, ()>, sums: impl Accumulate<Cells = TrafficCells>) -> Result<()> {
        if plan.keys.is_empty() { self.groups.add_to_bins(plan, sums) } else { self.groups.add_to_groups(plan, sums) }
    }

    /// Adds the result of another scanner of the same scan.
    ///
    /// # Errors
    /// As [`TrafficScanner::add`].
    pub fn merge(self, other: Self) -> Result<Self> {
        Ok(Self { groups: self.groups.merge(other.groups)? })
    }

    /// Adds what a scan of intervals found, and returns all measures; `measures` are those of both. Of many intervals, `threads`
    /// take a half.
    ///
    /// # Errors
    /// As [`TrafficScanner::add`].
    pub fn finish_with(
        self, intervals: IntervalScanner<'a>, measures: &[TrafficMeasure], threads: Option<&ThreadPool>,
    ) -> Result<TrafficPartials> {
        let GroupScanner { scan, mut cells, mut memory, row_count } = self.groups;
        cells.settle()?;
        memory.resize(cells.bytes() + TrafficCells::bytes_of(measures, cells.values.count()))?;
        cells.values = std::mem::take(&mut cells.values).with_intervals(measures);
        let SweptCells { cells: swept, memory: swept_memory, row_count: swept_count } = intervals.sweep(measures, threads)?;
        let swept = GroupScanner { scan, cells: swept, memory: swept_memory, row_count: swept_count };
        Self { groups: GroupScanner { scan, cells, memory, row_count }.merge(swept)? }.finish()
    }

    /// Returns the measures of all slices that were added, whose bytes the query holds until it ends.
    ///
    /// # Errors
    /// As [`TrafficScanner::add`].
    pub fn finish(self) -> Result<TrafficPartials> {
        let (columns, row_count) = self.groups.finish()?;
        Ok(TrafficPartials { bins: columns.bins, keys: columns.keys, measures: columns.values.into_values(), row_count })
    }
}

impl<'a> Plan<'a, ()> {
    /// Plans a traffic scan of the records of a slice, given as its columns.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn of_traffic(scan: &'a TrafficScan<'a>, columns: &'a SliceColumns<'a>) -> Result<Self> {
        let predicates: Vec<_> = scan.predicates.iter().collect();
        Self::bind(scan, columns, &predicates, (), columns.slice().rows.len() as u64)
    }

    /// Plans the same for the rows of a rollup, given with their columns, of which those count that satisfy `left`.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn of_traffic_rollup(scan: &'a TrafficScan<'a>, columns: &'a SliceColumns<'a>, left: &[&'a Predicate]) -> Result<Self> {
        Self::bind(scan, columns, left, (), 0)
    }
}
