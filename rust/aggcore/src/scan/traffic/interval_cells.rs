//! When the intervals of each group begin and end, while slices are added.
//!
//! For an occupancy, every instant is kept; without keys, only until the sweep has passed it (`running_sweep`). The time that intervals occupy needs less: sums by bin. The number of open
//! intervals is a sum over instants (+1 for a start, -1 for an end), and so is its integral: an instant at t adds its sign times
//! the rest of its bin to that bin, and its sign times their width to all later bins. So no interval is added to each bin that it
//! spans.

use super::instants::Instants;
use super::intervals::{IntervalMeasures, IntervalNeed};
use crate::error::Result;
use crate::scan::cell_values::CellValues;
use crate::scan::dense_ids::DenseIds;

/// Count of sums from which those of the same bin are added up.
const SORTED_COUNT_MIN: usize = 1 << 12;

/// Intervals by group.
#[derive(Default)]
pub struct IntervalCells {
    /// Number of groups.
    pub(super) count: usize,
    /// For each interval that is needed.
    pub(super) lists: Vec<IntervalList>,
}

/// One interval of all records.
pub(super) enum IntervalList {
    /// All instants at which one starts, and at which one ends.
    Events([Instants; 2]),
    /// The same of the rows of one slice without keys, ascending.
    Runs([Vec<i64>; 2]),
    /// Sums by group and bin.
    Sums(BinSums),
}

/// Sums of groups by bin, in any order. The same bin of a group may be there several times.
#[derive(Default)]
pub(super) struct BinSums {
    sums: Vec<BinSum>,
    /// Sums from which they are added up next: twice those that were left the last time.
    full_count: usize,
}

/// What the instants in a bin add up to. It sorts by group, then by bin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BinSum {
    pub(super) group: u32,
    pub(super) bin: u32,
    /// Starts less ends.
    pub(super) opened: i64,
    /// The rest of the bin after each start, less that after each end.
    pub(super) occupied_us: i128,
}

/// Adds up the instants of one slice by group and bin.
pub(super) struct SliceBinSums<'a> {
    edges: &'a [i64],
    /// Numbers of (group, bin).
    ids: DenseIds,
    codes: Vec<u64>,
    sums: Vec<(i64, i128)>,
    /// The bin of the last instant.
    bin: usize,
}

impl IntervalList {
    pub(super) fn new(need: IntervalNeed, has_groups: bool) -> Self {
        match (need.needs_steps, has_groups) {
            (true, true) => Self::Events(Default::default()),
            (true, false) => Self::Runs(Default::default()),
            (false, _) => Self::Sums(BinSums::default()),
        }
    }

    fn emptied(&self) -> Self {
        match self {
            Self::Events(_) => Self::Events(Default::default()),
            Self::Runs(_) => Self::Runs(Default::default()),
            Self::Sums(_) => Self::Sums(BinSums::default()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Events(events) => events.iter().map(Instants::bytes).sum(),
            Self::Runs(runs) => runs.iter().map(Vec::capacity).sum::<usize>() * size_of::<i64>(),
            Self::Sums(sums) => sums.sums.capacity() * size_of::<BinSum>(),
        }
    }

    fn add_all(&mut self, groups: &[usize], added: Self) {
        match (self, added) {
            (Self::Events(ours), Self::Events(added)) => {
                ours.iter_mut().zip(added).for_each(|(ours, added)| ours.add_all(groups, added));
            }
            (Self::Sums(ours), Self::Sums(added)) => ours.add_all(groups, added),
            // The sweep takes the runs of each slice before the next one; else one scan has one kind.
            (ours @ Self::Runs(_), added @ Self::Runs(_)) => *ours = added,
            (Self::Events(_) | Self::Runs(_) | Self::Sums(_), _) => {}
        }
    }
}

impl CellValues for IntervalCells {
    fn count(&self) -> usize {
        self.count
    }

    fn bytes(&self) -> usize {
        self.lists.iter().map(IntervalList::bytes).sum()
    }

    fn finished_bytes(&self) -> usize {
        self.bytes()
    }

