//! The measures of an answer: of each group by bin, and added up over the range, over all groups, and over the others.

use super::added_cells::{AddedCells, Term};
use super::columns::TrafficColumn;
use super::figure::{Figure, Value};
use super::groups::CellGrid;
use crate::error::Result;
use crate::response::answer::AnswerLimits;
use crate::scan::traffic::{MeasureValues, TrafficPartials};

/// The measures that the figures of an answer are computed from.
pub struct AnswerMeasures<'a> {
    covered_us: &'a [i64],
    /// Measures of the shown groups by cell, and where the cells are.
    cells: &'a [MeasureValues],
    grid: CellGrid,
    /// Groups that are shown, without the others.
    shown_count: usize,
    /// Of the groups that are left out, by bin, if they are shown as one more.
    other: Option<AddedCells<'a>>,
    /// Of each group over the range, of the others last.
    by_group: AddedCells<'a>,
    /// Of all groups by bin.
    by_bin: AddedCells<'a>,
    /// Of all groups over the range.
    total: AddedCells<'a>,
}

/// What measures are added up from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Microseconds that each bin covers.
    pub covered_us: &'a [i64],
    /// Measures of groups, among them all that are shown.
    pub partials: &'a TrafficPartials,
    /// Measures by bin of the groups that `partials` lack, without keys; `None` if they lack none.
    pub rest: Option<&'a TrafficPartials>,
    /// The figures.
    pub columns: &'a [TrafficColumn],
    /// Groups that are shown, without the others.
    pub shown_count: usize,
    /// Whether the others are shown as one more.
    pub has_other: bool,
}

impl<'a> Sources<'a> {
    fn bin_count(&self) -> usize {
        self.covered_us.len()
    }

    fn adder(&self, is_needed: impl Fn(&Figure) -> bool, limits: AnswerLimits<'a>) -> AddedCells<'a> {
        let figures = self.columns.iter().map(|column| &column.figure).filter(|figure| is_needed(figure));
        AddedCells::new(self.partials.measures.len(), figures, limits)
    }

    fn cells(&self, cells: impl Iterator<Item = usize> + Clone) -> impl Iterator<Item = Term<'a>> + Clone {
        let measures = &self.partials.measures;
        cells.map(move |cell| Term { measures, cell })
    }

