//! The scanner of a scan of intervals.

use rayon::ThreadPool;

use super::cells::TrafficCells;
use super::interval_accumulator::IntervalAccumulator;
use super::interval_cells::{IntervalCells, IntervalList};
use super::intervals::{IntervalMeasures, IntervalScan};
use super::measure::TrafficMeasure;
use super::running_sweep::RunningSweep;
use super::sweep::{Sweep, Swept, lists_of};
use crate::error::Result;
use crate::memory::Reservation;
use crate::scan::aggregation_table::AggregationTable;
use crate::scan::column::SliceColumns;
use crate::scan::group_scanner::GroupScanner;
use crate::scan::plan::Plan;

/// The running result of a scan of intervals. Threads have a scanner each, and [`IntervalScanner::merge`] adds their results up.
pub struct IntervalScanner<'a> {
    groups: GroupScanner<'a, &'a IntervalMeasures<'a>, IntervalCells>,
    /// Takes the instants of the slices of a scan without keys, those of all threads.
    running: &'a RunningSweep<'a>,
}

/// The cells that intervals overlap, with all measures of a traffic scan.
pub(super) struct SweptCells<'a> {
    pub(super) cells: AggregationTable<'a, TrafficCells>,
    pub(super) memory: Reservation,
    pub(super) row_count: usize,
}

impl<'a> IntervalScanner<'a> {
    /// Begins a scan, whose sweep is `running`.
    pub fn new(scan: &'a IntervalScan<'a>, running: &'a RunningSweep<'a>) -> Self {
        Self { groups: GroupScanner::new(scan, IntervalCells::default()), running }
    }

    /// The scan that the scanner runs.
    pub fn scan(&self) -> &'a IntervalScan<'a> {
        self.groups.scan
    }

    /// Rows that were read so far.
    pub fn row_count(&self) -> usize {
        self.groups.row_count
    }

    /// Adds the intervals of the records that a plan of the scan selects.
    ///
    /// # Errors
    /// As [`Scanner::add`](crate::scan::Scanner::add).
    pub fn add(&mut self, plan: Plan<'_, ()>) -> Result<()> {
        if plan.is_known_empty() {
            return Ok(());
        }
        self.groups.begin_slice(&plan)?;
        let intervals = IntervalAccumulator::new(plan.slice, self.groups.scan);
        if !plan.keys.is_empty() {
            return self.groups.add_to_groups(plan, intervals);
        }
        self.groups.add_to_bins(plan, intervals)?;
        for (need, list) in self.groups.cells.values.lists.iter_mut().enumerate() {
            if let IntervalList::Runs(runs) = list {
                self.running.add(need, std::mem::take(runs))?;
            }
        }
        Ok(())
    }

    /// Notes that a task is done.
    ///
    /// # Errors
    /// As [`RunningSweep::end_task`].
    pub fn end_task(&self, number: usize) -> Result<()> {
        self.running.end_task(number)
    }

    /// Adds the result of another scanner of the same scan.
    ///
    /// # Errors
    /// As [`IntervalScanner::add`].
    pub fn merge(self, other: Self) -> Result<Self> {
        Ok(Self { groups: self.groups.merge(other.groups)?, running: self.running })
    }

    /// Returns the cells of the bins that intervals overlap; without keys, one for each bin. Of many intervals, `threads` take a
    /// half.
    ///
    /// # Errors
    /// As [`IntervalScanner::add`].
    pub(super) fn sweep(self, measures: &[TrafficMeasure], threads: Option<&ThreadPool>) -> Result<SweptCells<'a>> {
        let GroupScanner { scan, mut cells, mut memory, row_count } = self.groups;
        cells.settle()?;
        let (needs, has_keys) = (&scan.measure.needs, !scan.keys.is_empty());
        let intervals = std::mem::take(&mut cells.values);
        let group_count = if has_keys { intervals.count } else { 1 };
        let mut of_runs = self.running.finish()?.into_iter().peekable();
        let (mut swept, mut held) = (Vec::new(), Vec::new());
        for list in lists_of(intervals, needs.iter().map(|&need| IntervalList::new(need, has_keys))) {
            let (found, memory) = match of_runs.next_if(|_| matches!(list, IntervalList::Runs(_))) {
                Some(found) => found,
                None => Sweep::new(scan, threads).run(list, group_count)?,
            };
            swept.push(found);
            held.push(memory);
        }
        drop(held);
        let places = if has_keys { united(&swept) } else { (0..scan.measure.bin_count() as u32).map(|bin| (0, bin)).collect() };
        let held_bytes = cells.bytes() + swept.iter().map(Swept::bytes).sum::<usize>();
        memory.resize(held_bytes + TrafficCells::bytes_of(measures, places.len()))?;
        let of_intervals = needs.iter().map(|need| need.interval).zip(swept).collect();
        let cells = cells.spread(&places, TrafficCells::of_intervals(measures, &places, of_intervals));
        Ok(SweptCells { cells, memory, row_count })
    }
}

/// All places, by group and bin, each once.
fn united(swept: &[Swept]) -> Vec<(u32, u32)> {
    let mut places: Vec<(u32, u32)> = swept.iter().flat_map(|swept| &swept.places).copied().collect();
    if swept.len() > 1 {
        places.sort_unstable();
        places.dedup();
    }
    places
}

impl<'a> Plan<'a, ()> {
    /// Plans a scan of the intervals of a slice, given as its columns.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn of_intervals(scan: &'a IntervalScan<'a>, columns: &'a SliceColumns<'a>) -> Result<Self> {
        let predicates: Vec<_> = scan.predicates.iter().collect();
        Self::bind(scan, columns, &predicates, (), columns.slice().rows.len() as u64)
    }
}
