//! The sweep: from the instants at which the intervals of a group begin and end to the cells of its bins.
//!
//! This is the sweep line of computational geometry, over one axis: instants in order, with the number of open intervals. A bin
//! that nothing happens in takes one step, also if many intervals span it.

use super::interval_cells::{BinSum, BinSums, Events, IntervalCells, IntervalList};
use super::step_changes::StepChanges;
use crate::cancellation::CancelToken;
use crate::error::Result;
use crate::interruptible_sort::sort_interruptibly;
use crate::memory::Reservation;
use crate::scan::group_key::check_cell_count;

/// Steps after which the memory and the cancellation token are looked at.
const STEPS_PER_CHECK: usize = 1 << 11;

/// What a sweep found of one interval: cells by group, then by bin, all of which it overlaps.
#[derive(Default)]
pub(super) struct Swept {
    /// Group and bin by cell.
    pub(super) places: Vec<(u32, u32)>,
    pub(super) occupied_us: Vec<i128>,
    /// Empty if only the time that intervals occupy is needed.
    pub(super) steps: StepChanges,
}

/// A sweep over the intervals of all groups.
pub(super) struct Sweep<'a> {
    pub(super) edges: &'a [i64],
    /// Cells that there may be; `None` without keys.
    pub(super) cell_count_max: Option<usize>,
    pub(super) cancel: &'a CancelToken,
    /// Holds the memory of the intervals and of the cells.
    pub(super) memory: &'a mut Reservation,
    /// Bytes that are held besides the cells.
    pub(super) held_bytes: usize,
    pub(super) swept: Swept,
    pub(super) step_count: usize,
}

impl Swept {
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u32, u32)>() + self.occupied_us.capacity() * size_of::<i128>() + self.steps.bytes()
    }
}

