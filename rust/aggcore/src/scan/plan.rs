//! The plan of a scan for one slice: predicates, keys and measure, bound to the columns of the slice.
//!
//! A plan is first made for the records of a slice. The storage then looks for a rollup that has the sums which the plan
//! asks for; if one does, a plan for the rows of the rollup takes its place ([`Plan::of_rollup`]). Selection and grouping do
//! not know which of the two they run: only the values that a row adds differ ([`RowValues`]).

use super::Scan;
use super::column::{Column, SliceColumns};
use super::compiled_predicate::{CompiledPredicate, compile_residual};
use super::predicate::Predicate;
use super::row_values::RowValues;
use super::selection::Selector;
use super::sums::PackedSums;
use crate::columns::slice::RecordSlice;
use crate::error::Result;

/// What a scan does with one slice.
pub struct Plan<'a, V = RowValues<'a>> {
    /// The rows.
    pub(super) slice: &'a RecordSlice<'a>,
    /// The values that each row adds.
    pub(super) values: V,
    /// Upper bound of the calls that the rows stand for.
    pub(super) call_count_max: u64,
    /// Selects the rows.
    pub(super) selector: Selector<'a>,
    /// Columns to group by.
    pub(super) keys: Vec<Column<'a>>,
    /// Number of the memtable of the slice.
    pub(super) memtable: Option<usize>,
    residual: Vec<&'a Predicate>,
    bin_count: usize,
}

/// Rows of a rollup, each of which stands for many calls.
pub struct RollupRows<'a> {
    /// Setup times and columns of the rows, as if each were a record.
    pub groups: RecordSlice<'a>,
    /// Sums of the calls, by row.
    pub sums: &'a [PackedSums],
    /// Calls of all rows.
    pub call_count: u64,
}

impl<'a> Plan<'a> {
    /// Plans a scan of the records of a slice, given as its columns.
    ///
    /// # Errors
    /// `Unknown` if a column does not exist or has another type than its predicate expects.
    pub fn new(scan: &'a Scan<'a>, columns: &'a SliceColumns<'a>) -> Result<Self> {
        let slice = columns.slice();
        let values = RowValues::of_records(slice, scan.measure);
        Self::bind(scan, columns, &scan.predicates.iter().collect::<Vec<_>>(), values, slice.rows.len() as u64)
    }

    /// Plans the same for the rows of a rollup, given with their columns. `residual` are those of the plan that the
    /// rollup replaces.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn of_rollup(
        scan: &'a Scan<'a>, rollup: &'a RollupRows<'a>, columns: &'a SliceColumns<'a>, residual: &[&'a Predicate],
    ) -> Result<Self> {
        Self::bind(scan, columns, residual, RowValues::of_rollup(rollup.sums, scan.measure), rollup.call_count)
    }
}

impl<'a, V> Plan<'a, V> {
    /// Says that the slice is of a memtable; `memtable` is a number that no other memtable of the scan has.
    ///
    /// Slices of one memtable share dictionaries, so that one after the other can add to the same packed groups instead
    /// of looking up each group by its key, which takes about 300 instructions.
    pub fn of_memtable(self, memtable: usize) -> Self {
        Self { memtable: Some(memtable), ..self }
    }

    /// Whether the plan is known to select no row. It may select none if false.
    pub fn is_known_empty(&self) -> bool {
        self.selector.is_known_empty() || self.bin_count == 0
    }

    /// The residual predicates: those that are not known to hold for all rows.
    pub fn residual(&self) -> &[&'a Predicate] {
        &self.residual
    }

    /// The rows.
    pub fn slice(&self) -> &'a RecordSlice<'a> {
        self.slice
    }

    /// Binds predicates and keys of a scan to columns.
    pub(super) fn bind<M>(
        scan: &'a Scan<'a, M>, columns: &'a SliceColumns<'a>, predicates: &[&'a Predicate], values: V, call_count_max: u64,
    ) -> Result<Self> {
        let slice = columns.slice();
        let keys = scan.keys.iter().map(|key| columns.key(key)).collect::<Result<_>>()?;
        let (residual, compiled): (Vec<&Predicate>, Vec<CompiledPredicate<'_>>) =
            compile_residual(predicates, columns)?.into_iter().unzip();
        let selector = Selector::new(slice, scan.range(), compiled, &scan.resources.tuning);
        Ok(Self { slice, values, call_count_max, selector, keys, memtable: None, residual, bin_count: scan.bin_count() })
    }
}
