//! The measures of cells while slices are added.

use super::measure::{Interval, TrafficMeasure};
use super::partials::{MeasureValues, ValueCounts};
use super::step_cells::StepCells;
use super::sweep::Swept;
use crate::error::Result;
use crate::record::schema::ABSENT;
use crate::scan::cell_values::CellValues;
use crate::scan::dense_ids::GroupCode;

/// Count of values from which those that are the same are added up.
const SORTED_COUNT_MIN: usize = 1 << 12;

/// Measures by cell.
#[derive(Default)]
pub struct TrafficCells {
    count: usize,
    measures: Vec<MeasureCells>,
}

/// One measure by cell.
pub(super) enum MeasureCells {
    Sums(Vec<i128>),
    Values(CellValueCounts),
    Steps(StepCells),
}

/// Values of cells in any order, each with a number of records. The same value of a cell may be there several times.
#[derive(Default)]
pub(super) struct CellValueCounts {
    values: Vec<CellValue>,
    /// Values from which they are added up next: twice those that were left the last time.
    full_count: usize,
}

/// A value of a cell. It sorts by cell, then by value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CellValue {
    cell: u32,
    value: i64,
    count: u64,
}

impl TrafficCells {
    /// A number of empty cells.
    pub(super) fn new(measures: &[TrafficMeasure], count: usize) -> Self {
        Self { count, measures: measures.iter().map(|measure| MeasureCells::new(measure, count)).collect() }
    }

    /// Cells at these places, by group and bin, with what a sweep found of each interval, and nothing of other measures.
    pub(super) fn of_intervals(measures: &[TrafficMeasure], places: &[(u32, u32)], swept: Vec<(Interval, Swept)>) -> Self {
        let mut cells = Self::new(measures, places.len());
        for (interval, swept) in swept {
            let numbers = numbers_among(&swept.places, places);
            let number_of = |wanted| measures.iter().position(|measure| *measure == wanted);
            if let Some(MeasureCells::Sums(sums)) =
                number_of(TrafficMeasure::Occupied(interval)).map(|at| &mut cells.measures[at])
            {
                numbers.iter().zip(&swept.occupied_us).for_each(|(&cell, &us)| sums[cell as usize] = us);
            }
            if let Some(at) = number_of(TrafficMeasure::Occupancy(interval)) {
                cells.measures[at] = MeasureCells::Steps(StepCells::new(numbers, swept.steps));
            }
        }
        cells
    }

    /// Bytes of memory that new cells take.
    pub(super) fn bytes_of(measures: &[TrafficMeasure], count: usize) -> usize {
        // Besides the measures, places and numbers among them, for each of two intervals.
        count * (measures.len() * size_of::<i128>() + 4 * size_of::<(u32, u32)>())
    }

    /// Adds measures of which the cells have nothing: those of intervals among all of these.
    pub(super) fn with_intervals(self, all: &[TrafficMeasure]) -> Self {
        let (count, mut held) = (self.count, self.measures.into_iter());
        let measure = |measure: &TrafficMeasure| {
            let held = if measure.interval().is_some() { None } else { held.next() };
            held.unwrap_or_else(|| MeasureCells::new(measure, count))
        };
        Self { count, measures: all.iter().map(measure).collect() }
    }

    /// Adds empty cells, or none.
    pub(super) fn resize(&mut self, count: usize) {
        self.count = count;
        for measure in &mut self.measures {
            if let MeasureCells::Sums(sums) = measure {
                sums.resize(count, 0);
            }
        }
    }

    /// Adds to the sum of a measure in the cell of each row.
    pub(super) fn add_sums<P: GroupCode>(&mut self, measure: usize, cells: &[P], added: impl Iterator<Item = i128>) {
        if let MeasureCells::Sums(sums) = &mut self.measures[measure] {
            cells.iter().zip(added).for_each(|(cell, added)| sums[cell.wide() as usize] += added);
        }
    }

    /// Adds to the sum of a measure in all cells.
    pub(super) fn add_to_all(&mut self, measure: usize, added: impl Iterator<Item = i128>) {
        if let MeasureCells::Sums(sums) = &mut self.measures[measure] {
            sums.iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
        }
    }

    /// Adds the value of each row to those of a measure in its cell; [`ABSENT`] is none.
    pub(super) fn add_values<P: GroupCode>(&mut self, measure: usize, cells: &[P], values: &[i64]) {
        if let MeasureCells::Values(counts) = &mut self.measures[measure] {
            let of_rows = cells.iter().zip(values).filter(|(_, value)| **value != ABSENT);
            counts.extend(of_rows.map(|(cell, &value)| (cell.wide() as u32, value)));
        }
    }

    /// Returns the measures by cell.
    pub(super) fn into_values(self) -> Vec<MeasureValues> {
        let values = |measure| match measure {
            MeasureCells::Sums(sums) => MeasureValues::Sums(sums),
            MeasureCells::Values(values) => MeasureValues::Values(values.into_counts(self.count)),
            MeasureCells::Steps(steps) => MeasureValues::Steps(steps.into_steps(self.count)),
        };
        self.measures.into_iter().map(values).collect()
    }
}