    fn add_all(&mut self, cells: impl Iterator<Item = usize> + Clone, added: Self) -> Result<()> {
        if self.lists.is_empty() {
            self.lists = added.lists.iter().map(IntervalList::emptied).collect();
        }
        let groups: Vec<usize> = cells.collect();
        self.count = self.count.max(groups.iter().max().map_or(0, |group| group + 1));
        self.lists.iter_mut().zip(added.lists).for_each(|(list, added)| list.add_all(&groups, added));
        Ok(())
    }
}

impl BinSums {
    fn add_all(&mut self, groups: &[usize], added: Self) {
        self.sums.extend(added.sums.into_iter().map(|sum| BinSum { group: groups[sum.group as usize] as u32, ..sum }));
        if self.sums.len() >= self.full_count.max(SORTED_COUNT_MIN) {
            self.add_up();
            self.full_count = 2 * self.sums.len();
        }
    }

    fn add_up(&mut self) {
        self.sums.sort_unstable();
        self.sums.dedup_by(|sum, before| {
            let is_same = (sum.group, sum.bin) == (before.group, before.bin);
            if is_same {
                before.opened += sum.opened;
                before.occupied_us += sum.occupied_us;
            }
            is_same
        });
    }

    /// Returns the sums by group, then by bin, each once.
    pub(super) fn into_sorted(mut self) -> Vec<BinSum> {
        self.add_up();
        self.sums
    }
}

impl<'a> SliceBinSums<'a> {
    /// No sums; `ids` are for codes below any bound.
    pub(super) fn new(measures: &IntervalMeasures<'a>, ids: DenseIds) -> Self {
        Self { edges: measures.edges, ids, codes: Vec::new(), sums: Vec::new(), bin: 0 }
    }

    /// Adds starts, with `sign` 1, or ends, with -1, given with their groups. They are within the edges; an end at the last edge
    /// closes what nothing follows, and adds nothing.
    pub(super) fn add(&mut self, instants: &[(u32, i64)], sign: i64) {
        let (bin_count, last) = (self.edges.len() as u64 - 1, self.edges[self.edges.len() - 1]);
        let within = || instants.iter().filter(|(_, at_us)| *at_us < last);
        self.codes.clear();
        for &(group, at_us) in within() {
            let bin = self.bin_of(at_us);
            self.codes.push(u64::from(group) * bin_count + bin as u64);
        }
        let mut rests_us = Vec::with_capacity(self.codes.len());
        rests_us.extend(
            self.codes
                .iter()
                .zip(within())
                .map(|(code, (_, at_us))| i128::from(self.edges[(code % bin_count) as usize + 1]) - i128::from(*at_us)),
        );
        self.ids.replace_with_ids(&mut self.codes);
        self.sums.resize(self.ids.values().len(), (0, 0));
        for (&id, rest_us) in self.codes.iter().zip(rests_us) {
            let (opened, occupied_us) = &mut self.sums[id as usize];
            *opened += sign;
            *occupied_us += i128::from(sign) * rest_us;
        }
    }

    /// The bin of an instant: mostly that of the instant before.
    fn bin_of(&mut self, at_us: i64) -> usize {
        if at_us < self.edges[self.bin] || at_us >= self.edges[self.bin + 1] {
            self.bin = self.edges.partition_point(|&edge| edge <= at_us) - 1;
        }
        self.bin
    }

    pub(super) fn bytes(&self) -> usize {
        self.ids.bytes() + self.codes.capacity() * size_of::<u64>() + self.sums.capacity() * size_of::<(i64, i128)>()
    }

    pub(super) fn finish(self) -> BinSums {
        let bin_count = self.edges.len() as u64 - 1;
        let of_code = |(&code, (opened, occupied_us)): (&u64, (i64, i128))| BinSum {
            group: (code / bin_count) as u32,
            bin: (code % bin_count) as u32,
            opened,
            occupied_us,
        };
        BinSums { sums: self.ids.values().iter().zip(self.sums).map(of_code).collect(), full_count: 0 }
    }
}
