//! The groups that cells form by their keys: one key after the other, on integers.

use super::answer::AnswerLimits;
use crate::error::Result;
use crate::memory::Reservation;
use crate::record::schema::ABSENT;
use crate::scan::{KeyValues, ScanResources};

/// Cells that are regrouped without a check of the cancellation token.
pub(super) const CHUNK_ROWS: usize = 1 << 14;
/// Greatest radix of a key whose values need not become dense ids first. Group ids are below the cell count, which is below
/// 2^32, so that an id and a key fit in 64 bits.
pub(super) const RADIX_MAX: u64 = 1 << 32;

/// The group of each cell. Without keys, all cells are one group.
pub struct GroupIds<'a> {
    /// By cell, below `count`, in order of first appearance.
    pub ids: Vec<u64>,
    /// Number of groups.
    pub count: usize,
    resources: &'a ScanResources,
    limits: AnswerLimits<'a>,
    _held: Reservation,
}

/// The values of a key field as integers from 0, by cell.
enum KeyCodes<'a> {
    Texts(&'a [u32]),
    /// Distances from the least value, plus 1; 0 for absent values.
    Ints {
        values: &'a [i64],
        low: i64,
    },
}

impl<'a> GroupIds<'a> {
    /// One group of all cells.
    ///
    /// # Errors
    /// A memory limit.
    pub fn new(cell_count: usize, resources: &'a ScanResources, limits: AnswerLimits<'a>) -> Result<Self> {
        let held = limits.memory.reserve(cell_count * size_of::<u64>())?;
        Ok(Self { ids: vec![0; cell_count], count: 1, resources, limits, _held: held })
    }

    /// Splits the groups by one more key.
    ///
    /// # Errors
    /// A memory limit, or those of [`CancelToken::check`](crate::cancellation::CancelToken::check).
    pub fn refine(&mut self, key: &KeyValues) -> Result<()> {
        let (codes, mut radix) = KeyCodes::new(key);
        let mut held = self.limits.memory.reservation();
        let cell_count = self.ids.len();
        // Wide keys become dense ids, of which there are at most as many as cells.
        let mut distinct = (radix > RADIX_MAX).then(|| self.resources.dense_ids(radix, cell_count));
        if distinct.is_some() {
            radix = cell_count as u64;
        }
        let mut refined = self.resources.dense_ids(self.count as u64 * radix, cell_count);
        let mut chunk = Vec::with_capacity(CHUNK_ROWS);
        for (start, ids) in (0..).step_by(CHUNK_ROWS).zip(self.ids.chunks_mut(CHUNK_ROWS)) {
            self.limits.cancel.check()?;
            chunk.clear();
            chunk.extend((start..start + ids.len()).map(|cell| codes.of(cell)));
            if let Some(distinct) = &mut distinct {
                distinct.replace_with_ids(&mut chunk);
            }
            ids.iter_mut().zip(&chunk).for_each(|(id, code)| *id = *id * radix + code);
            refined.replace_with_ids(ids);
            held.resize(refined.bytes() + distinct.as_ref().map_or(0, |distinct| distinct.bytes()))?;
        }
        self.count = refined.values().len();
        Ok(())
    }

    /// Returns the first cell of each group that has cells.
    pub fn first_cells(&self) -> Vec<u32> {
        let mut first_cells = Vec::with_capacity(self.count);
        for (cell, &id) in self.ids.iter().enumerate() {
            if id == first_cells.len() as u64 {
                // The cell limit of a scan is far below 2^32, so the cast is exact.
                first_cells.push(cell as u32);
            }
        }
        first_cells
    }
}

impl<'a> KeyCodes<'a> {
    /// Returns the codes of a key and their exclusive upper bound.
    fn new(key: &'a KeyValues) -> (Self, u64) {
        match key {
            KeyValues::Texts { codes, entries } => (Self::Texts(codes), entries.len() as u64),
            KeyValues::Ints(values) => {
                let present = || values.iter().copied().filter(|&value| value != ABSENT);
                let (low, high) = present().min().zip(present().max()).unwrap_or((0, 0));
                (Self::Ints { values, low }, (high.wrapping_sub(low) as u64).saturating_add(2))
            }
        }
    }

    #[inline]
    fn of(&self, cell: usize) -> u64 {
        match self {
            Self::Texts(codes) => codes[cell].into(),
            Self::Ints { values, .. } if values[cell] == ABSENT => 0,
            Self::Ints { values, low } => values[cell].wrapping_sub(*low) as u64 + 1,
        }
    }
}
