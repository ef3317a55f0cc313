//! The accumulation of rows into the measures of their cells.
//!
//! Up to eight counts have a bit each in one byte per row, and a lane of 16 bits each in 128 bits per cell: a table turns the
//! bits of a row into what it adds to the lanes, so that eight counts cost as much as one. A sum has a word of 64 bits per
//! cell. Before a lane or a word could overflow, they are added to the 128 bits of each measure.

use super::call_columns::CallColumns;
use super::cells::TrafficCells;
use super::loaded_rows::LoadedRows;
use super::measure::{Condition, RowValue, TrafficMeasure};
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::record::schema::ABSENT;
use crate::scan::cell_values::CellValues;
use crate::scan::dense_ids::GroupCode;
use crate::scan::group_scanner::Accumulate;

/// Counts that share the lanes of a cell.
const COUNTS_PER_CELL: usize = 8;
const LANE_BITS: usize = 16;
const LANES_PER_WORD: usize = u64::BITS as usize / LANE_BITS;
/// Rows that are loaded at once: their columns stay in the L1 cache from one step to the next.
const BLOCK_ROWS: usize = 1 << 8;
/// Rows that a lane can count.
const LANE_ROWS_MAX: usize = (1 << LANE_BITS) - 1;
/// Bound of the values of which [`LANE_ROWS_MAX`] rows cannot exceed a word of 64 bits.
const SUMMED_BOUND: u64 = 1 << (i64::BITS as usize - 1 - LANE_BITS);
/// What the lanes of a cell add for the bits of a row.
static LANES_OF_BITS: [Lanes; 1 << COUNTS_PER_CELL] = lanes_of_bits();

type Lanes = [u64; COUNTS_PER_CELL / LANES_PER_WORD];

/// Measures of the rows of one slice, by cell.
pub(super) struct TrafficAccumulator<'a> {
    columns: CallColumns<'a>,
    loaded: LoadedRows,
    counts: Vec<Counts<'a>>,
    sums: Vec<Sums>,
    lists: Vec<(usize, RowValue)>,
    /// Rows that the lanes and words have, at most [`LANE_ROWS_MAX`].
    row_count: usize,
    /// Values of the rows of a block.
    values: Vec<i64>,
    cells: TrafficCells,
}

/// Up to [`COUNTS_PER_CELL`] counts.
struct Counts<'a> {
    /// Conditions by bit, each with the number of its measure.
    conditions: Vec<(usize, &'a Condition)>,
    /// Bits of the rows of a block: which conditions they satisfy.
    bits: Vec<u8>,
    /// Rows by cell, in a lane for each condition.
    lanes: Vec<Lanes>,
}

/// One sum.
struct Sums {
    /// The number of its measure.
    number: usize,
    value: RowValue,
    /// The sum by cell.
    words: Vec<i64>,
}

