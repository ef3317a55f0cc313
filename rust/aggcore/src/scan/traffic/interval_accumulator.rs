//! The accumulation of rows into the intervals of their groups.

use super::instants::Instants;
use super::interval_cells::{IntervalCells, IntervalList, SliceBinSums};
use super::intervals::{IntervalMeasures, IntervalScan};
use super::loaded_rows::load;
use super::measure::Interval;
use super::runs::sort_run;
use crate::columns::integer::IntValues;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::record::schema::{ABSENT, int_slot};
use crate::scan::dense_ids::GroupCode;
use crate::scan::group_key::check_cell_count;
use crate::scan::group_scanner::Accumulate;

/// Rows that are loaded at once: their times stay in the L1 cache from one step to the next.
const BLOCK_ROWS: usize = 1 << 8;

/// Intervals of the rows of one slice, by group.
pub(super) struct IntervalAccumulator<'a> {
    scan: &'a IntervalScan<'a>,
    setup_us: IntValues<'a>,
    answer_us: IntValues<'a>,
    end_us: IntValues<'a>,
    lists: Vec<SliceList<'a>>,
    /// Whether a group has an interval, by group, and how many have one.
    is_occupied: Vec<bool>,
    occupied_count: usize,
    /// Starts and ends of rows.
    starts: Vec<i64>,
    ends: Vec<i64>,
    /// Starts and ends that lie in the range and differ, with their groups.
    clipped: [Vec<(u32, i64)>; 2],
}

/// One interval of the rows.
enum SliceList<'a> {
    Events([Instants; 2]),
    /// The instants of a scan without keys.
    Runs([Vec<i64>; 2]),
    Sums(SliceBinSums<'a>),
}

impl<'a> IntervalAccumulator<'a> {
    /// An accumulator without groups for the rows of a slice.
    pub(super) fn new(slice: &'a RecordSlice<'a>, scan: &'a IntervalScan<'a>) -> Self {
        let list = |needs_steps| match (needs_steps, scan.keys.is_empty()) {
            (true, false) => SliceList::Events(Default::default()),
            (true, true) => SliceList::Runs(Default::default()),
            (false, _) => SliceList::Sums(SliceBinSums::new(scan.measure, scan.resources.dense_ids(u64::MAX, slice.rows.len()))),
        };
        Self {
            scan,
            setup_us: IntValues::I64(slice.setup_us),
            answer_us: slice.fields.ints[int_slot::ANSWER_TIME],
            end_us: slice.fields.ints[int_slot::END_TIME],
            lists: scan.measure.needs.iter().map(|need| list(need.needs_steps)).collect(),
            is_occupied: Vec::new(),
            occupied_count: 0,
            starts: Vec::new(),
            ends: Vec::new(),
            clipped: Default::default(),
        }
    }

    fn add_block<P: GroupCode>(&mut self, groups: &[P], rows: &[u32]) -> Result<()> {
        let has_groups = !self.scan.keys.is_empty();
        self.load_ends(rows);
        for (number, need) in self.scan.measure.needs.iter().enumerate() {
            self.clip(need.interval, groups, rows);
            if has_groups {
                self.note_occupied()?;
            }
            self.lists[number].add(&self.clipped);
        }
        Ok(())
    }

    /// Loads the ends of rows, that of the range at most.
    fn load_ends(&mut self, rows: &[u32]) {
        let IntervalMeasures { now_us, .. } = self.scan.measure;
        let (_, to) = self.scan.measure.range();
        load(self.end_us, rows, &mut self.ends);
        self.ends.iter_mut().for_each(|us| *us = to.min(if *us == ABSENT { *now_us } else { *us }));
    }

    /// Clips the intervals of rows, and leaves those out that are empty or without a start.
    fn clip<P: GroupCode>(&mut self, interval: Interval, groups: &[P], rows: &[u32]) {
        let (from, _) = self.scan.measure.range();
        match interval {
            Interval::Talk => load(self.answer_us, rows, &mut self.starts),
            Interval::Seized => load(self.setup_us, rows, &mut self.starts),
        }
        let [starts, ends] = &mut self.clipped;
        starts.clear();
        ends.clear();
        for ((group, &start), &end) in groups.iter().zip(&self.starts).zip(&self.ends) {
            let clipped = start.max(from);
            if (start != ABSENT) & (clipped < end) {
                starts.push((group.wide() as u32, clipped));
                ends.push((group.wide() as u32, end));
            }
        }
    }

    /// Counts the groups that have an interval.
    fn note_occupied(&mut self) -> Result<()> {
        for &(group, _) in &self.clipped[0] {
            let is_occupied = &mut self.is_occupied[group as usize];
            self.occupied_count += usize::from(!*is_occupied);
            *is_occupied = true;
        }
        check_cell_count(self.occupied_count, self.scan.cell_count_max)
    }
}

impl SliceList<'_> {
    fn add(&mut self, clipped: &[Vec<(u32, i64)>; 2]) {
        match self {
            Self::Events(events) => {
                events.iter_mut().zip(clipped).for_each(|(events, instants)| events.push_all(instants));
            }
            Self::Runs(runs) => {
                let of_rows = clipped.iter().map(|instants| instants.iter().map(|(_, at_us)| at_us));
                runs.iter_mut().zip(of_rows).for_each(|(run, instants)| run.extend(instants));
            }
            Self::Sums(sums) => {
                sums.add(&clipped[0], 1);
                sums.add(&clipped[1], -1);
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Events(events) => events.iter().map(Instants::bytes).sum(),
            Self::Runs(runs) => runs.iter().map(Vec::capacity).sum::<usize>() * size_of::<i64>(),
            Self::Sums(sums) => sums.bytes(),
        }
    }

    fn finish(self) -> IntervalList {
        match self {
            Self::Events(events) => IntervalList::Events(events),
            Self::Runs(mut runs) => {
                runs.iter_mut().for_each(sort_run);
                IntervalList::Runs(runs)
            }
            Self::Sums(sums) => IntervalList::Sums(sums.finish()),
        }
    }
}

impl Accumulate for IntervalAccumulator<'_> {
    type Cells = IntervalCells;

    fn add<P: GroupCode>(&mut self, group_count: usize, groups: &[P], rows: &[u32]) -> Result<()> {
        self.is_occupied.resize(group_count, false);
        let mut blocks = groups.chunks(BLOCK_ROWS).zip(rows.chunks(BLOCK_ROWS));
        blocks.try_for_each(|(groups, rows)| self.add_block(groups, rows))
    }

    fn bytes(&self) -> usize {
        let lists: usize = self.lists.iter().map(SliceList::bytes).sum();
        let clipped: usize = self.clipped.iter().map(Vec::capacity).sum();
        let buffers = (self.starts.capacity() + self.ends.capacity()) * size_of::<i64>();
        lists + buffers + clipped * size_of::<(u32, i64)>() + self.is_occupied.capacity()
    }

    fn finish(self) -> IntervalCells {
        IntervalCells { count: self.is_occupied.len(), lists: self.lists.into_iter().map(SliceList::finish).collect() }
    }
}
