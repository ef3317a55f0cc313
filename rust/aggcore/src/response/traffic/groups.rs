//! The groups of an answer: their order, their keys, and their cells.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::record::schema::ABSENT;
use crate::response::answer::AnswerLimits;
use crate::response::group_ids::GroupIds;
use crate::response::interruptible_sort::sort_interruptibly;
use crate::response::sort::first_rows;
use crate::response::sort_keys::{KeyColumn, SortColumn, SortOrder};
use crate::scan::traffic::TrafficPartials;
use crate::scan::{KeyValues, ScanResources};

/// Stands in a [`CellGrid`] where a group has no cell.
const NO_CELL: u32 = u32::MAX;
/// The place of a group that is left out.
const LEFT_OUT: u32 = u32::MAX;

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupKey<'a> {
    /// No value.
    Absent,
    /// A number.
    Int(i64),
    /// A text.
    Text(Cow<'a, str>),
}

/// The groups that are first by a figure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankedGroups {
    /// Keys of the groups, the first one first.
    pub groups: Vec<Vec<GroupKey<'static>>>,
    /// Groups that there were.
    pub group_count: usize,
}

/// Groups that cells form.
pub struct CellGroups<'a> {
    partials: &'a TrafficPartials,
    /// The group of each cell.
    pub ids: GroupIds<'a>,
    /// By group, a cell with its keys. Without keys it may be missing: a group may have no cells.
    first_cells: Vec<u32>,
}

/// The cells of groups by bin.
pub struct CellGrid {
    /// By group and bin.
    cells: Vec<u32>,
    bin_count: usize,
    /// Bin and cell of the groups that are left out, ascending.
    left_out: Vec<(u32, u32)>,
    _held: Reservation,
}

impl GroupKey<'_> {
    /// Returns the key without what it borrows.
    fn into_owned(self) -> GroupKey<'static> {
        match self {
            Self::Absent => GroupKey::Absent,
            Self::Int(value) => GroupKey::Int(value),
            Self::Text(text) => GroupKey::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl<'a> CellGroups<'a> {
    /// The groups of checked partials.
    ///
    /// # Errors
    /// A memory limit, `Cancelled` or `DeadlinePassed`.
    pub fn new(partials: &'a TrafficPartials, resources: &'a ScanResources, limits: AnswerLimits<'a>) -> Result<Self> {
        let mut ids = GroupIds::new(partials.cell_count(), resources, limits)?;
        partials.keys.iter().try_for_each(|key| ids.refine(key))?;
        let first_cells = ids.first_cells();
        Ok(Self { partials, ids, first_cells })
    }

    /// The keys of a group.
    pub fn keys(&self, id: usize) -> impl Iterator<Item = GroupKey<'a>> {
        self.partials.keys.iter().map(move |key| match key {
            KeyValues::Ints(values) => match values[self.first_cells[id] as usize] {
                ABSENT => GroupKey::Absent,
                value => GroupKey::Int(value),
            },
            KeyValues::Texts { .. } => match key.text(self.first_cells[id] as usize) {
                "" => GroupKey::Absent,
                text => GroupKey::Text(Cow::Borrowed(text)),
            },
        })
    }

    /// Returns the first groups by `columns`, of groups that are equal in these by keys: ascending, absent ones last.
    ///
    /// # Errors
    /// A memory limit, `Cancelled` or `DeadlinePassed`.
    pub fn first(&self, columns: Vec<SortColumn<'_>>, limit: usize, limits: AnswerLimits<'_>) -> Result<Vec<u32>> {
        let keys: Vec<_> = self.partials.keys.iter().map(KeyColumn::new).collect();
        let first_cell = |id: u32| self.first_cells[id as usize] as usize;
        let mut columns = columns;
        columns.extend(keys.iter().map(|key| SortColumn::new(key.by_row(first_cell), SortOrder::Ascending)));
        first_rows(self.ids.count, &columns, limit, limits)
    }

    /// Returns groups as others may keep them.
    pub fn ranked(&self, ids: &[u32]) -> RankedGroups {
        let groups = ids.iter().map(|&id| self.keys(id as usize).map(GroupKey::into_owned).collect()).collect();
        RankedGroups { groups, group_count: self.ids.count }
    }

    /// Returns the place of each group among ranked ones, [`LEFT_OUT`] if it is not among them.
    pub fn places(&self, ranked: &RankedGroups) -> Vec<u32> {
        let places: HashMap<&[GroupKey<'_>], u32> = ranked.groups.iter().map(Vec::as_slice).zip(0..).collect();
        let place = |id: usize| places.get(self.keys(id).collect::<Vec<_>>().as_slice()).copied();
        (0..self.ids.count).map(|id| place(id).unwrap_or(LEFT_OUT)).collect()
    }

    /// Returns the cells by the places of their groups.
    ///
    /// # Errors
    /// `InvalidPartials` if two cells have the same bin and group; a memory limit.
    pub fn grid(&self, places: &[u32], group_count: usize, bin_count: usize, limits: AnswerLimits<'_>) -> Result<CellGrid> {
        let mut held = limits.memory.reserve(group_count * bin_count * size_of::<u32>())?;
        let (mut cells, mut left_out) = (vec![NO_CELL; group_count * bin_count], Vec::new());
        for (cell, (&bin, &id)) in self.partials.bins.iter().zip(&self.ids.ids).enumerate() {
            limits.cancel.check_at(cell)?;
            let place = places[id as usize];
            if place == LEFT_OUT {
                left_out.push((bin, cell as u32));
                continue;
            }
            let slot = &mut cells[place as usize * bin_count + bin as usize];
            if *slot != NO_CELL {
                return Err(Error::InvalidPartials(format!("cell {cell} has the bin and the group of an earlier cell")));
            }
            *slot = cell as u32;
        }
        // With the copy that sorting takes.
        held.resize(size_of_val(cells.as_slice()) + 2 * left_out.capacity() * size_of::<(u32, u32)>())?;
        sort_interruptibly(&mut left_out, limits.cancel)?;
        Ok(CellGrid { cells, bin_count, left_out, _held: held })
    }
}

impl CellGrid {
    /// The cell of a group in a bin.
    pub fn cell(&self, group: usize, bin: usize) -> Option<usize> {
        present(&self.cells[group * self.bin_count + bin])
    }

    /// The cells of a group in all bins.
    pub fn of_group(&self, group: usize) -> impl Iterator<Item = usize> + Clone {
        self.cells[group * self.bin_count..][..self.bin_count].iter().filter_map(present)
    }

    /// The cells of the groups with a place in a bin.
    pub fn of_bin(&self, bin: usize) -> impl Iterator<Item = usize> + Clone {
        self.cells.iter().skip(bin).step_by(self.bin_count.max(1)).filter_map(present)
    }

    /// The cells of the groups that are left out in a bin.
    pub fn left_out_of_bin(&self, bin: usize) -> impl Iterator<Item = usize> + Clone {
        let begin = self.left_out.partition_point(|&(other, _)| (other as usize) < bin);
        self.left_out[begin..].iter().take_while(move |(other, _)| *other as usize == bin).map(|&(_, cell)| cell as usize)
    }
}

fn present(&cell: &u32) -> Option<usize> {
    (cell != NO_CELL).then_some(cell as usize)
}
