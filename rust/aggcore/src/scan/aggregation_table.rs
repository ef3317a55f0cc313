//! The cells of a scan with keys: what its slices have of the same bin and keys is added up.

use hashbrown::HashTable;

use super::dense_ids::{DenseIds, TextIds, hash_words};
use super::group_key::{GroupCodeLayout, GroupKeyEncoder, check_cell_count};
use super::partials::{KeyValues, Partials};
use crate::columns::sums::{Sums, add};
use crate::error::Result;
use crate::record::schema::{ColumnKind, field};

/// AggregationTable in order of appearance; without keys there is one per bin.
pub struct AggregationTable {
    /// Integers per key: the bin and the values, texts by number.
    stride: usize,
    /// Keys of the cells one after the other.
    keys: Vec<i64>,
    /// Sums by cell.
    pub sums: Vec<Sums>,
    /// AggregationTable by hash of their key. It lags behind: the cells of one slice are distinct, and often there is but one.
    by_key: HashTable<u32>,
    /// Texts of each key.
    pub texts: Vec<TextIds>,
    is_text: Vec<bool>,
    cell_count_max: usize,
    /// What is not among the cells yet, as more rows of the same table may follow.
    open: Option<PackedGroups>,
}

/// The cells of a slice, or of several of one table: they are found by an integer, which takes far less than to find
/// them by their keys.
pub struct PackedGroups {
    /// What the integers say, where they say the same of more than one slice.
    layout: Option<GroupCodeLayout>,
    /// The cells by integer.
    pub ids: DenseIds,
    keys: Vec<i64>,
    sums: Vec<Sums>,
}

/// By key the numbers that texts get, by those that they have; `None` for a key of integers.
type IdRemap = Vec<Option<Vec<i64>>>;

impl AggregationTable {
    /// No cells yet but those of the bins where there are no keys.
    pub fn new(keys: &[String], bin_count: usize, cell_count_max: usize) -> Self {
        let is_text = |name: &String| field(name).is_some_and(|field| field.field_type.column_kind() != ColumnKind::Int);
        Self {
            stride: 1 + keys.len(),
            keys: Vec::new(),
            sums: vec![[0; 3]; if keys.is_empty() { bin_count } else { 0 }],
            by_key: HashTable::new(),
            texts: keys.iter().map(|_| TextIds::default()).collect(),
            is_text: keys.iter().map(is_text).collect(),
            cell_count_max,
            open: None,
        }
    }

