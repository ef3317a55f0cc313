//! The cells of a running scan, of any kind of sums, and how the rows of a slice come to them.

use super::Scan;
use super::aggregation_table::{AggregationTable, Columns};
use super::cell_values::CellValues;
use super::dense_ids::GroupCode;
use super::group_key::{GroupKeyEncoder, check_cell_count};
use super::plan::Plan;
use crate::error::Result;
use crate::memory::Reservation;

/// Adds the rows of one slice to sums by cell.
pub(super) trait Accumulate {
    /// The sums.
    type Cells: CellValues;

    /// Adds rows to their cells: row `rows[i]` to the cell `cells[i]`, which is below `cell_count`.
    ///
    /// # Errors
    /// `SumOverflow` if a sum does not fit.
    fn add<P: GroupCode>(&mut self, cell_count: usize, cells: &[P], rows: &[u32]) -> Result<()>;

    /// Bytes of memory that the sums take.
    fn bytes(&self) -> usize;

    /// Returns the sums by cell.
    fn finish(self) -> Self::Cells;
}

/// The cells of a running scan.
pub(super) struct GroupScanner<'a, M, C> {
    pub(super) scan: &'a Scan<'a, M>,
    pub(super) cells: AggregationTable<'a, C>,
    /// The memory of the cells and of the slice that is being added.
    pub(super) memory: Reservation,
    pub(super) row_count: usize,
}

impl<'a, M, C: CellValues> GroupScanner<'a, M, C> {
    /// Begins a scan with these cells: none, or, without keys, an empty one per bin.
    pub(super) fn new(scan: &'a Scan<'a, M>, values: C) -> Self {
        let cells = AggregationTable::new(scan.keys, values, scan.cell_count_max, scan.cancel);
        Self { scan, cells, memory: scan.memory.reservation(), row_count: 0 }
    }

    /// Notes that the rows of a slice are read, and reserves the memory of the cells.
    pub(super) fn begin_slice<V>(&mut self, plan: &Plan<'_, V>) -> Result<()> {
        self.row_count += plan.slice.rows.len();
        self.memory.resize(self.cells.bytes())
    }

    /// Adds rows to the cells of a scan with keys.
    pub(super) fn add_to_groups<V>(&mut self, plan: Plan<'_, V>, sums: impl Accumulate<Cells = C>) -> Result<()> {
        let bins = self.scan.bins_of(plan.slice);
        let encoder = GroupKeyEncoder::new(&plan.keys, &self.cells.texts, bins, &plan.slice.rows, self.scan.resources);
        if encoder.fits_u32() {
            self.add_encoded::<u32, V>(plan, encoder, sums)
        } else {
            self.add_encoded::<u64, V>(plan, encoder, sums)
        }
    }

    /// As [`GroupScanner::add_to_groups`], with group codes of the width `P`.
    fn add_encoded<P: GroupCode, V>(
        &mut self, plan: Plan<'_, V>, mut encoder: GroupKeyEncoder<'_>, mut sums: impl Accumulate<Cells = C>,
    ) -> Result<()> {
        let mut groups = self.cells.begin_slice(&encoder, plan.memtable)?;
        let (scan, cells, memory) = (self.scan, &mut self.cells, &mut self.memory);
        memory.resize(cells.bytes() + groups.bytes() + encoder.bytes())?;
        let (bins, mut codes, mut rows) = (scan.bins_of(plan.slice), Vec::<P>::new(), Vec::new());
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
        let key_bytes = (1 + scan.keys.len()) * size_of::<i64>() + size_of::<u64>();
        let new_bytes = 2 * (groups.ids.values().len() * key_bytes + sums.bytes());
        memory.resize(cells.bytes() + groups.bytes() + encoder.bytes() + sums.bytes() + new_bytes)?;
        cells.end_slice(groups, encoder, sums.finish())?;
        memory.resize(cells.bytes())
    }

    /// Adds rows to the cells of a scan without keys, one by bin.
    pub(super) fn add_to_bins<V>(&mut self, plan: Plan<'_, V>, mut sums: impl Accumulate<Cells = C>) -> Result<()> {
        let (scan, memory, cell_bytes) = (self.scan, &mut self.memory, self.cells.bytes());
        let (bins, mut cells, mut rows) = (scan.bins_of(plan.slice), Vec::<u32>::new(), Vec::new());
        plan.selector.each_chunk(scan.cancel, |selection| {
            let rows = selection.list(&mut rows);
            scan.assign_bins(plan.slice, rows, bins.start, &mut cells);
            sums.add(bins.len(), &cells, rows)?;
            memory.resize(cell_bytes + sums.bytes())
        })?;
        memory.resize(cell_bytes + 2 * sums.bytes())?;
        let sums = sums.finish();
        self.cells.values.add_all(bins.start..bins.start + sums.count(), sums)?;
        self.memory.resize(self.cells.bytes())
    }

    /// Adds the result of another scanner of the same scan.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow` or a memory limit, as [`Scanner::add`](super::Scanner::add).
    pub(super) fn merge(self, mut other: Self) -> Result<Self> {
        // The cells of the smaller table move to the other one, and take their bytes twice for a while.
        let moved_bytes = self.cells.bytes().min(other.cells.bytes());
        other.memory.resize(other.cells.bytes() + moved_bytes)?;
        let Self { scan, cells, mut memory, row_count } = self;
        let cells = cells.merge(other.cells)?;
        drop(other.memory);
        memory.resize(cells.bytes())?;
        Ok(Self { scan, cells, memory, row_count: row_count + other.row_count })
    }

    /// Returns the cells, and the rows that were read. The query holds their bytes until it ends.
    ///
    /// # Errors
    /// As [`GroupScanner::merge`].
    pub(super) fn finish(mut self) -> Result<(Columns<C>, usize)> {
        // The texts move to the columns, all else is copied.
        let (column_bytes, text_bytes) = (self.cells.column_bytes(), self.cells.text_bytes());
        self.memory.resize(self.cells.bytes() + column_bytes)?;
        let columns = self.cells.finish()?;
        self.memory.resize(column_bytes + text_bytes)?;
        self.memory.keep();
        Ok((columns, self.row_count))
    }
}