    /// What the groups that are not shown have in a bin.
    fn left_out_of_bin(&self, grid: &CellGrid, bin: usize) -> impl Iterator<Item = Term<'a>> + Clone {
        let rest = self.rest.map(|rest| Term { measures: &rest.measures, cell: bin });
        self.cells(grid.left_out_of_bin(bin)).chain(rest)
    }

    /// What the groups that are not shown have in each bin.
    fn other(&self, grid: &CellGrid, limits: AnswerLimits<'a>) -> Result<AddedCells<'a>> {
        let mut other = self.adder(|_| true, limits);
        (0..self.bin_count()).try_for_each(|bin| other.push(self.left_out_of_bin(grid, bin)))?;
        Ok(other)
    }

    fn by_group(&self, grid: &CellGrid, other: Option<&AddedCells<'_>>, limits: AnswerLimits<'a>) -> Result<AddedCells<'a>> {
        let mut by_group = self.adder(|figure| !figure.is_of_greatest_bin(), limits);
        (0..self.shown_count).try_for_each(|group| by_group.push(self.cells(grid.of_group(group))))?;
        if let Some(other) = other {
            by_group.push((0..self.bin_count()).map(|bin| Term { measures: &other.measures, cell: bin }))?;
        }
        Ok(by_group)
    }

    /// What figures that are of the greatest bin need of all groups in each bin.
    fn by_bin(&self, grid: &CellGrid, limits: AnswerLimits<'a>) -> Result<AddedCells<'a>> {
        let mut by_bin = self.adder(Figure::is_of_greatest_bin, limits);
        let of_bin = |bin| self.cells(grid.of_bin(bin)).chain(self.left_out_of_bin(grid, bin));
        (0..self.bin_count()).try_for_each(|bin| by_bin.push(of_bin(bin)))?;
        Ok(by_bin)
    }

    fn total(&self, limits: AnswerLimits<'a>) -> Result<AddedCells<'a>> {
        let mut total = self.adder(|figure| !figure.is_of_greatest_bin(), limits);
        let rest =
            self.rest.into_iter().flat_map(|rest| (0..rest.cell_count()).map(|cell| Term { measures: &rest.measures, cell }));
        total.push(self.cells(0..self.partials.cell_count()).chain(rest))?;
        Ok(total)
    }
}

impl<'a> AnswerMeasures<'a> {
    /// Adds the measures up.
    ///
    /// # Errors
    /// `InvalidPartials` if a sum exceeds 128 bits or a count 64; a memory limit, `Cancelled` or `DeadlinePassed`.
    pub fn new(sources: Sources<'a>, grid: CellGrid, limits: AnswerLimits<'a>) -> Result<Self> {
        let other = if sources.has_other { Some(sources.other(&grid, limits)?) } else { None };
        let by_group = sources.by_group(&grid, other.as_ref(), limits)?;
        let (by_bin, total) = (sources.by_bin(&grid, limits)?, sources.total(limits)?);
        let Sources { covered_us, partials, shown_count, .. } = sources;
        Ok(Self { covered_us, cells: &partials.measures, grid, shown_count, other, by_group, by_bin, total })
    }

    /// Number of bins.
    pub fn bin_count(&self) -> usize {
        self.covered_us.len()
    }

    /// Number of groups, the others included.
    pub fn group_count(&self) -> usize {
        self.shown_count + usize::from(self.other.is_some())
    }

    /// Microseconds that a bin covers.
    pub fn covered_us(&self, bin: usize) -> i64 {
        self.covered_us[bin]
    }

    /// The value of a group in a bin.
    ///
    /// # Errors
    /// As [`Figure::value`].
    pub fn value(&self, column: &TrafficColumn, group: usize, bin: usize) -> Result<Value> {
        if self.is_other(group) && !column.has_totals {
            return Ok(Value::None);
        }
        let (measures, cell) = self.cell(group, bin);
        column.figure.value(measures, cell, self.covered_us(bin))
    }

    /// The value of a group over the range.
    ///
    /// # Errors
    /// As [`Figure::value`].
    pub fn group_total(&self, column: &TrafficColumn, group: usize) -> Result<Value> {
        if self.is_other(group) && !column.has_totals {
            return Ok(Value::None);
        }
        if column.figure.is_of_greatest_bin() {
            return column.figure.of_greatest_bin((0..self.bin_count()).map(|bin| self.cell(group, bin)));
        }
        column.figure.value(&self.by_group.measures, Some(group), self.range_us())
    }

    /// The value of all groups over the range.
    ///
    /// # Errors
    /// As [`Figure::value`].
    pub fn total(&self, column: &TrafficColumn) -> Result<Value> {
        if !column.has_totals {
            return Ok(Value::None);
        }
        if column.figure.is_of_greatest_bin() {
            let measures = self.by_bin.measures.as_slice();
            return column.figure.of_greatest_bin((0..self.bin_count()).map(|bin| (measures, Some(bin))));
        }
        column.figure.value(&self.total.measures, Some(0), self.range_us())
    }

    /// Microseconds that all bins cover.
    fn range_us(&self) -> i64 {
        self.covered_us.iter().fold(0, |range_us, &covered_us| range_us.saturating_add(covered_us))
    }

    /// Whether a group is that of all others.
    fn is_other(&self, group: usize) -> bool {
        group == self.shown_count
    }

    /// The measures of a group in a bin, and the cell that they are at, `None` without records.
    fn cell(&self, group: usize, bin: usize) -> (&[MeasureValues], Option<usize>) {
        match &self.other {
            Some(other) if self.is_other(group) => (&other.measures, Some(bin)),
            None | Some(_) => (self.cells, self.grid.cell(group, bin)),
        }
    }
}
