//! The cells of a traffic scan that several servers answer together, each from records of its own.
//!
//! A server sends its cells as blocks of these columns: `bin`; `key_0` and so on for the keys; `records`, how many the cell
//! has; and for each measure, by its number in the scan, `count_0` (`Int64`), `sum_0` (`Int128`), or `values_0` and
//! `counts_0`: lists of the values, in any order, and of the records that have each, where 0 says nothing; those of intervals
//! are in [`intervals`]. The same cell may come from several servers, and its measures are added up then.

mod intervals;

use std::ops::Range;
use std::sync::Arc;

use self::intervals::IntervalCells;
use super::partials::{MeasureValues, TrafficPartials, ValueCounts};
use crate::error::{Error, Result};
use crate::memory::{QueryMemory, Reservation};
use crate::native::{Block, blocks};
use crate::scan::answer_cells::AnswerCells;
use crate::scan::answer_keys::Key;
use crate::scan::code_deck::CodeDeck;

pub use crate::scan::answer_keys::KeyType;

/// Cells that are added before memory is reserved for them.
const RESERVED_CELLS: usize = 4096;

/// What the servers send for a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureType {
    /// Counts of records.
    Count,
    /// Sums, which may be negative.
    Sum,
    /// Values with the number of their records.
    Values,
    /// Microseconds that intervals have in the bin, given by their changes.
    Occupied,
    /// Numbers of intervals as a function of the instants in the bin, given by their changes.
    Occupancy,
}

/// The measures by cell, to which the answers of servers are added.
pub struct TrafficCells {
    cells: AnswerCells,
    /// Edges of the bins, ascending.
    edges: Vec<i64>,
    measures: Vec<Measure>,
    memory: Reservation,
}

/// One measure of all cells.
struct Measure {
    /// Its number in the scan.
    number: usize,
    measure_type: MeasureType,
    /// Counts and sums by cell.
    sums: Vec<i128>,
    /// Values, in any order.
    values: Vec<CountedValue>,
    /// What intervals change.
    intervals: IntervalCells,
}

/// Records of a cell that have a value. One of a cell may be there several times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CountedValue {
    cell: u32,
    value: i64,
    count: u64,
}

impl TrafficCells {
    /// Begins the measures of a scan with bins between these edges, which ascend, and these keys. `memory` holds them.
    ///
    /// # Errors
    /// `Unknown` for a key of a code deck without one, a memory limit, and `InvalidPartials` if there are 2^32 bins or more.
    pub fn new(
        memory: &Arc<QueryMemory>, edges: Vec<i64>, keys: &[KeyType], measures: &[MeasureType], deck: Option<&Arc<CodeDeck>>,
        cell_count_max: usize,
    ) -> Result<Self> {
        let bin_count = edges.len().saturating_sub(1);
        let key = |(number, &key_type)| Key::of_type(format!("key_{number}"), key_type, deck);
        let keys = keys.iter().enumerate().map(key).collect::<Result<_>>()?;
        let cells = AnswerCells::new(bin_count, keys, cell_count_max)?;
        let cell_bytes: usize = measures.iter().map(|measure_type| measure_type.cell_bytes()).sum();
        let memory = memory.reserve(cells.count().saturating_mul(cell_bytes))?;
        let measures = measures.iter().enumerate().map(|(number, &measure_type)| Measure::new(number, measure_type));
        let mut made = Self { cells, edges, measures: measures.collect(), memory };
        made.measures.iter_mut().for_each(|measure| measure.make_room(made.cells.count()));
        Ok(made)
    }

