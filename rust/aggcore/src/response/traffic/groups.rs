//! The groups of an answer: their order, their keys, and their cells.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::interruptible_sort::sort_interruptibly;
use crate::memory::Reservation;
use crate::record::schema::ABSENT;
use crate::response::answer::AnswerLimits;
use crate::response::group_ids::GroupIds;
use crate::response::sort::first_rows;
use crate::response::sort_keys::{KeyColumn, SortColumn, SortOrder};
use crate::scan::predicate::KeyValue;
use crate::scan::traffic::TrafficPartials;
use crate::scan::{KeyValues, ScanResources};

/// Stands in a [`CellGrid`] where a group has no cell.
const NO_CELL: u32 = u32::MAX;
/// The place of a group that is left out.
const LEFT_OUT: u32 = u32::MAX;

/// The groups that are first by a figure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankedGroups {
    /// Keys of the groups, the first one first.
    pub groups: Vec<Vec<KeyValue<'static>>>,
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

/// The keys of the groups that an answer shows, by place.
pub struct HeldKeys<'a> {
    pub keys: Vec<Vec<KeyValue<'a>>>,
    _held: Reservation,
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
    pub fn keys(&self, id: usize) -> impl Iterator<Item = KeyValue<'a>> {
        self.partials.keys.iter().map(move |key| match key {
            KeyValues::Ints(values) => match values[self.first_cells[id] as usize] {
                ABSENT => KeyValue::Absent,
                value => KeyValue::Int(value),
            },
            KeyValues::Texts { .. } => match key.text(self.first_cells[id] as usize) {
                "" => KeyValue::Absent,
                text => KeyValue::Text(Cow::Borrowed(text)),
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
        let groups = ids.iter().map(|&id| self.keys(id as usize).map(KeyValue::into_owned).collect()).collect();
        RankedGroups { groups, group_count: self.ids.count }
    }

    /// Returns the place of each group among the shown ones, [`LEFT_OUT`] if it is not among them.
    pub fn places<'k>(&self, shown: &'k [Vec<KeyValue<'k>>]) -> Vec<u32>
    where
        'a: 'k,
    {
        let places: HashMap<&[KeyValue<'k>], u32> = shown.iter().map(Vec::as_slice).zip(0..).collect();
        let place = |id: usize| places.get(self.keys(id).collect::<Vec<KeyValue<'k>>>().as_slice()).copied();
        (0..self.ids.count).map(|id| place(id).unwrap_or(LEFT_OUT)).collect()
    }

    /// Returns the keys of the groups by place.
    ///
    /// # Errors
    /// A memory limit.
    pub fn held_keys(&self, places: &[u32], shown_count: usize, limits: AnswerLimits<'_>) -> Result<HeldKeys<'a>> {
        let group_bytes = size_of::<Vec<KeyValue<'a>>>() + self.partials.keys.len() * size_of::<KeyValue<'a>>();
        // With the table of places by keys.
        let held = limits.memory.reserve(shown_count * (group_bytes + 4 * size_of::<usize>()))?;
        let mut keys = vec![Vec::new(); shown_count];
        for (id, &place) in places.iter().enumerate().filter(|&(_, &place)| place != LEFT_OUT) {
            keys[place as usize] = self.keys(id).collect();
        }
        Ok(HeldKeys { keys, _held: held })
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