impl<'a> TrafficAccumulator<'a> {
    /// An accumulator without cells for the rows of a slice.
    pub(super) fn new(slice: &'a RecordSlice<'a>, measures: &'a [TrafficMeasure]) -> Self {
        let (mut conditions, mut sums, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        for (number, measure) in measures.iter().enumerate() {
            match measure {
                TrafficMeasure::Count(condition) => conditions.push((number, condition)),
                TrafficMeasure::Sum(value) => sums.push(Sums { number, value: *value, words: Vec::new() }),
                TrafficMeasure::Values(value) => lists.push((number, *value)),
                TrafficMeasure::Occupied(_) | TrafficMeasure::Occupancy(_) => {}
            }
        }
        Self {
            columns: CallColumns::new(slice, measures),
            loaded: LoadedRows::new(measures),
            counts: conditions.chunks(COUNTS_PER_CELL).map(Counts::new).collect(),
            sums,
            lists,
            row_count: 0,
            values: Vec::new(),
            cells: TrafficCells::new(measures, 0),
        }
    }

    /// Adds rows that are loaded.
    fn add_loaded<P: GroupCode>(&mut self, cells: &[P], rows: &[u32]) {
        self.counts.iter_mut().for_each(|counts| counts.add(cells, &self.loaded));
        for sums in &mut self.sums {
            let greatest = self.loaded.values(sums.value, &mut self.values).map(|()| greatest(&self.values));
            if greatest.is_some_and(|greatest| greatest < SUMMED_BOUND) {
                // Whether a call has a value is unpredictable, so that the loop over the cells must not ask.
                self.values.iter_mut().for_each(|value| *value = if *value == ABSENT { 0 } else { *value });
                sums.add(cells, &self.values);
            } else {
                let sum = |row: &u32| self.columns.value(sums.value, *row as usize).unwrap_or_default();
                self.cells.add_sums(sums.number, cells, rows.iter().map(sum));
            }
        }
        for &(number, value) in &self.lists {
            if self.loaded.values(value, &mut self.values).is_some() {
                self.cells.add_values(number, cells, &self.values);
            }
        }
    }

    /// Moves the lanes and words to the cells.
    fn flush(&mut self) {
        self.row_count = 0;
        for counts in &mut self.counts {
            for (lane, &(number, _)) in counts.conditions.iter().enumerate() {
                let (word, shift) = (lane / LANES_PER_WORD, lane % LANES_PER_WORD * LANE_BITS);
                let count = |lanes: &Lanes| i128::from(lanes[word] >> shift & LANE_ROWS_MAX as u64);
                self.cells.add_to_all(number, counts.lanes.iter().map(count));
            }
            counts.lanes.fill(Lanes::default());
        }
        for sums in &mut self.sums {
            self.cells.add_to_all(sums.number, sums.words.iter().map(|&sum| i128::from(sum)));
            sums.words.fill(0);
        }
    }
}

impl<'a> Counts<'a> {
    fn new(conditions: &[(usize, &'a Condition)]) -> Self {
        Self { conditions: conditions.to_vec(), bits: Vec::new(), lanes: Vec::new() }
    }

    fn add<P: GroupCode>(&mut self, cells: &[P], loaded: &LoadedRows) {
        self.bits.clear();
        self.bits.resize(cells.len(), 0);
        for (bit, (_, condition)) in self.conditions.iter().enumerate() {
            loaded.set_bits(condition, 1 << bit, &mut self.bits);
        }
        for (cell, bits) in cells.iter().zip(&self.bits) {
            let lanes = &mut self.lanes[cell.wide() as usize];
            for (lane, added) in lanes.iter_mut().zip(&LANES_OF_BITS[*bits as usize]) {
                *lane = lane.wrapping_add(*added);
            }
        }
    }
}

impl Sums {
    fn add<P: GroupCode>(&mut self, cells: &[P], values: &[i64]) {
        for (cell, value) in cells.iter().zip(values) {
            let sum = &mut self.words[cell.wide() as usize];
            *sum = sum.wrapping_add(*value);
        }
    }
}

impl Accumulate for TrafficAccumulator<'_> {
    type Cells = TrafficCells;

    fn add<P: GroupCode>(&mut self, cell_count: usize, cells: &[P], rows: &[u32]) -> Result<()> {
        self.cells.resize(cell_count);
        self.counts.iter_mut().for_each(|counts| counts.lanes.resize(cell_count, Lanes::default()));
        self.sums.iter_mut().for_each(|sums| sums.words.resize(cell_count, 0));
        if self.row_count + rows.len() > LANE_ROWS_MAX {
            self.flush();
        }
        self.row_count += rows.len();
        for (cells, rows) in cells.chunks(BLOCK_ROWS).zip(rows.chunks(BLOCK_ROWS)) {
            self.loaded.load(&self.columns, rows);
            self.add_loaded(cells, rows);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let lanes: usize = self.counts.iter().map(|counts| counts.lanes.capacity() * size_of::<Lanes>()).sum();
        let words: usize = self.sums.iter().map(|sums| sums.words.capacity() * size_of::<i64>()).sum();
        self.cells.bytes() + self.loaded.bytes() + lanes + words
    }

    fn finish(mut self) -> TrafficCells {
        self.flush();
        self.cells
    }
}

const fn lanes_of_bits() -> [Lanes; 1 << COUNTS_PER_CELL] {
    let mut lanes_of_bits = [[0; COUNTS_PER_CELL / LANES_PER_WORD]; 1 << COUNTS_PER_CELL];
    let mut place = 0;
    while place < COUNTS_PER_CELL << COUNTS_PER_CELL {
        let (bits, lane) = (place / COUNTS_PER_CELL, place % COUNTS_PER_CELL);
        let bit = (bits >> lane & 1) as u64;
        lanes_of_bits[bits][lane / LANES_PER_WORD] |= bit << (lane % LANES_PER_WORD * LANE_BITS);
        place += 1;
    }
    lanes_of_bits
}

/// The greatest absolute value.
fn greatest(values: &[i64]) -> u64 {
    values.iter().fold(0, |greatest, &value| greatest.max(if value == ABSENT { 0 } else { value.unsigned_abs() }))
}