impl Sweep<'_> {
    /// Sweeps over one interval of `group_count` groups.
    ///
    /// # Errors
    /// `CellLimit`, a memory limit, `Cancelled` or `DeadlinePassed`.
    pub(super) fn run(&mut self, list: IntervalList, group_count: usize) -> Result<()> {
        match list {
            IntervalList::Events(events) => self.run_over_events(events, group_count),
            IntervalList::Sums(sums) => self.run_over_sums(sums),
        }
    }

    fn run_over_events(&mut self, events: [Events; 2], group_count: usize) -> Result<()> {
        // Sorting takes a copy.
        self.held_bytes += 2 * events.iter().map(Events::bytes).sum::<usize>();
        self.hold()?;
        let [(start_ends, mut starts), (end_ends, mut ends)] = events.map(|events| events.into_grouped(group_count));
        let (mut first_start, mut first_end) = (0, 0);
        for (group, (&start_end, &end_end)) in start_ends.iter().zip(&end_ends).enumerate() {
            let whole = group_count == 1;
            sort_range(&mut starts, first_start..start_end, whole, self.cancel)?;
            sort_range(&mut ends, first_end..end_end, whole, self.cancel)?;
            self.sweep_group(group as u32, &starts[first_start..start_end], &ends[first_end..end_end])?;
            (first_start, first_end) = (start_end, end_end);
        }
        self.hold()
    }

    /// Sweeps over the intervals of a group, given by their starts and ends, each of which ascend.
    fn sweep_group(&mut self, group: u32, mut starts: &[i64], mut ends: &[i64]) -> Result<()> {
        let (mut bin, mut open) = (0, 0);
        while open > 0 || !starts.is_empty() {
            if open == 0 {
                bin += self.edges[bin + 1..].partition_point(|&edge| edge <= starts[0]);
            }
            let before = self.swept.steps.at_us.len();
            let (edge, next) = (self.edges[bin], self.edges[bin + 1]);
            if edge == next {
                bin += 1;
                continue;
            }
            let (mut last_us, mut occupied_us) = (edge, 0i128);
            self.push_change(before, edge, open);
            while let Some(at_us) = first_before(starts, ends, next) {
                occupied_us += i128::from(open) * (i128::from(at_us) - i128::from(last_us));
                last_us = at_us;
                let change = take_all(&mut starts, at_us) - take_all(&mut ends, at_us);
                self.push_change(before, at_us, change);
                open += change;
                self.note_step()?;
            }
            occupied_us += i128::from(open) * (i128::from(next) - i128::from(last_us));
            self.push_change(before, next, -open);
            open -= take_all(&mut ends, next);
            self.push_cell(group, bin, occupied_us)?;
            bin += 1;
        }
        Ok(())
    }

    /// Adds a change, at or after the last one, to the cell whose changes begin at `first`.
    fn push_change(&mut self, first: usize, at_us: i64, change: i64) {
        let steps = &mut self.swept.steps;
        if change == 0 {
            return;
        }
        match steps.changes.last_mut() {
            // At the edge of a bin, intervals that were open and those that begin: neither is negative.
            Some(before) if steps.at_us.len() > first && steps.at_us.last() == Some(&at_us) => *before += change,
            Some(_) | None => {
                steps.at_us.push(at_us);
                steps.changes.push(change);
            }
        }
    }

    fn run_over_sums(&mut self, sums: BinSums) -> Result<()> {
        let sums = sums.into_sorted();
        self.held_bytes += size_of_val(sums.as_slice());
        sums.chunk_by(|one, next| one.group == next.group).try_for_each(|of_group| self.sweep_sums(of_group))?;
        self.hold()
    }

    /// Sweeps over the sums of one group, which ascend by bin.
    fn sweep_sums(&mut self, sums: &[BinSum]) -> Result<()> {
        let (mut open, bin_count) = (0i64, self.edges.len() - 1);
        for (number, sum) in sums.iter().enumerate() {
            let first = sum.bin as usize;
            self.push_if_occupied(sum.group, first, i128::from(open) * self.width_us(first) + sum.occupied_us)?;
            open += sum.opened;
            let next = sums.get(number + 1).map_or(bin_count, |next| next.bin as usize);
            for bin in (first + 1..next).take_while(|_| open > 0) {
                self.push_if_occupied(sum.group, bin, i128::from(open) * self.width_us(bin))?;
            }
        }
        Ok(())
    }

    fn width_us(&self, bin: usize) -> i128 {
        i128::from(self.edges[bin + 1]) - i128::from(self.edges[bin])
    }

    fn push_if_occupied(&mut self, group: u32, bin: usize, occupied_us: i128) -> Result<()> {
        if occupied_us > 0 { self.push_cell(group, bin, occupied_us) } else { Ok(()) }
    }

    fn push_cell(&mut self, group: u32, bin: usize, occupied_us: i128) -> Result<()> {
        let Swept { places, occupied_us: all_us, steps } = &mut self.swept;
        places.push((group, bin as u32));
        all_us.push(occupied_us);
        steps.ends.push(steps.at_us.len());
        if let Some(allowed) = self.cell_count_max {
            check_cell_count(self.swept.places.len(), allowed)?;
        }
        self.note_step()
    }

    fn note_step(&mut self) -> Result<()> {
        self.step_count += 1;
        if self.step_count.is_multiple_of(STEPS_PER_CHECK) {
            self.cancel.check()?;
            self.hold()?;
        }
        Ok(())
    }

    fn hold(&mut self) -> Result<()> {
        self.memory.resize(self.held_bytes + self.swept.bytes())
    }
}

/// The first instant of starts and ends, if it is before another one.
fn first_before(starts: &[i64], ends: &[i64], next_us: i64) -> Option<i64> {
    let first = starts.first().into_iter().chain(ends.first()).min()?;
    (*first < next_us).then_some(*first)
}

/// Removes all instants at `at_us`, which are the first ones if there are any, and returns their number.
fn take_all(instants: &mut &[i64], at_us: i64) -> i64 {
    let count = instants.iter().take_while(|&&us| us == at_us).count();
    *instants = &instants[count..];
    count as i64
}

/// Sorts a range of instants: all of them if `whole`.
fn sort_range(at_us: &mut Vec<i64>, range: std::ops::Range<usize>, whole: bool, cancel: &CancelToken) -> Result<()> {
    if whole {
        return sort_interruptibly(at_us, cancel);
    }
    let mut of_group = at_us[range.clone()].to_vec();
    sort_interruptibly(&mut of_group, cancel)?;
    at_us[range].copy_from_slice(&of_group);
    Ok(())
}

/// The lists of intervals that a scan of `needs` found, also if it had no slices.
pub(super) fn lists_of(cells: IntervalCells, emptied: impl Iterator<Item = IntervalList>) -> Vec<IntervalList> {
    if cells.lists.is_empty() { emptied.collect() } else { cells.lists }
}