impl CellValues for TrafficCells {
    fn count(&self) -> usize {
        self.count
    }

    fn bytes(&self) -> usize {
        self.measures.iter().map(MeasureCells::bytes).sum()
    }

    fn finished_bytes(&self) -> usize {
        self.measures.iter().map(|measure| measure.finished_bytes(self.count)).sum()
    }

    fn add_all(&mut self, cells: impl Iterator<Item = usize> + Clone, added: Self) -> Result<()> {
        if self.measures.is_empty() {
            self.measures = added.measures.iter().map(MeasureCells::emptied).collect();
        }
        self.resize(self.count.max(cells.clone().max().map_or(0, |cell| cell + 1)));
        for (measure, added) in self.measures.iter_mut().zip(added.measures) {
            measure.add_all(cells.clone(), added);
        }
        Ok(())
    }
}

impl MeasureCells {
    /// A measure of a number of empty cells.
    fn new(measure: &TrafficMeasure, count: usize) -> Self {
        match measure {
            TrafficMeasure::Count(_) | TrafficMeasure::Sum(_) | TrafficMeasure::Occupied(_) => Self::Sums(vec![0; count]),
            TrafficMeasure::Values(_) => Self::Values(CellValueCounts::default()),
            TrafficMeasure::Occupancy(_) => Self::Steps(StepCells::default()),
        }
    }

    /// The same measure of no cells.
    fn emptied(&self) -> Self {
        match self {
            Self::Sums(_) => Self::Sums(Vec::new()),
            Self::Values(_) => Self::Values(CellValueCounts::default()),
            Self::Steps(_) => Self::Steps(StepCells::default()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Sums(sums) => sums.capacity() * size_of::<i128>(),
            Self::Values(values) => values.bytes(),
            Self::Steps(steps) => steps.bytes(),
        }
    }

    fn finished_bytes(&self, cell_count: usize) -> usize {
        match self {
            Self::Sums(sums) => size_of_val(sums.as_slice()),
            Self::Values(values) => cell_count * size_of::<usize>() + values.values.len() * size_of::<(i64, u64)>(),
            Self::Steps(steps) => steps.finished_bytes(cell_count),
        }
    }

    fn add_all(&mut self, cells: impl Iterator<Item = usize>, added: Self) {
        match (self, added) {
            (Self::Sums(sums), Self::Sums(added)) => cells.zip(added).for_each(|(cell, added)| sums[cell] += added),
            (Self::Values(values), Self::Values(added)) => values.add_all(&cells.collect::<Vec<_>>(), added),
            (Self::Steps(steps), Self::Steps(added)) => steps.add_all(&cells.collect::<Vec<_>>(), added),
            _ => {}
        }
    }
}

/// The number of each place among all places; both ascend.
fn numbers_among(places: &[(u32, u32)], all: &[(u32, u32)]) -> Vec<u32> {
    let mut number = 0;
    let number_of = |place: &(u32, u32)| {
        number += all[number..].iter().take_while(|&other| other < place).count();
        number as u32
    };
    places.iter().map(number_of).collect()
}

impl CellValueCounts {
    /// Adds values, each of one record.
    pub(super) fn extend(&mut self, values: impl Iterator<Item = (u32, i64)>) {
        self.values.extend(values.map(|(cell, value)| CellValue { cell, value, count: 1 }));
        self.add_up_if_full();
    }

    fn add_all(&mut self, cells: &[usize], added: Self) {
        let moved = |value: CellValue| CellValue { cell: cells[value.cell as usize] as u32, ..value };
        self.values.extend(added.values.into_iter().map(moved));
        self.add_up_if_full();
    }

    fn add_up_if_full(&mut self) {
        if self.values.len() >= self.full_count.max(SORTED_COUNT_MIN) {
            self.add_up();
            self.full_count = 2 * self.values.len();
        }
    }

    /// Sorts the values, and adds up the counts of those that are the same.
    fn add_up(&mut self) {
        self.values.sort_unstable();
        self.values.dedup_by(|value, before| {
            let is_same = (value.cell, value.value) == (before.cell, before.value);
            before.count += if is_same { value.count } else { 0 };
            is_same
        });
    }

    fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<CellValue>()
    }

    fn into_counts(mut self, cell_count: usize) -> ValueCounts {
        self.add_up();
        let mut ends = vec![0; cell_count];
        self.values.iter().for_each(|value| ends[value.cell as usize] += 1);
        let mut end = 0;
        ends.iter_mut().for_each(|count: &mut usize| {
            end += *count;
            *count = end;
        });
        let values = self.values.iter();
        ValueCounts {
            ends,
            values: values.clone().map(|value| value.value).collect(),
            counts: values.map(|value| value.count).collect(),
        }
    }
}