    /// Adds the cells of one answer. Its bytes count as memory of the query meanwhile.
    ///
    /// # Errors
    /// `MalformedBlock` if the bytes are not cells of the scan, `CellLimit`, `SumOverflow` beyond 128 bits, or a memory limit.
    /// The measures must not be used then.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.reserve(bytes.len())?;
        for block in blocks(bytes) {
            let block = block?;
            if block.row_count > 0 {
                self.add_block(&block, bytes.len())?;
            }
        }
        self.reserve(0)
    }

    /// Returns the measures as columns, which the memory of the query holds until it ends.
    ///
    /// # Errors
    /// A memory limit; for intervals also `CellLimit`, as each bin that they reach has a cell, and `MalformedBlock` if more of
    /// them end than have begun.
    pub fn into_partials(mut self) -> Result<TrafficPartials> {
        self.carry_intervals()?;
        let cell_count = self.cells.count();
        self.measures.iter_mut().for_each(Measure::merge_values);
        let measure_bytes: usize = self.measures.iter().map(|measure| measure.column_bytes(cell_count)).sum();
        let (column_bytes, text_bytes) = (self.cells.column_bytes() + measure_bytes, self.cells.text_bytes());
        self.reserve(column_bytes)?;
        let Self { cells, edges, measures, mut memory } = self;
        let measures = measures.into_iter().map(|measure| measure.into_column(&cells, &edges)).collect::<Result<_>>()?;
        let (bins, keys) = cells.into_columns();
        memory.resize(column_bytes + text_bytes)?;
        memory.keep();
        Ok(TrafficPartials { bins, keys, measures, row_count: 0 })
    }

    fn add_block(&mut self, block: &Block<'_>, answer_bytes: usize) -> Result<()> {
        if let Some(records) = block.integers("records")?.iter().find(|&&records| records <= 0) {
            return Err(malformed(format!("a cell has {records} records")));
        }
        for rows in AnswerCells::chunks(block) {
            let (words, width) = self.cells.words(block, rows.clone())?;
            let numbers = words.chunks_exact(width).map(|cell| self.cells.number(cell)).collect::<Result<Vec<_>>>()?;
            for measure in &mut self.measures {
                measure.make_room(self.cells.count());
                measure.add(block, rows.start, &numbers)?;
            }
            self.reserve(answer_bytes)?;
        }
        Ok(())
    }

    /// Finds out how many intervals reach into each bin from the one before, and gives a cell to each bin between.
    fn carry_intervals(&mut self) -> Result<()> {
        let counts = self.measures.iter().filter(|measure| measure.measure_type.is_of_intervals()).count();
        if counts == 0 {
            return Ok(());
        }
        self.reserve(self.cells.count() * size_of::<u32>())?;
        let order = self.cells.by_group();
        let mut levels = vec![0; counts];
        let mut last: Option<usize> = None;
        for cell in order.iter().map(|&cell| cell as usize) {
            match last.filter(|&last| self.cells.group(last) == self.cells.group(cell)) {
                Some(last) => self.fill(self.cells.bin(last) + 1..self.cells.bin(cell), cell, &mut levels, order.len())?,
                None => check_ended(&levels)?,
            }
            self.settle(cell, &mut levels)?;
            last = Some(cell);
        }
        check_ended(&levels)
    }

    /// Gives the group of a cell a cell in each of some bins in which no interval begins or ends.
    fn fill(&mut self, bins: Range<usize>, cell: usize, levels: &mut [i64], ordered: usize) -> Result<()> {
        if levels.iter().all(|&level| level == 0) {
            return Ok(());
        }
        for bin in bins {
            let added = self.cells.beside(cell, bin)?;
            self.measures.iter_mut().for_each(|measure| measure.make_room(added + 1));
            self.settle(added, levels)?;
            if added.is_multiple_of(RESERVED_CELLS) {
                self.reserve(ordered * size_of::<u32>())?;
            }
        }
        Ok(())
    }

    /// Tells each measure of intervals how many of them reach into the bin of a cell, and goes on to the next bin.
    fn settle(&mut self, cell: usize, levels: &mut [i64]) -> Result<()> {
        let bin = self.cells.bin(cell);
        let edges = [self.edges[bin], self.edges[bin + 1]];
        let of_intervals = self.measures.iter_mut().filter(|measure| measure.measure_type.is_of_intervals());
        of_intervals.zip(levels).try_for_each(|(measure, level)| measure.intervals.settle(cell, edges, level))
    }

    /// Makes the query hold the memory of the cells, and `more_bytes`.
    fn reserve(&mut self, more_bytes: usize) -> Result<()> {
        let measure_bytes: usize = self.measures.iter().map(Measure::bytes).sum();
        self.memory.resize(self.cells.bytes() + measure_bytes + more_bytes)
    }
}

impl MeasureType {
    fn is_of_intervals(self) -> bool {
        matches!(self, Self::Occupied | Self::Occupancy)
    }

    /// Bytes that a cell takes before anything is added.
    fn cell_bytes(self) -> usize {
        match self {
            Self::Count | Self::Sum => size_of::<i128>(),
            Self::Values => 0,
            Self::Occupied | Self::Occupancy => IntervalCells::CELL_BYTES,
        }
    }
}

impl Measure {
    fn new(number: usize, measure_type: MeasureType) -> Self {
        Self { number, measure_type, sums: Vec::new(), values: Vec::new(), intervals: IntervalCells::default() }
    }

    /// Gives each cell a sum.
    fn make_room(&mut self, cell_count: usize) {
        match self.measure_type {
            MeasureType::Count | MeasureType::Sum => self.sums.resize(cell_count, 0),
            MeasureType::Values => {}
            MeasureType::Occupied | MeasureType::Occupancy => self.intervals.make_room(cell_count),
        }
    }

