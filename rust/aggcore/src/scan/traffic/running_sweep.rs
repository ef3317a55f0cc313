//! The sweep of a scan without keys, which runs while its slices are read.
//!
//! Tasks are mostly read in the order of their days. What ends until the least setup time of the tasks that are not done is
//! swept over and dropped, so that a scan of a year holds the instants of some days, not of all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::intervals::IntervalScan;
use super::runs::merged;
use super::sweep::{Sweep, Swept};
use crate::error::Result;
use crate::memory::{QueryMemory, Reservation};

/// The sweeps of a scan without keys, over each interval of which it needs the occupancy. Of a scan with keys it has none.
pub struct RunningSweep<'a> {
    memory: &'a Arc<QueryMemory>,
    arrivals: Mutex<Arrivals>,
    sweeps: Mutex<Vec<OrderedSweep<'a>>>,
}

/// What the threads of a scan have read and no sweep has taken.
#[derive(Default)]
struct Arrivals {
    runs: Vec<Arrival>,
    /// Of each task that is not done, and of some that are: the least setup time, microseconds UTC, and the number.
    floors: BinaryHeap<Reverse<(i64, usize)>>,
    is_done: Vec<bool>,
}

/// The instants of a slice at which one interval starts, and at which it ends; both ascend.
struct Arrival {
    /// The number of the interval among those that the scan needs.
    need: usize,
    runs: [Vec<i64>; 2],
    /// Holds the bytes of the runs.
    _memory: Reservation,
}

/// The sweep over one interval, bin by bin.
struct OrderedSweep<'a> {
    /// The number of the interval among those that the scan needs.
    need: usize,
    sweep: Sweep<'a>,
    /// Ascending runs of starts, and of ends, that were not swept over.
    pending: [Vec<Vec<i64>>; 2],
    /// The next bin, and how many intervals reach into it.
    bin: usize,
    open: i64,
}

impl<'a> RunningSweep<'a> {
    /// The sweeps of a scan, before the first bin.
    pub fn new(scan: &IntervalScan<'a>) -> Self {
        let needs = scan.measure.needs.iter().enumerate().filter(|(_, need)| need.needs_steps && scan.keys.is_empty());
        let sweeps = needs.map(|(need, _)| OrderedSweep::new(need, scan)).collect();
        Self { memory: scan.memory, arrivals: Mutex::default(), sweeps: Mutex::new(sweeps) }
    }

    /// Tells the least setup time, microseconds UTC, of the records of each task that is left. Until then, nothing is dropped.
    pub fn expect_tasks(&self, least_setup_us: impl Iterator<Item = i64>) {
        let mut arrivals = self.arrivals.lock();
        arrivals.floors = least_setup_us.zip(0..).map(Reverse).collect();
        arrivals.is_done = vec![false; arrivals.floors.len()];
    }

    /// Takes the instants of a slice.
    ///
    /// # Errors
    /// A memory limit.
    pub(super) fn add(&self, need: usize, runs: [Vec<i64>; 2]) -> Result<()> {
        let memory = self.memory.reserve(bytes_of(&runs))?;
        self.arrivals.lock().runs.push(Arrival { need, runs, _memory: memory });
        Ok(())
    }

    /// Sweeps as far as it can after a task is done, unless another thread is at it.
    ///
    /// # Errors
    /// A memory limit, `Cancelled` or `DeadlinePassed`.
    pub fn end_task(&self, number: usize) -> Result<()> {
        if let Some(is_done) = self.arrivals.lock().is_done.get_mut(number) {
            *is_done = true;
        }
        self.sweeps.try_lock().map_or(Ok(()), |mut sweeps| self.advance(&mut sweeps))
    }

    /// Sweeps over all that is left. Returns what was found of each interval, in the order of their needs, with its memory.
    ///
    /// # Errors
    /// As [`RunningSweep::end_task`].
    pub(super) fn finish(&self) -> Result<Vec<(Swept, Reservation)>> {
        let mut sweeps = self.sweeps.lock();
        self.advance(&mut sweeps)?;
        sweeps.drain(..).map(OrderedSweep::finish).collect()
    }

    fn advance(&self, sweeps: &mut [OrderedSweep<'a>]) -> Result<()> {
        let (arrivals, floor_us) = self.arrivals.lock().take();
        for arrival in arrivals {
            if let Some(sweep) = sweeps.iter_mut().find(|sweep| sweep.need == arrival.need) {
                sweep.take(arrival)?;
            }
        }
        sweeps.iter_mut().try_for_each(|sweep| sweep.run_until(floor_us))
    }
}

impl Arrivals {
    /// Returns what has arrived, and the least setup time of what may still arrive.
    fn take(&mut self) -> (Vec<Arrival>, i64) {
        while self.floors.peek().is_some_and(|Reverse((_, number))| self.is_done[*number]) {
            self.floors.pop();
        }
        let without_floor = if self.is_done.is_empty() { i64::MIN } else { i64::MAX };
        (std::mem::take(&mut self.runs), self.floors.peek().map_or(without_floor, |Reverse((us, _))| *us))
    }
}

impl<'a> OrderedSweep<'a> {
    fn new(need: usize, scan: &IntervalScan<'a>) -> Self {
        Self { need, sweep: Sweep::new(scan, None), pending: Default::default(), bin: 0, open: 0 }
    }

    fn take(&mut self, arrival: Arrival) -> Result<()> {
        self.pending.iter_mut().zip(arrival.runs).for_each(|(pending, run)| pending.push(run));
        self.hold()
    }

    /// Sweeps over the bins that end until `floor_us`: an interval that is still to come starts then or later, as no answer is
    /// before its setup, and changes none of them.
    fn run_until(&mut self, floor_us: i64) -> Result<()> {
        let edges = self.sweep.edges;
        let end = edges.partition_point(|&edge| edge <= floor_us).saturating_sub(1);
        if end <= self.bin {
            return Ok(());
        }
        let [starts, ends] = &mut self.pending;
        let starts = merged(taken(starts, |us| us < edges[end]), self.sweep.cancel)?;
        // What ends at an edge is in the bin before it.
        let ends = merged(taken(ends, |us| us <= edges[end]), self.sweep.cancel)?;
        self.sweep.sweep_bins(0, &starts, &ends, self.bin..end, self.open)?;
        self.open += starts.len() as i64 - ends.len() as i64;
        self.bin = end;
        self.hold()
    }

    fn finish(mut self) -> Result<(Swept, Reservation)> {
        self.run_until(i64::MAX)?;
        Ok((self.sweep.swept, self.sweep.memory))
    }

    /// Reserves the bytes of what is pending, twice: merging takes a copy.
    fn hold(&mut self) -> Result<()> {
        self.sweep.held_bytes = 2 * self.pending.iter().map(|runs| bytes_of(runs)).sum::<usize>();
        self.sweep.hold()
    }
}

/// Takes the first instants of each ascending run that are among those to take.
fn taken(runs: &mut Vec<Vec<i64>>, is_taken: impl Fn(i64) -> bool) -> Vec<Vec<i64>> {
    let take = |run: &mut Vec<i64>| {
        let rest = run.split_off(run.partition_point(|&us| is_taken(us)));
        std::mem::replace(run, rest)
    };
    let taken = runs.iter_mut().map(take).collect();
    runs.retain(|run| !run.is_empty());
    taken
}

fn bytes_of(runs: &[Vec<i64>]) -> usize {
    runs.iter().map(Vec::capacity).sum::<usize>() * size_of::<i64>()
}
