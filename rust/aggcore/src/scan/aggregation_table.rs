//! The hash-aggregation table of a scan: its cells by group key, with their sums.
//!
//! Groups are aggregated in two stages. Within a slice, they are found by packed group code, an integer that
//! is cheap to compute and to look up (see [`group_key`](super::group_key)). Then the groups of the slice are
//! merged into the table by their keys, which mean the same in all slices.
//!
//! Slices of one memtable whose codes have the same layout share their packed groups, so that they are merged
//! by key once, and two scanners merge such groups by code. Measured on the active-sessions report with
//! 10,000 groups and two threads: a merge by key takes 300 instructions a group; merging by code, in 32 bits,
//! brought the report from 33 to 26 million instructions.
//!
//! Tried: finding the dense id of a code and adding the row to its sums in one loop. Fewer instructions, more
//! time. Tried: four tasks for that memtable instead of two. The same time.

use hashbrown::HashTable;

use super::cell_values::CellValues;
use super::dense_ids::{DenseIds, TextIds, hash_words};
use super::group_key::{GroupCodeLayout, GroupKeyEncoder, check_cell_count};
use super::key::Key;
use super::partials::KeyValues;
use super::selection::CHUNK_ROWS;
use crate::cancellation::CancelToken;
use crate::error::Result;

/// Cells in order of appearance. A scan without keys has one cell per bin, in order.
pub struct AggregationTable<'a, C> {
    /// Integers per cell in `keys`: the bin and one per key column. 1 means a scan without keys.
    key_width: usize,
    /// Bin and keys of each cell, one cell after the other. A text is given by its id in `texts`.
    keys: Vec<i64>,
    /// Sums by cell.
    pub values: C,
    /// Cells by hash of their bin and keys. Built lazily: the groups of one slice are distinct by
    /// construction, and most scans have one slice. It may therefore lack the last cells until the next
    /// look-up.
    key_index: HashTable<u32>,
    /// Text ids of each key column; unused for a column of integers.
    pub texts: Vec<TextIds>,
    /// Whether a key column has texts.
    is_text: Vec<bool>,
    /// Cells that the scan may have.
    cell_count_max: usize,
    cancel: &'a CancelToken,
    /// Groups of a memtable that are not among the cells yet, because more slices of the same layout may
    /// follow.
    pending: Option<PackedGroups<C>>,
}

/// The cells of a table as columns.
pub struct Columns<C> {
    /// Bin by cell.
    pub bins: Vec<u32>,
    /// Key columns, each by cell.
    pub keys: Vec<KeyValues>,
    /// Sums by cell.
    pub values: C,
}

/// The groups of one slice, or of several slices with the same layout, by packed group code.
pub struct PackedGroups<C> {
    /// Meaning of the codes, if other slices may share it.
    layout: Option<GroupCodeLayout>,
    /// Dense ids of the codes: the indices of the groups.
    pub ids: DenseIds,
    /// Bin and keys of each group, one group after the other.
    keys: Vec<i64>,
    values: C,
}

/// For each key column, the new text ids by the old ones; `None` for a column of integers.
type IdRemap = Vec<Option<Vec<i64>>>;

impl<'a, C: CellValues> AggregationTable<'a, C> {
    /// A table of these cells: none, or, without keys, an empty one per bin.
    pub fn new(keys: &[Key], values: C, cell_count_max: usize, cancel: &'a CancelToken) -> Self {
        Self {
            key_width: 1 + keys.len(),
            keys: Vec::new(),
            values,
            key_index: HashTable::new(),
            texts: keys.iter().map(|_| TextIds::default()).collect(),
            is_text: keys.iter().map(Key::is_text).collect(),
            cell_count_max,
            cancel,
            pending: None,
        }
    }

