//! Collects the cells of one scan.

use std::ops::Range;

use super::Scan;
use super::accumulate::{Measure, SliceAccumulator, measured};
use super::aggregation_table::{AggregationTable, PackedGroups};
use super::column::{Column, SliceColumns};
use super::compiled_predicate::{CompiledPredicate, compiled};
use super::dense_ids::GroupCode;
use super::group_key::{GroupKeyEncoder, check_cell_count};
use super::minute_histogram::MinuteHistogram;
use super::minute_scan::add_minutes;
use super::partials::Partials;
use super::predicate::Predicate;
use super::selection::Selector;
use crate::columns::slice::RecordSlice;
use crate::columns::sums::add;
use crate::error::Result;

/// Collects the cells of one scan over any number of slices.
pub struct Scanner<'a> {
    scan: &'a Scan<'a>,
    cells: AggregationTable,
    /// What is not in the cells yet: slices of one day are poured into them together.
    minutes: Option<MinuteHistogram>,
}

impl<'a> Scanner<'a> {
    /// Begins a scan.
    pub fn new(scan: &'a Scan<'a>) -> Self {
        Self { scan, cells: AggregationTable::new(scan.keys, scan.bin_count(), scan.cell_count_max), minutes: None }
    }

    /// Adds the records of a slice.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`, what [`CancelToken::check`] gives, or `Unknown` for a column that does not exist.
    pub fn add(&mut self, slice: &RecordSlice<'_>) -> Result<()> {
        self.add_unless(slice, |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`] for rows of a table, which has another number than all other tables of the scan: its rows
    /// meet faster where they are added one after the other.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_of_table(&mut self, slice: &RecordSlice<'_>, table: usize) -> Result<()> {
        self.add_rows(slice, Some(table), &self.scan.predicates.iter().collect::<Vec<_>>(), |_, _, _| Ok(false))
    }

    /// As [`Scanner::add`], unless `is_added` adds what is known of these records from elsewhere, and says so; it is
    /// given the conditions of the scan that not all of them meet.
    ///
    /// # Errors
    /// As [`Scanner::add`], and what `is_added` gives.
    pub fn add_unless(
        &mut self, slice: &RecordSlice<'_>, is_added: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        self.add_rows(slice, None, &self.scan.predicates.iter().collect::<Vec<_>>(), is_added)
    }

    /// As [`Scanner::add`], with these conditions in place of those of the scan.
    ///
    /// # Errors
    /// As [`Scanner::add`].
    pub fn add_where(&mut self, slice: &RecordSlice<'_>, predicates: &[&Predicate]) -> Result<()> {
        self.add_rows(slice, None, predicates, |_, _, _| Ok(false))
    }

    fn add_rows(
        &mut self, slice: &RecordSlice<'_>, table: Option<usize>, predicates: &[&Predicate],
        is_added: impl FnOnce(&mut Self, &Scan<'_>, &[&Predicate]) -> Result<bool>,
    ) -> Result<()> {
        let scan = self.scan;
        let columns = SliceColumns::new(slice, scan.deck);
        let predicates = compiled(predicates, &columns)?;
        let keys: Vec<Column<'_>> = scan.keys.iter().map(|name| columns.get(name)).collect::<Result<_>>()?;
        let (deciding, compiled): (Vec<&Predicate>, Vec<CompiledPredicate<'_>>) = predicates.into_iter().unzip();
        let selector = Selector::new(slice, scan.range(), compiled);
        if selector.selects_nothing() || scan.bin_count() == 0 {
            return Ok(());
        }
        if is_added(self, scan, &deciding)? {
            return Ok(());
        }
        if keys.is_empty() { self.add_bins(slice, selector) } else { self.add_groups(slice, table, &keys, selector) }
    }

    fn add_bins(&mut self, slice: &RecordSlice<'_>, selector: Selector<'_>) -> Result<()> {
        let scan = self.scan;
        if let Some((edges, minutes)) = scan.minutes_of(slice) {
            if self.minutes.as_ref().is_some_and(|sums| !sums.has_room(minutes.day_us, slice.call_count_max)) {
                self.fold_into_bins(edges)?;
            }
            let sums = self.minutes.get_or_insert_default();
            sums.reserve_calls(minutes.day_us, slice.call_count_max);
            return add_minutes(scan, slice, minutes.by_row, selector, sums);
        }
        let (mut bins, mut rows) = (Vec::<u32>::new(), Vec::new());
        selector.each_chunk(scan.cancel, |selection| {
            let rows = selection.list(&mut rows);
            scan.put_bins(slice, rows, 0, &mut bins);
            let mut rows = bins.iter().zip(rows);
            rows.try_for_each(|(&bin, &row)| add(&mut self.cells.sums[bin as usize], measured(scan.measure, slice, row as usize)))
        })
    }

    /// Adds the sums by minute to those of the bins.
    fn fold_into_bins(&mut self, edges: &[i64]) -> Result<()> {
        let Some(minutes) = &mut self.minutes else { return Ok(()) };
        minutes.fold_into_bins(edges, self.scan.measure == Measure::Sessions, &mut self.cells.sums)
    }

    /// Adds what another scanner of the same scan collected.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn merge(mut self, mut other: Self) -> Result<Self> {
        if let Some(edges) = self.scan.edges {
            self.fold_into_bins(edges)?;
            other.fold_into_bins(edges)?;
        }
        Ok(Self { cells: self.cells.merge(other.cells)?, ..self })
    }

    /// The sums of all slices added.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn finish(mut self) -> Result<Partials> {
        if let Some(edges) = self.scan.edges {
            self.fold_into_bins(edges)?;
        }
        self.cells.finish()
    }

    fn add_groups(
        &mut self, slice: &RecordSlice<'_>, table: Option<usize>, keys: &[Column<'_>], selector: Selector<'_>,
    ) -> Result<()> {
        let bins = self.scan.bins_of(slice);
        let encoder = GroupKeyEncoder::new(keys, &self.cells.texts, bins.clone(), &slice.rows);
        let groups = self.cells.open(&encoder, table)?;
        if encoder.is_narrow() {
            self.add_placed::<u32>(slice, bins, encoder, groups, selector)
        } else {
            self.add_placed::<u64>(slice, bins, encoder, groups, selector)
        }
    }

    fn add_placed<P: GroupCode>(
        &mut self, slice: &RecordSlice<'_>, bins: Range<usize>, mut encoder: GroupKeyEncoder<'_>, mut groups: PackedGroups,
        selector: Selector<'_>,
    ) -> Result<()> {
        let (scan, cells) = (self.scan, &mut self.cells);
        let (mut sums, mut codes_of_rows) = (SliceAccumulator::new(slice, scan.measure), Vec::<P>::new());
        let mut rows = Vec::new();
        selector.each_chunk(scan.cancel, |selection| {
            let rows = selection.list(&mut rows);
            codes_of_rows.clear();
            if bins.len() > 1 {
                scan.put_bins(slice, rows, bins.start, &mut codes_of_rows);
            }
            encoder.replace_with_ids(rows, &mut codes_of_rows, &mut cells.texts);
            groups.ids.replace_with_ids(&mut codes_of_rows);
            let cell_count = groups.ids.values().len();
            // Different cells of a slice have different keys, so that one slice may be one too many.
            check_cell_count(cell_count, scan.cell_count_max)?;
            sums.add(cell_count, &codes_of_rows, rows)
        })?;
        cells.close(groups, encoder, sums.finish())
    }
}
