//! The scanner: runs one scan over row slices and collects its cells.
//!
//! A scan without keys has one cell per bin. A scan with keys has one cell per (bin, group) that has a
//! record.

use std::ops::Range;

use super::Scan;
use super::accumulate::SliceAccumulator;
use super::aggregation_table::{AggregationTable, PackedGroups};
use super::dense_ids::GroupCode;
use super::group_key::{GroupKeyEncoder, check_cell_count};
use super::minute_histogram::MinuteHistogram;
use super::minute_scan::add_minutes;
use super::partials::Partials;
use super::plan::Plan;
use super::sums::{Sums, add};
use crate::error::Result;
use crate::memory::Reservation;

/// The running result of a scan. Threads have a scanner each, and [`Scanner::merge`] adds their results up.
pub struct Scanner<'a> {
    scan: &'a Scan<'a>,
    cells: AggregationTable<'a>,
    /// The memory of the cells and of the slice that is being added.
    memory: Reservation,
    /// Sums by minute that are not in the cells yet. Slices of one UTC day share it, so that the 1,440
    /// minutes are folded into bins once per day and not once per slice. Measured: with five segments a day
    /// and a small account, the folds of each slice cost more than its rows (quality of
    /// one day in a store of 100,000,000 records: 1.2 instead of 0.56 million instructions).
    histogram: Option<MinuteHistogram>,
    row_count: usize,
}