    /// Bytes of memory that the table takes.
    pub fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<i64>()
            + self.values.bytes()
            + self.key_index.allocation_size()
            + self.text_bytes()
            + self.pending.as_ref().map_or(0, PackedGroups::bytes)
    }

    /// Bytes of memory that the columns of [`AggregationTable::finish`] take, apart from their texts.
    pub fn column_bytes(&self) -> usize {
        let cell_bytes = |&is_text: &bool| if is_text { size_of::<u32>() } else { size_of::<i64>() };
        let key_bytes = size_of::<u32>() + self.is_text.iter().map(cell_bytes).sum::<usize>();
        let text_count: usize = self.texts.iter().map(TextIds::count).sum();
        let pending_bytes = self.pending.as_ref().map_or(0, |groups| groups.values.finished_bytes());
        self.cell_count() * key_bytes + self.values.finished_bytes() + pending_bytes + text_count * size_of::<String>()
    }

    /// Bytes of memory that the texts of the keys take.
    pub fn text_bytes(&self) -> usize {
        self.texts.iter().map(TextIds::bytes).sum()
    }

    /// Returns the groups that the rows of a slice are to be added to: the pending groups if their layout is
    /// the same, new ones otherwise. `memtable` is the memtable of the slice, if it is of one.
    ///
    /// # Errors
    /// As [`AggregationTable::merge`].
    pub fn begin_slice(&mut self, encoder: &GroupKeyEncoder<'_>, memtable: Option<usize>) -> Result<PackedGroups<C>> {
        let layout = memtable.and_then(|memtable| encoder.layout(memtable));
        match self.pending.take() {
            Some(groups) if layout.is_some() && groups.layout == layout => Ok(groups),
            groups => {
                groups.map_or(Ok(()), |groups| self.add_distinct(groups.keys, groups.values))?;
                Ok(PackedGroups { layout, ids: encoder.new_ids(), keys: Vec::new(), values: C::default() })
            }
        }
    }

    /// Takes back the groups of [`AggregationTable::begin_slice`] with the sums that the slice adds, by
    /// group.
    ///
    /// # Errors
    /// As [`AggregationTable::merge`].
    pub fn end_slice(&mut self, mut groups: PackedGroups<C>, encoder: GroupKeyEncoder<'_>, values: C) -> Result<()> {
        let old_count = groups.values.count();
        let keys = encoder.decode(&groups.ids.values()[old_count..], &mut self.texts, self.cancel)?;
        if old_count == 0 {
            (groups.keys, groups.values) = (keys, values);
        } else {
            groups.keys.extend(keys);
            groups.values.add_all(0..values.count(), values)?;
        }
        if groups.layout.is_none() {
            return self.add_distinct(groups.keys, groups.values);
        }
        self.pending = Some(groups);
        Ok(())
    }

    /// Adds the cells of another table of the same scan.
    ///
    /// # Errors
    /// `CellLimit` if the cells become more than the scan may have, `SumOverflow` if a sum does not fit 64
    /// bits, and those of [`CancelToken::check`].
    pub fn merge(mut self, mut other: Self) -> Result<Self> {
        if self.key_width == 1 {
            self.values.add_all(0..other.values.count(), other.values)?;
            return Ok(self);
        }
        if self.cell_count() < other.cell_count() {
            return other.merge(self);
        }
        let cancel = self.cancel;
        let ids_of =
            |((ours, theirs), is_text): ((&mut TextIds, _), &bool)| is_text.then(|| ours.ids_of(theirs, cancel)).transpose();
        let id_remap: IdRemap = self.texts.iter_mut().zip(&other.texts).zip(&self.is_text).map(ids_of).collect::<Result<_>>()?;
        match (&mut self.pending, other.pending.take()) {
            (Some(ours), Some(theirs)) if ours.layout == theirs.layout => {
                ours.merge(theirs, &id_remap, self.cell_count_max, cancel)?;
            }
            (_, theirs) => theirs.map_or(Ok(()), |theirs| other.add_distinct(theirs.keys, theirs.values))?,
        }
        other.keys.chunks_exact_mut(self.key_width).for_each(|key| remap_texts(key, &id_remap));
        self.add_cells(&other.keys, other.values)?;
        Ok(self)
    }

    /// Returns the cells as columns.
    ///
    /// # Errors
    /// As [`AggregationTable::merge`].
    pub fn finish(mut self) -> Result<Columns<C>> {
        self.settle()?;
        let Self { key_width, keys, values, cancel, .. } = self;
        if key_width == 1 {
            return Ok(Columns { bins: (0..values.count() as u32).collect(), keys: Vec::new(), values });
        }
        let column = |offset: usize| keys.iter().skip(offset).step_by(key_width).copied();
        let key_values = self.texts.into_iter().zip(self.is_text).enumerate().map(|(key, (texts, is_text))| {
            cancel.check()?;
            if !is_text {
                return Ok(KeyValues::Ints(column(1 + key).collect()));
            }
            let codes = column(1 + key).map(|id| id as u32).collect();
            Ok(KeyValues::Texts { codes, entries: texts.into_texts() })
        });
        let key_values = key_values.collect::<Result<_>>()?;
        Ok(Columns { bins: column(0).map(|bin| bin as u32).collect(), keys: key_values, values })
    }

    /// Adds the pending groups to the cells.
    ///
    /// # Errors
    /// As [`AggregationTable::merge`].
    pub fn settle(&mut self) -> Result<()> {
        self.pending.take().map_or(Ok(()), |groups| self.add_distinct(groups.keys, groups.values))
    }

    /// Returns a table of distinct places, each a cell of this table, whose keys it has, and another bin. `values` are those of
    /// the places.
    pub fn spread<D: CellValues>(self, places: &[(u32, u32)], values: D) -> AggregationTable<'a, D> {
        let Self { key_width, keys, texts, is_text, cell_count_max, cancel, .. } = self;
        let mut spread = Vec::new();
        if key_width > 1 {
            spread.reserve_exact(places.len() * key_width);
            for &(cell, bin) in places {
                spread.push(i64::from(bin));
                spread.extend_from_slice(&keys[cell as usize * key_width..][1..key_width]);
            }
        }
        let key_index = HashTable::new();
        AggregationTable { key_width, keys: spread, values, key_index, texts, is_text, cell_count_max, cancel, pending: None }
    }

    /// Number of cells and of pending groups. A group may be counted twice.
    fn cell_count(&self) -> usize {
        self.values.count() + self.pending.as_ref().map_or(0, |groups| groups.values.count())
    }

    /// Adds cells that are distinct among themselves. The first ones need no look-up.
    fn add_distinct(&mut self, keys: Vec<i64>, values: C) -> Result<()> {
        if self.values.count() == 0 {
            (self.keys, self.values) = (keys, values);
            return Ok(());
        }
        self.add_cells(&keys, values)
    }

    /// Adds sums to the cells of their keys.
    fn add_cells(&mut self, keys: &[i64], added: C) -> Result<()> {
        let mut cells = Vec::with_capacity(added.count());
        for (number, key) in keys.chunks_exact(self.key_width).enumerate() {
            self.cancel.check_at(number)?;
            self.update_index()?;
            cells.push(self.find_or_insert(key));
            check_cell_count(self.key_count(), self.cell_count_max)?;
        }
        self.values.add_all(cells.into_iter(), added)
    }

    /// Number of cells that have keys, those to which nothing was added yet included.
    fn key_count(&self) -> usize {
        self.keys.len() / self.key_width
    }

    /// Adds the cells that the index lacks.
    fn update_index(&mut self) -> Result<()> {
        let (keys, key_width) = (&self.keys, self.key_width);
        let hash_of_cell = |cell: u32| hash_of(&keys[cell as usize * key_width..][..key_width]);
        let count = keys.len() / key_width;
        self.key_index.reserve(count - self.key_index.len(), |&cell| hash_of_cell(cell));
        for cell in self.key_index.len()..count {
            self.cancel.check_at(cell)?;
            self.key_index.insert_unique(hash_of_cell(cell as u32), cell as u32, |&cell| hash_of_cell(cell));
        }
        Ok(())
    }

    /// Returns the cell of a bin and keys, a new one if need be. The index is up to date.
    fn find_or_insert(&mut self, key: &[i64]) -> usize {
        let (keys, key_width) = (&mut self.keys, self.key_width);
        let same = |&cell: &u32| &keys[cell as usize * key_width..][..key_width] == key;
        if let Some(&cell) = self.key_index.find(hash_of(key), same) {
            return cell as usize;
        }
        keys.extend_from_slice(key);
        self.key_count() - 1
    }
}

