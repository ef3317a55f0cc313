//! The sweep: from the instants at which the intervals of a group begin and end to the cells of its bins.
//!
//! This is the sweep line of computational geometry, over one axis: instants in order, with the number of open intervals. A bin
//! that nothing happens in takes one step, also if many intervals span it.

use std::ops::Range;

use rayon::ThreadPool;

use super::both::both;
use super::instants::Instants;
use super::interval_cells::{BinSum, BinSums, IntervalCells, IntervalList};
use super::intervals::IntervalScan;
use super::step_changes::StepChanges;
use crate::cancellation::CancelToken;
use crate::error::Result;
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
    /// Whether only the peak of each cell is kept.
    pub(super) only_peaks: bool,
    pub(super) cancel: &'a CancelToken,
    /// Holds the memory of the intervals and of the cells.
    pub(super) memory: Reservation,
    /// Bytes of the intervals.
    pub(super) held_bytes: usize,
    pub(super) swept: Swept,
    /// Steps since the memory and the cancellation token were looked at.
    pub(super) step_count: usize,
    /// Threads that take a half of many intervals.
    pub(super) threads: Option<&'a ThreadPool>,
}

impl Swept {
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u32, u32)>() + self.occupied_us.capacity() * size_of::<i128>() + self.steps.bytes()
    }
}

impl<'a> Sweep<'a> {
    /// Begins a sweep over one interval of a scan.
    pub(super) fn new(scan: &IntervalScan<'a>, threads: Option<&'a ThreadPool>) -> Self {
        Self {
            edges: scan.measure.edges,
            cell_count_max: (!scan.keys.is_empty()).then_some(scan.cell_count_max),
            only_peaks: scan.measure.only_peaks,
            cancel: scan.cancel,
            memory: scan.memory.reservation(),
            held_bytes: 0,
            swept: Swept::default(),
            step_count: 0,
            threads,
        }
    }

    /// Sweeps over the interval of `group_count` groups. Returns what it found, with its memory.
    ///
    /// # Errors
    /// `CellLimit`, a memory limit, `Cancelled` or `DeadlinePassed`.
    pub(super) fn run(mut self, list: IntervalList, group_count: usize) -> Result<(Swept, Reservation)> {
        match list {
            IntervalList::Events(events) => self.run_over_events(events, group_count)?,
            IntervalList::Sums(sums) => self.run_over_sums(sums)?,
            // A running sweep has taken those of all slices.
            IntervalList::Runs(_) => {}
        }
        self.held_bytes = 0;
        self.hold()?;
        Ok((self.swept, self.memory))
    }

    fn run_over_events(&mut self, [starts, ends]: [Instants; 2], group_count: usize) -> Result<()> {
        // Sorting takes a copy.
        self.held_bytes = 2 * (starts.bytes() + ends.bytes());
        self.hold()?;
        let cancel = self.cancel;
        let sort = |instants: Instants| instants.into_sorted(group_count, cancel);
        let ((start_ends, starts), (end_ends, ends)) = both(self.threads, starts.len(), || sort(starts), || sort(ends))?;
        let (mut first_start, mut first_end) = (0, 0);
        for (group, (&start_end, &end_end)) in start_ends.iter().zip(&end_ends).enumerate() {
            let (starts, ends) = (&starts[first_start..start_end], &ends[first_end..end_end]);
            self.sweep_bins(group as u32, starts, ends, 0..self.edges.len() - 1, 0)?;
            (first_start, first_end) = (start_end, end_end);
        }
        Ok(())
    }

    /// Sweeps over the intervals of a group in some bins, given by their starts and ends, each of which ascend; `open` ones reach
    /// into the first bin.
    pub(super) fn sweep_bins(
        &mut self, group: u32, mut starts: &[i64], mut ends: &[i64], bins: Range<usize>, mut open: i64,
    ) -> Result<()> {
        let mut bin = bins.start;
        while bin < bins.end && (open > 0 || !starts.is_empty()) {
            if open == 0 {
                bin += self.edges[bin + 1..].partition_point(|&edge| edge <= starts[0]);
            }
            let [edge, next] = [self.edges[bin], self.edges[bin + 1]];
            if edge < next {
                let occupied_us = if self.only_peaks {
                    self.sweep_to_peak(&mut starts, &mut ends, [edge, next], &mut open)?
                } else {
                    self.sweep_bin(&mut starts, &mut ends, [edge, next], &mut open)?
                };
                open -= take_all(&mut ends, next);
                self.push_cell(group, bin, occupied_us)?;
            }
            bin += 1;
        }
        Ok(())
    }

