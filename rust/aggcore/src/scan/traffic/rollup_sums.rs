//! The sums that the rows of a traffic rollup add.

use super::cells::TrafficCells;
use super::measure::TrafficMeasure;
use crate::error::Result;
use crate::scan::cell_values::CellValues;
use crate::scan::dense_ids::GroupCode;
use crate::scan::group_scanner::Accumulate;

/// Sums of the rows of a rollup, by row, for each measure of a scan.
pub struct RollupSums<'a>(pub Vec<&'a [i64]>);

/// Sums of the rows of one rollup, by cell.
pub(super) struct RollupAccumulator<'a> {
    sums: RollupSums<'a>,
    cells: TrafficCells,
}

impl<'a> RollupAccumulator<'a> {
    /// An accumulator without cells.
    pub(super) fn new(sums: RollupSums<'a>, measures: &[TrafficMeasure]) -> Self {
        Self { sums, cells: TrafficCells::new(measures, 0) }
    }
}

impl Accumulate for RollupAccumulator<'_> {
    type Cells = TrafficCells;

    fn add<P: GroupCode>(&mut self, cell_count: usize, cells: &[P], rows: &[u32]) -> Result<()> {
        self.cells.resize(cell_count);
        for (measure, sums) in self.sums.0.iter().enumerate() {
            self.cells.add_sums(measure, cells, rows.iter().map(|&row| i128::from(sums[row as usize])));
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn finish(self) -> TrafficCells {
        self.cells
    }
}
