//! The scanner: runs one scan over row slices and collects its cells.
//!
//! A scan without keys has one cell per bin. A scan with keys has one cell per (bin, group) that has a
//! record.

use std::ops::Range;

use super::Scan;
use super::accumulate::{Measure, SliceAccumulator, row_sums};
use super::aggregation_table::{AggregationTable, PackedGroups};
use super::column::{Column, SliceColumns};
use super::compiled_predicate::{CompiledPredicate, compile_residual};
use super::dense_ids::GroupCode;
use super::group_key::{GroupKeyEncoder, check_cell_count};
use super::minute_histogram::MinuteHistogram;
use super::minute_scan::add_minutes;
use super::partials::Partials;
use super::predicate::Predicate;
use super::selection::Selector;
use crate::columns::slice::RecordSlice;
use crate::columns::sums::{Sums, add};
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
}

impl<'a> Scanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a Scan<'a>) -> Self {
        let cells = AggregationTable::new(scan.keys, scan.bin_count(), scan.cell_count_max, scan.cancel);
        Self { scan, cells, memory: scan.memory.reservation(), histogram: None }
    }

    /// Adds the records of a slice.
    ///
    /// # Errors
    /// - `CellLimit` if the scan reaches more cells than [`Scan::cell_count_max`].
    /// - `QueryMemoryLimit` or `TotalMemoryLimit` if it needs more memory than [`Scan::memory`] has left.
    /// - `SumOverflow` if a sum does not fit 64 bits.
    /// - `Unknown` if a column does not exist or has another type than its predicate expects.
    /// - `Cancelled` or `DeadlinePassed`, see
    ///   [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn add(&mut self, slice: &RecordSlice<'_>) -> Result<()> {
        self.add_unless_substituted(slice, |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`] for a slice of a memtable. `memtable` is a number that no other memtable of the scan
    /// has.
    ///
    /// Slices of one memtable share dictionaries, so that one after the other can add to the same packed
    /// groups instead of looking up each group by its key, which takes about 300 instructions.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_memtable_rows(&mut self, slice: &RecordSlice<'_>, memtable: usize) -> Result<()> {
        self.add_selected(slice, Some(memtable), &self.scan.predicates.iter().collect::<Vec<_>>(), |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`], unless `substitute` adds the sums of the slice from elsewhere (a rollup) and
    /// returns true. It gets the residual predicates: those that are not known to hold for all rows.
    ///
    /// # Errors
    /// As [`Scanner::add`], and those of `substitute`.
    pub fn add_unless_substituted(
        &mut self, slice: &RecordSlice<'_>, substitute: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        self.add_selected(slice, None, &self.scan.predicates.iter().collect::<Vec<_>>(), substitute)
    }

    /// As [`Scanner::add`] with `predicates` in place of the predicates of the scan.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_with_predicates(&mut self, slice: &RecordSlice<'_>, predicates: &[&Predicate]) -> Result<()> {
        self.add_selected(slice, None, predicates, |_, _, _| Ok(false))
    }

    fn add_selected(
        &mut self, slice: &RecordSlice<'_>, memtable: Option<usize>, predicates: &[&Predicate],
        substitute: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        let scan = self.scan;
        let mut deck_memory = scan.memory.reservation();
        let columns = SliceColumns::new(slice, scan.deck, &mut deck_memory, scan.cancel)?;
        let predicates = compile_residual(predicates, &columns)?;
        let keys: Vec<Column<'_>> = scan.keys.iter().map(|name| columns.get(name)).collect::<Result<_>>()?;
        let (residual, compiled): (Vec<&Predicate>, Vec<CompiledPredicate<'_>>) = predicates.into_iter().unzip();
        let selector = Selector::new(slice, scan.range(), compiled, &scan.resources.tuning);
        if selector.is_known_empty() || scan.bin_count() == 0 {
            return Ok(());
        }
        if substitute(self, scan, &residual)? {
            return Ok(());
        }
        self.memory.resize(self.cells.bytes())?;
        if keys.is_empty() { self.add_to_bins(slice, selector) } else { self.add_to_groups(slice, memtable, &keys, selector) }
    }

    /// Adds the rows of a slice to the cells of a scan without keys.
    fn add_to_bins(&mut self, slice: &RecordSlice<'_>, selector: Selector<'_>) -> Result<()> {
        let scan = self.scan;
        if let Some((edges, minutes)) = scan.by_minute(slice) {
            if self.histogram.as_ref().is_some_and(|histogram| !histogram.has_room(minutes.day_us, slice.call_count_max)) {
                self.fold_into_bins(edges)?;
            }
            let histogram = self.histogram.get_or_insert_default();
            histogram.reserve_calls(minutes.day_us, slice.call_count_max);
            return add_minutes(scan, slice, minutes.minute_of_row, selector, histogram);
        }
        let (mut bins, mut rows) = (Vec::<u32>::new(), Vec::new());
        selector.each_chunk(scan.cancel, |selection| {
            let rows = selection.list(&mut rows);
            scan.assign_bins(slice, rows, 0, &mut bins);
            let mut rows = bins.iter().zip(rows);
            rows.try_for_each(|(&bin, &row)| add(&mut self.cells.sums[bin as usize], row_sums(scan.measure, slice, row as usize)))
        })
    }

    /// Moves the sums of the histogram to the cells of their bins.
    fn fold_into_bins(&mut self, edges: &[i64]) -> Result<()> {
        let Some(histogram) = &mut self.histogram else { return Ok(()) };
        histogram.fold_into_bins(edges, self.scan.measure == Measure::Sessions, &mut self.cells.sums)
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
        let Self { scan, cells, mut memory, histogram } = self;
        let cells = cells.merge(other.cells)?;
        drop(other.memory);
        memory.resize(cells.bytes())?;
        Ok(Self { scan, cells, memory, histogram })
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
        Ok(partials)
    }

    /// Adds the rows of a slice to the cells of a scan with keys.
    fn add_to_groups(
        &mut self, slice: &RecordSlice<'_>, memtable: Option<usize>, keys: &[Column<'_>], selector: Selector<'_>,
    ) -> Result<()> {
        let bins = self.scan.bins_of(slice);
        let encoder = GroupKeyEncoder::new(keys, &self.cells.texts, bins.clone(), &slice.rows, self.scan.resources);
        let groups = self.cells.begin_slice(&encoder, memtable)?;
        if encoder.fits_u32() {
            self.add_encoded::<u32>(slice, bins, encoder, groups, selector)
        } else {
            self.add_encoded::<u64>(slice, bins, encoder, groups, selector)
        }
    }

    /// As [`Scanner::add_to_groups`], with group codes of the width `P`.
    fn add_encoded<P: GroupCode>(
        &mut self, slice: &RecordSlice<'_>, bins: Range<usize>, mut encoder: GroupKeyEncoder<'_>, mut groups: PackedGroups,
        selector: Selector<'_>,
    ) -> Result<()> {
        let (scan, cells, memory) = (self.scan, &mut self.cells, &mut self.memory);
        memory.resize(cells.bytes() + groups.bytes() + encoder.bytes())?;
        let (mut sums, mut codes) = (SliceAccumulator::new(slice, scan.measure), Vec::<P>::new());
        let mut rows = Vec::new();
        selector.each_chunk(scan.cancel, |selection| {
            let rows = selection.list(&mut rows);
            codes.clear();
            if bins.len() > 1 {
                scan.assign_bins(slice, rows, bins.start, &mut codes);
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