impl<'a> Scanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a Scan<'a>) -> Self {
        let cells = AggregationTable::new(scan.keys, scan.bin_count(), scan.cell_count_max, scan.cancel);
        Self { scan, cells, memory: scan.memory.reservation(), histogram: None, row_count: 0 }
    }

    /// Adds the rows that a plan of the scan selects.
    ///
    /// # Errors
    /// - `CellLimit` if the scan reaches more cells than [`Scan::cell_count_max`].
    /// - `QueryMemoryLimit` or `TotalMemoryLimit` if it needs more memory than [`Scan::memory`] has left.
    /// - `SumOverflow` if a sum does not fit 64 bits.
    /// - `Cancelled` or `DeadlinePassed`, see
    ///   [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn add(&mut self, plan: Plan<'_>) -> Result<()> {
        if plan.is_known_empty() {
            return Ok(());
        }
        self.note_rows_read(plan.slice.rows.len());
        self.memory.resize(self.cells.bytes())?;
        if plan.keys.is_empty() { self.add_to_bins(plan) } else { self.add_to_groups(plan) }
    }

    /// Notes rows that were read for the scan; [`Scanner::add`] notes those of its plan.
    pub fn note_rows_read(&mut self, count: usize) {
        self.row_count += count;
    }

    /// Rows that were read so far.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The scan that the scanner runs.
    pub fn scan(&self) -> &'a Scan<'a> {
        self.scan
    }

    /// Adds rows to the cells of a scan without keys.
    fn add_to_bins(&mut self, plan: Plan<'_>) -> Result<()> {
        let scan = self.scan;
        if let Some((edges, minutes)) = scan.by_minute(&plan) {
            let (day_us, call_count_max) = (minutes.day_us, plan.call_count_max);
            if self.histogram.as_ref().is_some_and(|histogram| !histogram.has_room(day_us, call_count_max)) {
                self.fold_into_bins(edges)?;
            }
            let histogram = self.histogram.get_or_insert_default();
            histogram.reserve_calls(day_us, call_count_max);
            return add_minutes(scan, plan, minutes, histogram);
        }
        let (mut bins, mut rows) = (Vec::<u32>::new(), Vec::new());
        plan.selector.each_chunk(scan.cancel, |selection| {
            let rows = selection.list(&mut rows);
            scan.assign_bins(plan.slice, rows, 0, &mut bins);
            let mut rows = bins.iter().zip(rows);
            rows.try_for_each(|(&bin, &row)| add(&mut self.cells.sums[bin as usize], plan.values.of_row(row as usize)))
        })
    }

    /// Moves the sums of the histogram to the cells of their bins.
    fn fold_into_bins(&mut self, edges: &[i64]) -> Result<()> {
        let Some(histogram) = &mut self.histogram else { return Ok(()) };
        histogram.fold_into_bins(edges, &mut self.cells.sums)
    }

    /// Adds the result of another scanner of the same scan.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow` or a memory limit, as [`Scanner::add`].
    pub fn merge(mut self, mut other: Self) -> Result<Self> {
        // The cells of the smaller table move to the other one, and take their bytes twice for a while.
        let moved_bytes = self.cells.bytes().min(other.cells.bytes());
        other.memory.resize(other.cells.bytes() + moved_bytes)?;
        if let Some(edges) = self.scan.edges {
            self.fold_into_bins(edges)?;
            other.fold_into_bins(edges)?;
        }
        let Self { scan, cells, mut memory, histogram, row_count } = self;
        let cells = cells.merge(other.cells)?;
        drop(other.memory);
        memory.resize(cells.bytes())?;
        Ok(Self { scan, cells, memory, histogram, row_count: row_count + other.row_count })
    }

    /// Returns the sums of all slices that were added, whose bytes the query holds until it ends.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow` or a memory limit, as [`Scanner::add`].
    pub fn finish(mut self) -> Result<Partials> {
        if let Some(edges) = self.scan.edges {
            self.fold_into_bins(edges)?;
        }
        // The texts move to the columns, all else is copied.
        let (column_bytes, text_bytes) = (self.cells.column_bytes(), self.cells.text_bytes());
        self.memory.resize(self.cells.bytes() + column_bytes)?;
        let partials = self.cells.finish()?;
        self.memory.resize(column_bytes + text_bytes)?;
        self.memory.keep();
        Ok(Partials { row_count: self.row_count, ..partials })
    }

    /// Adds rows to the cells of a scan with keys.
    fn add_to_groups(&mut self, plan: Plan<'_>) -> Result<()> {
        let bins = self.scan.bins_of(plan.slice);
        let encoder = GroupKeyEncoder::new(&plan.keys, &self.cells.texts, bins.clone(), &plan.slice.rows, self.scan.resources);
        let groups = self.cells.begin_slice(&encoder, plan.memtable)?;
        if encoder.fits_u32() {
            self.add_encoded::<u32>(plan, bins, encoder, groups)
        } else {
            self.add_encoded::<u64>(plan, bins, encoder, groups)
        }
    }

    /// As [`Scanner::add_to_groups`], with group codes of the width `P`.
    fn add_encoded<P: GroupCode>(
        &mut self, plan: Plan<'_>, bins: Range<usize>, mut encoder: GroupKeyEncoder<'_>, mut groups: PackedGroups,
    ) -> Result<()> {
        let (scan, cells, memory) = (self.scan, &mut self.cells, &mut self.memory);
        memory.resize(cells.bytes() + groups.bytes() + encoder.bytes())?;
        let (mut sums, mut codes) = (SliceAccumulator::new(plan.values), Vec::<P>::new());
        let mut rows = Vec::new();
        plan.selector.each_chunk(scan.cancel, |selection| {
            let rows = selection.list(&mut rows);
            codes.clear();
            if bins.len() > 1 {
                scan.assign_bins(plan.slice, rows, bins.start, &mut codes);
            }
            encoder.encode(rows, &mut codes, &mut cells.texts);
            groups.ids.replace_with_ids(&mut codes);
            let cell_count = groups.ids.values().len();
            // The groups of one slice are distinct, so that the limit may apply before they are merged with
            // others.
            check_cell_count(cell_count, scan.cell_count_max)?;
            sums.add(cell_count, &codes, rows)?;
            memory.resize(cells.bytes() + groups.bytes() + encoder.bytes() + sums.bytes())
        })?;
        // Keys and sums of the new groups, once decoded and once more in the table, with its index.
        let cell_bytes = size_of::<Sums>() + (1 + scan.keys.len()) * size_of::<i64>();
        let new_bytes = groups.ids.values().len() * 2 * (cell_bytes + size_of::<u64>());
        memory.resize(cells.bytes() + groups.bytes() + encoder.bytes() + sums.bytes() + new_bytes)?;
        cells.end_slice(groups, encoder, sums.finish())?;
        memory.resize(cells.bytes())
    }
}