    /// Adds the rows of a block from `first_row` on, whose cells have these numbers.
    fn add(&mut self, block: &Block<'_>, first_row: usize, cells: &[usize]) -> Result<()> {
        let number = self.number;
        match self.measure_type {
            MeasureType::Count => {
                let counts = &block.integers(&format!("count_{number}"))?[first_row..];
                cells.iter().zip(counts).try_for_each(|(&cell, &count)| self.add_sum(cell, checked_count(count)?.into()))
            }
            MeasureType::Sum => {
                let sums = &block.wide(&format!("sum_{number}"))?[first_row..];
                cells.iter().zip(sums).try_for_each(|(&cell, &sum)| self.add_sum(cell, sum))
            }
            MeasureType::Values => self.add_values(block, first_row, cells),
            MeasureType::Occupied => self.intervals.add_moments(block, number, first_row, cells),
            MeasureType::Occupancy => self.intervals.add_changes(block, number, first_row, cells),
        }
    }

    fn add_sum(&mut self, cell: usize, added: i128) -> Result<()> {
        self.sums[cell] = self.sums[cell].checked_add(added).ok_or(Error::SumOverflow)?;
        Ok(())
    }

    fn add_values(&mut self, block: &Block<'_>, first_row: usize, cells: &[usize]) -> Result<()> {
        let number = self.number;
        let (values, counts) = (block.lists(&format!("values_{number}"))?, block.lists(&format!("counts_{number}"))?);
        if values.ends != counts.ends {
            return Err(malformed(format!("values and counts of measure {number} differ in number")));
        }
        let mut begin = first_row.checked_sub(1).map_or(0, |row| values.ends[row]);
        for (&cell, &end) in cells.iter().zip(&values.ends[first_row..]) {
            for (&value, &count) in values.values[begin..end].iter().zip(&counts.values[begin..end]) {
                let count = checked_count(count)?;
                if count > 0 {
                    self.values.push(CountedValue { cell: cell as u32, value, count });
                }
            }
            begin = end;
        }
        Ok(())
    }

    /// Brings the values of each cell into order, each once.
    fn merge_values(&mut self) {
        self.values.sort_unstable();
        self.values.dedup_by(|next, kept| {
            let is_same = (next.cell, next.value) == (kept.cell, kept.value);
            if is_same {
                kept.count += next.count;
            }
            is_same
        });
    }

    fn bytes(&self) -> usize {
        let value_bytes = self.values.capacity() * size_of::<CountedValue>();
        self.sums.capacity() * size_of::<i128>() + value_bytes + self.intervals.bytes()
    }

    /// Bytes of memory that the result takes, once the values are merged.
    fn column_bytes(&self, cell_count: usize) -> usize {
        match self.measure_type {
            MeasureType::Count | MeasureType::Sum | MeasureType::Occupied => cell_count * size_of::<i128>(),
            MeasureType::Values => cell_count * size_of::<usize>() + self.values.len() * size_of::<(i64, u64)>(),
            MeasureType::Occupancy => self.intervals.step_bytes(),
        }
    }

    fn into_column(self, cells: &AnswerCells, edges: &[i64]) -> Result<MeasureValues> {
        match self.measure_type {
            MeasureType::Count | MeasureType::Sum => Ok(MeasureValues::Sums(self.sums)),
            MeasureType::Values => Ok(self.into_values(cells.count())),
            MeasureType::Occupied => self.intervals.into_sums().map(MeasureValues::Sums),
            MeasureType::Occupancy => self.intervals.into_steps(cells, edges).map(MeasureValues::Steps),
        }
    }

    fn into_values(self, cell_count: usize) -> MeasureValues {
        let mut ends = vec![0; cell_count];
        self.values.iter().for_each(|value| ends[value.cell as usize] += 1);
        let mut end = 0;
        ends.iter_mut().for_each(|count| {
            end += *count;
            *count = end;
        });
        let (values, counts) = self.values.iter().map(|value| (value.value, value.count)).unzip();
        MeasureValues::Values(ValueCounts { ends, values, counts })
    }
}

fn checked_count(count: i64) -> Result<u64> {
    u64::try_from(count).map_err(|_| malformed(format!("a cell counts {count} records")))
}

fn check_ended(levels: &[i64]) -> Result<()> {
    match levels.iter().find(|&&level| level != 0) {
        Some(level) => Err(malformed(format!("{level} intervals do not end"))),
        None => Ok(()),
    }
}

fn malformed(problem: String) -> Error {
    Error::MalformedBlock(problem)
}

#[cfg(test)]
mod tests;