    /// The groups that rows are added to: those of the rows before, where these are of the same table and layout.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn open(&mut self, encoder: &GroupKeyEncoder<'_>, table: Option<usize>) -> Result<PackedGroups> {
        let layout = table.and_then(|table| encoder.layout(table));
        match self.open.take() {
            Some(groups) if layout.is_some() && groups.layout == layout => Ok(groups),
            groups => {
                groups.map_or(Ok(()), |groups| self.join(groups.keys, groups.sums))?;
                Ok(PackedGroups { layout, ids: encoder.new_ids(), keys: Vec::new(), sums: Vec::new() })
            }
        }
    }

    /// Takes groups back with the sums of more rows by group.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn close(&mut self, mut groups: PackedGroups, encoder: GroupKeyEncoder<'_>, sums: Vec<Sums>) -> Result<()> {
        let known = groups.sums.len();
        let keys = encoder.into_keys(&groups.ids.values()[known..], &mut self.texts);
        if known == 0 {
            (groups.keys, groups.sums) = (keys, sums);
        } else {
            groups.keys.extend(keys);
            groups.sums.iter_mut().zip(&sums).try_for_each(|(sums, added)| add(sums, *added))?;
            groups.sums.extend(sums.into_iter().skip(known));
        }
        if groups.layout.is_none() {
            return self.join(groups.keys, groups.sums);
        }
        self.open = Some(groups);
        Ok(())
    }

    /// Adds those of another scanner of the same scan.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn merge(mut self, mut other: Self) -> Result<Self> {
        if self.stride == 1 {
            self.sums.iter_mut().zip(other.sums).try_for_each(|(sums, added)| add(sums, added))?;
            return Ok(self);
        }
        if self.count() < other.count() {
            return other.merge(self);
        }
        let ids_of = |((mine, theirs), is_text): ((&mut TextIds, _), &bool)| is_text.then(|| mine.ids_of(theirs));
        let numbers: IdRemap = self.texts.iter_mut().zip(&other.texts).zip(&self.is_text).map(ids_of).collect();
        match (&mut self.open, other.open.take()) {
            (Some(mine), Some(theirs)) if mine.layout == theirs.layout => {
                mine.merge(theirs, self.stride, &numbers, self.cell_count_max)?;
            }
            (_, theirs) => theirs.map_or(Ok(()), |theirs| other.join(theirs.keys, theirs.sums))?,
        }
        for (key, &sums) in other.keys.chunks_exact_mut(self.stride).zip(&other.sums) {
            renumber(key, &numbers);
            self.add(key, sums)?;
        }
        Ok(self)
    }

    /// The cells as columns.
    ///
    /// # Errors
    /// `CellLimit`, `SumOverflow`.
    pub fn finish(mut self) -> Result<Partials> {
        if let Some(groups) = self.open.take() {
            self.join(groups.keys, groups.sums)?;
        }
        let Self { stride, keys, sums, .. } = self;
        if stride == 1 {
            return Ok(Partials { bins: (0..sums.len() as u32).collect(), sums, keys: Vec::new() });
        }
        let column = |offset: usize| keys.iter().skip(offset).step_by(stride).copied();
        let values = self.texts.into_iter().zip(self.is_text).enumerate().map(|(key, (texts, is_text))| {
            if is_text {
                let codes = column(1 + key).map(|number| number as u32).collect();
                KeyValues::Texts { codes, entries: texts.into_texts() }
            } else {
                KeyValues::Ints(column(1 + key).collect())
            }
        });
        let values = values.collect();
        Ok(Partials { bins: column(0).map(|bin| bin as u32).collect(), keys: values, sums })
    }

    fn count(&self) -> usize {
        self.sums.len() + self.open.as_ref().map_or(0, |groups| groups.sums.len())
    }

    /// Adds distinct cells.
    fn join(&mut self, keys: Vec<i64>, sums: Vec<Sums>) -> Result<()> {
        if self.sums.is_empty() {
            (self.keys, self.sums) = (keys, sums);
            return Ok(());
        }
        keys.chunks_exact(self.stride).zip(sums).try_for_each(|(key, added)| self.add(key, added))
    }

    fn add(&mut self, key: &[i64], added: Sums) -> Result<()> {
        let cell = self.cell(key);
        check_cell_count(self.sums.len(), self.cell_count_max)?;
        add(&mut self.sums[cell], added)
    }

    /// The cell of a key.
    fn cell(&mut self, key: &[i64]) -> usize {
        let (keys, stride) = (&mut self.keys, self.stride);
        let hash_of_cell = |keys: &[i64], cell: u32| hash_of(&keys[cell as usize * stride..][..stride]);
        self.by_key.reserve(self.sums.len() - self.by_key.len(), |&cell| hash_of_cell(keys, cell));
        for cell in self.by_key.len()..self.sums.len() {
            let hash = hash_of_cell(keys, cell as u32);
            self.by_key.insert_unique(hash, cell as u32, |&cell| hash_of_cell(keys, cell));
        }
        let same = |&cell: &u32| &keys[cell as usize * stride..][..stride] == key;
        if let Some(&cell) = self.by_key.find(hash_of(key), same) {
            return cell as usize;
        }
        keys.extend_from_slice(key);
        self.sums.push([0; 3]);
        self.sums.len() - 1
    }
}

impl PackedGroups {
    /// Adds those of another scanner, of the same layout.
    fn merge(&mut self, mut other: Self, stride: usize, numbers: &IdRemap, allowed: usize) -> Result<()> {
        let mut cells = other.ids.values().to_vec();
        self.ids.replace_with_ids(&mut cells);
        check_cell_count(self.ids.values().len(), allowed)?;
        for ((&cell, key), added) in cells.iter().zip(other.keys.chunks_exact_mut(stride)).zip(other.sums) {
            if let Some(sums) = self.sums.get_mut(cell as usize) {
                add(sums, added)?;
            } else {
                renumber(key, numbers);
                self.keys.extend_from_slice(key);
                self.sums.push(added);
            }
        }
        Ok(())
    }
}

fn renumber(key: &mut [i64], numbers: &IdRemap) {
    for (value, numbers) in key[1..].iter_mut().zip(numbers) {
        *value = numbers.as_ref().map_or(*value, |numbers| numbers[*value as usize]);
    }
}

fn hash_of(key: &[i64]) -> u64 {
    hash_words(key.iter().map(|&value| value as u64))
}