impl<C: CellValues> PackedGroups<C> {
    /// Bytes of memory that the groups take.
    pub fn bytes(&self) -> usize {
        self.ids.bytes() + self.keys.capacity() * size_of::<i64>() + self.values.bytes()
    }

    /// Adds the groups of another scanner with the same layout, by code instead of by key.
    fn merge(&mut self, mut other: Self, id_remap: &IdRemap, cell_count_max: usize, cancel: &CancelToken) -> Result<()> {
        let key_width = 1 + id_remap.len();
        let mut cells = other.ids.values().to_vec();
        for chunk in cells.chunks_mut(CHUNK_ROWS) {
            cancel.check()?;
            self.ids.replace_with_ids(chunk);
            check_cell_count(self.ids.values().len(), cell_count_max)?;
        }
        let old_count = self.values.count() as u64;
        let groups = cells.iter().zip(other.keys.chunks_exact_mut(key_width));
        for (group, (_, key)) in groups.enumerate().filter(|(_, (cell, _))| **cell >= old_count) {
            cancel.check_at(group)?;
            remap_texts(key, id_remap);
            self.keys.extend_from_slice(key);
        }
        self.values.add_all(cells.into_iter().map(|cell| cell as usize), other.values)
    }
}

/// Replaces the text ids of a cell's keys.
fn remap_texts(key: &mut [i64], id_remap: &IdRemap) {
    for (value, id_remap) in key[1..].iter_mut().zip(id_remap) {
        *value = id_remap.as_ref().map_or(*value, |id_remap| id_remap[*value as usize]);
    }
}

fn hash_of(key: &[i64]) -> u64 {
    hash_words(key.iter().map(|&value| value as u64))
}