    /// Sweeps over a bin, into which `open` intervals reach. Returns the microseconds that intervals occupy.
    fn sweep_bin(&mut self, starts: &mut &[i64], ends: &mut &[i64], [edge, next]: [i64; 2], open: &mut i64) -> Result<i128> {
        let before = self.swept.steps.at_us.len();
        let (mut last_us, mut occupied_us) = (edge, 0i128);
        self.swept.steps.push(before, edge, *open);
        while let Some(at_us) = first_before(starts, ends, next) {
            occupied_us += i128::from(*open) * (i128::from(at_us) - i128::from(last_us));
            last_us = at_us;
            let change = take_all(starts, at_us) - take_all(ends, at_us);
            self.swept.steps.push(before, at_us, change);
            *open += change;
            self.note_step()?;
        }
        self.swept.steps.push(before, next, -*open);
        Ok(occupied_us + i128::from(*open) * (i128::from(next) - i128::from(last_us)))
    }

    /// As [`Sweep::sweep_bin`], if only the peak is needed: its function is the peak, from the first instant of it to the end
    /// of the bin.
    fn sweep_to_peak(&mut self, starts: &mut &[i64], ends: &mut &[i64], [edge, next]: [i64; 2], open: &mut i64) -> Result<i128> {
        let (mut level, mut peak, mut peak_at_us) = (*open, *open, edge);
        let (mut rests_us, mut begun, mut ended) = (0i128, 0, 0);
        // The number is greatest at the begin of the bin or of an interval.
        while let Some(&start_us) = starts.get(begun).filter(|&&start_us| start_us < next) {
            while let Some(&end_us) = ends.get(ended).filter(|&&end_us| end_us <= start_us) {
                rests_us -= i128::from(next) - i128::from(end_us);
                ended += 1;
                level -= 1;
            }
            rests_us += i128::from(next) - i128::from(start_us);
            begun += 1;
            level += 1;
            if level > peak {
                (peak, peak_at_us) = (level, start_us);
            }
        }
        while let Some(&end_us) = ends.get(ended).filter(|&&end_us| end_us < next) {
            rests_us -= i128::from(next) - i128::from(end_us);
            ended += 1;
            level -= 1;
        }
        self.note_steps(begun + ended)?;
        (*starts, *ends) = (&starts[begun..], &ends[ended..]);
        let before = self.swept.steps.at_us.len();
        self.swept.steps.push(before, peak_at_us, peak);
        self.swept.steps.push(before, next, -peak);
        let occupied_us = i128::from(*open) * (i128::from(next) - i128::from(edge)) + rests_us;
        *open = level;
        Ok(occupied_us)
    }

    fn run_over_sums(&mut self, sums: BinSums) -> Result<()> {
        let sums = sums.into_sorted();
        self.held_bytes = size_of_val(sums.as_slice());
        sums.chunk_by(|one, next| one.group == next.group).try_for_each(|of_group| self.sweep_sums(of_group))
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
        self.note_steps(1)
    }

    fn note_steps(&mut self, count: usize) -> Result<()> {
        self.step_count += count;
        if self.step_count >= STEPS_PER_CHECK {
            self.step_count = 0;
            self.cancel.check()?;
            self.hold()?;
        }
        Ok(())
    }

    /// Reserves the memory of the intervals and of what was found.
    pub(super) fn hold(&mut self) -> Result<()> {
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

/// The lists of intervals that a scan found; those of `emptied` if it had no slices.
pub(super) fn lists_of(cells: IntervalCells, emptied: impl Iterator<Item = IntervalList>) -> Vec<IntervalList> {
    if cells.lists.is_empty() { emptied.collect() } else { cells.lists }
}
