//! A measure of intervals, from the instants at which they begin and end.
//!
//! An interval begins in the bin that holds its start, or else the first edge, and ends in the bin that holds its last
//! microsecond: the end itself may be the last edge of this bin. The servers tell both, for its measure with the number 0 as
//!
//! - `changes_0` (`Int64`) and `moments_0` (`Int128`) for the time that is occupied: of the intervals that begin or end in the
//!   bin, the sum of the changes, 1 at a begin and -1 at an end, and the sum of change times instant;
//! - `instants_0` and `changes_0` for the function: lists of the instants, in any order, and of the changes at each.
//!
//! How many intervals reach into a bin follows from the bins before it, so that an interval takes two changes, however many
//! bins it spans. Each instant has the bin that it changes: an end at an edge is in the bin that it ends, a begin there is in
//! the bin that it begins.

use super::malformed;
use crate::error::{Error, Result};
use crate::native::Block;
use crate::scan::answer_cells::AnswerCells;
use crate::scan::traffic::step_changes::StepChanges;

/// The intervals of all cells. Of `moments` and `changes`, one is used.
#[derive(Default)]
pub(super) struct IntervalCells {
    /// By cell: the sum of its changes; once it is settled, how many intervals reach into its bin from the one before.
    counts: Vec<i64>,
    /// By cell: the sum of change times instant; once it is settled, the microseconds that are occupied.
    moments: Vec<i128>,
    /// Changes, in any order.
    changes: Vec<Change>,
    /// Amounts of all changes, whatever their signs: sums of some of them have 64 bits as well.
    amount: i64,
}

/// What begins less what ends at an instant, in the bin of a cell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    cell: u32,
    at_us: i64,
    change: i64,
}

impl IntervalCells {
    /// Bytes that a cell takes without changes.
    pub(super) const CELL_BYTES: usize = size_of::<i64>() + size_of::<i128>();

    /// Makes room for a number of cells.
    pub(super) fn make_room(&mut self, cell_count: usize) {
        self.counts.resize(cell_count, 0);
        self.moments.resize(cell_count, 0);
    }

    /// Adds the sums of the rows of a block from `first_row` on, whose cells have these numbers.
    ///
    /// # Errors
    /// `MalformedBlock` if a column is missing, `SumOverflow`.
    pub(super) fn add_moments(&mut self, block: &Block<'_>, number: usize, first_row: usize, cells: &[usize]) -> Result<()> {
        let changes = &block.integers(&format!("changes_{number}"))?[first_row..];
        let moments = &block.wide(&format!("moments_{number}"))?[first_row..];
        for (&cell, (&change, &moment)) in cells.iter().zip(changes.iter().zip(moments)) {
            self.add_count(cell, change)?;
            self.moments[cell] = self.moments[cell].checked_add(moment).ok_or(Error::SumOverflow)?;
        }
        Ok(())
    }

    /// Adds the changes of these rows.
    ///
    /// # Errors
    /// `MalformedBlock` if a column is missing, or if a list has more instants than changes, or fewer; `SumOverflow`.
    pub(super) fn add_changes(&mut self, block: &Block<'_>, number: usize, first_row: usize, cells: &[usize]) -> Result<()> {
        let (instants, changes) = (block.lists(&format!("instants_{number}"))?, block.lists(&format!("changes_{number}"))?);
        if instants.ends != changes.ends {
            return Err(malformed(format!("instants and changes of measure {number} differ in number")));
        }
        let mut begin = first_row.checked_sub(1).map_or(0, |row| instants.ends[row]);
        for (&cell, &end) in cells.iter().zip(&instants.ends[first_row..]) {
            for (&at_us, &change) in instants.values[begin..end].iter().zip(&changes.values[begin..end]) {
                self.add_count(cell, change)?;
                self.changes.push(Change { cell: cell as u32, at_us, change });
            }
            begin = end;
        }
        Ok(())
    }

    fn add_count(&mut self, cell: usize, change: i64) -> Result<()> {
        let amount = change.checked_abs().and_then(|amount| self.amount.checked_add(amount));
        self.amount = amount.ok_or(Error::SumOverflow)?;
        self.counts[cell] += change;
        Ok(())
    }

    /// Notes that `level` intervals reach into the bin of a cell, which has these edges, and makes `level` those that reach
    /// out of it.
    ///
    /// # Errors
    /// `MalformedBlock` if they are fewer than none, `SumOverflow`.
    pub(super) fn settle(&mut self, cell: usize, [begin, end]: [i64; 2], level: &mut i64) -> Result<()> {
        let (change, moment) = (self.counts[cell], self.moments[cell]);
        let whole = i128::from(*level) * (i128::from(end) - i128::from(begin));
        let occupied = (i128::from(change) * i128::from(end)).checked_sub(moment).and_then(|part| part.checked_add(whole));
        self.moments[cell] = occupied.ok_or(Error::SumOverflow)?;
        self.counts[cell] = *level;
        *level += change;
        if *level < 0 {
            return Err(malformed("more intervals end than have begun".to_owned()));
        }
        Ok(())
    }

    /// Returns the microseconds that are occupied by cell, once all are settled.
    ///
    /// # Errors
    /// `MalformedBlock` if they are fewer than none.
    pub(super) fn into_sums(self) -> Result<Vec<i128>> {
        match self.moments.iter().find(|&&sum| sum < 0) {
            Some(sum) => Err(malformed(format!("intervals occupy {sum} microseconds"))),
            None => Ok(self.moments),
        }
    }

    /// Returns the function of each cell, once all are settled.
    ///
    /// # Errors
    /// `MalformedBlock` if an instant is not of the bin of its cell, `InvalidPartials` if a number of intervals is negative.
    pub(super) fn into_steps(mut self, cells: &AnswerCells, edges: &[i64]) -> Result<StepChanges> {
        self.changes.sort_unstable();
        let mut steps = StepChanges::default();
        let mut rest = self.changes.as_slice();
        for (cell, &level) in self.counts.iter().enumerate() {
            let (own, others) = rest.split_at(rest.partition_point(|change| change.cell as usize <= cell));
            let (begin, end) = (edges[cells.bin(cell)], edges[cells.bin(cell) + 1]);
            if own.first().is_some_and(|first| first.at_us < begin) || own.last().is_some_and(|last| last.at_us > end) {
                return Err(malformed(format!("an interval of cell {cell} begins or ends outside its bin")));
            }
            put_steps(&mut steps, own, [(begin, level), (end, -own.iter().fold(level, |level, own| level + own.change))]);
            rest = others;
        }
        steps.check_cells()?;
        Ok(steps)
    }

    /// Bytes of memory that the cells take.
    pub(super) fn bytes(&self) -> usize {
        let change_bytes = self.changes.capacity() * size_of::<Change>();
        self.counts.capacity() * size_of::<i64>() + self.moments.capacity() * size_of::<i128>() + change_bytes
    }

    /// Bytes of memory that the functions take at most.
    pub(super) fn step_bytes(&self) -> usize {
        let step_count = self.changes.len() + 2 * self.counts.len();
        self.counts.len() * size_of::<usize>() + step_count * size_of::<(i64, i64)>()
    }
}

/// Adds a cell to step functions: its own changes, and what changes at the edges of its bin.
fn put_steps(steps: &mut StepChanges, own: &[Change], [at_begin, at_end]: [(i64, i64); 2]) {
    let first = steps.at_us.len();
    let all = [at_begin].into_iter().chain(own.iter().map(|change| (change.at_us, change.change))).chain([at_end]);
    all.for_each(|(at_us, change)| steps.push(first, at_us, change));
    steps.ends.push(steps.at_us.len());
}
