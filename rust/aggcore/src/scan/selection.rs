//! Selection of rows, chunk by chunk: without a tombstone, set up in the range of the scan, and satisfying
//! all predicates.
//!
//! A selection has the cheapest of three forms that holds its rows: a range, a mask of one byte per row, or a
//! selection vector of row indices (Ngom et al., "Filter Representation in Vectorized Query Execution", DaMoN
//! 2021).

use std::ops::Range;

use super::compiled_predicate::CompiledPredicate;
use crate::cancellation::CancelToken;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::tuning::Tuning;

/// Rows of a chunk. The cancellation token is checked once per chunk. The buffers of a chunk (mask, indices,
/// group codes) take up to 34 KiB, so that they stay in the L1 and L2 caches from one step to the next.
pub const CHUNK_ROWS: usize = 1 << 11;

/// Selects the rows of one slice.
pub struct Selector<'a> {
    slice: &'a RecordSlice<'a>,
    /// The setup times to select: from, to (exclusive). `None` if all rows of the slice lie within.
    setup_bounds: Option<(i64, i64)>,
    predicates: Vec<CompiledPredicate<'a>>,
    mask_rows_per_selected_max: usize,
}

/// The selected rows of a chunk.
pub enum Selection<'a> {
    /// All rows of a range.
    Range(Range<usize>),
    /// The rows of a range whose mask byte is 1; the others are 0.
    Mask(Range<usize>, &'a [u8]),
    /// Indices of rows, ascending.
    Indices(&'a [u32]),
}

impl<'a> Selection<'a> {
    /// Returns the indices of the rows. Writes them to the buffer `rows`, unless the selection has them
    /// already.
    pub fn list(self, rows: &'a mut Vec<u32>) -> &'a [u32] {
        match self {
            Self::Range(range) => {
                rows.clear();
                rows.extend(range.start as u32..range.end as u32);
            }
            Self::Mask(range, mask) => push_set_rows(range, mask, rows),
            Self::Indices(indices) => return indices,
        }
        rows
    }
}

impl<'a> Selector<'a> {
    /// Selects the rows of `slice` that are set up in [from, to), microseconds UTC, and satisfy `predicates`.
    pub fn new(
        slice: &'a RecordSlice<'a>, (from, to): (i64, i64), mut predicates: Vec<CompiledPredicate<'a>>, tuning: &Tuning,
    ) -> Self {
        predicates.sort_by_key(CompiledPredicate::text_count);
        let setup_bounds = (!slice.lies_within(from, to)).then_some((from, to));
        Self { slice, setup_bounds, predicates, mask_rows_per_selected_max: tuning.mask_rows_per_selected_max }
    }

    /// Returns true if the selection is known to be empty without reading rows; it may be empty if false.
    pub fn is_known_empty(&self) -> bool {
        self.slice.rows.is_empty()
            || self.predicates.iter().any(|predicate| matches!(predicate, CompiledPredicate::Constant(false)))
    }

    /// Calls `take` with the selection of each chunk, in order.
    ///
    /// # Errors
    /// Those of `take` and of [`CancelToken::check`].
    pub fn each_chunk(self, cancel: &CancelToken, mut take: impl FnMut(Selection<'_>) -> Result<()>) -> Result<()> {
        self.each_chunk_while(cancel, |selection| take(selection).map(|()| true))
    }

    /// As [`Selector::each_chunk`], until `take` returns false.
    ///
    /// # Errors
    /// As [`Selector::each_chunk`].
    pub fn each_chunk_while(mut self, cancel: &CancelToken, mut take: impl FnMut(Selection<'_>) -> Result<bool>) -> Result<()> {
        let (mut mask, mut indices) = (Vec::new(), Vec::new());
        let all = self.slice.rows.clone();
        for start in all.clone().step_by(CHUNK_ROWS) {
            cancel.check()?;
            if !take(self.select(start..all.end.min(start + CHUNK_ROWS), &mut mask, &mut indices))? {
                break;
            }
        }
        Ok(())
    }

    /// Selects rows of a chunk: cheap predicates clear bytes of the mask, the rest remove indices from a
    /// list.
    fn select<'m>(&mut self, chunk: Range<usize>, mask: &'m mut Vec<u8>, indices: &'m mut Vec<u32>) -> Selection<'m> {
        if self.setup_bounds.is_none() && self.predicates.is_empty() && self.slice.tombstones.is_empty() {
            return Selection::Range(chunk);
        }
        mask.clear();
        mask.resize(chunk.len(), 1);
        self.slice.tombstones.clear_in(chunk.clone(), mask);
        if let Some((from, to)) = self.setup_bounds {
            let setup_us = &self.slice.setup_us[chunk.clone()];
            mask.iter_mut().zip(setup_us).for_each(|(byte, us)| *byte &= u8::from(from <= *us) & u8::from(*us < to));
        }
        self.predicates.iter().for_each(|predicate| predicate.apply_to_mask(chunk.clone(), mask));
        let selected = count_set(mask);
        let reads_texts = self.predicates.iter().any(CompiledPredicate::reads_texts);
        if selected == chunk.len() && !reads_texts {
            return Selection::Range(chunk);
        }
        if !reads_texts && selected * self.mask_rows_per_selected_max >= chunk.len() {
            return Selection::Mask(chunk, mask);
        }
        push_set_rows(chunk, mask, indices);
        self.predicates.iter_mut().for_each(|predicate| predicate.retain(indices));
        Selection::Indices(indices)
    }
}

/// Mask bytes that are turned into indices together.
const MASK_WORD_BYTES: usize = 8;
/// Mask bytes whose sum fits a byte, so that the additions vectorize in the width of the mask.
const COUNT_BYTES_MAX: usize = 128;

/// Number of mask bytes that are 1.
fn count_set(mask: &[u8]) -> usize {
    mask.chunks(COUNT_BYTES_MAX).map(|bytes| usize::from(bytes.iter().sum::<u8>())).sum()
}

/// Overwrites `rows` with the indices of the rows of `range` whose mask byte is 1.
///
/// The technique is left packing by a lookup table: eight mask bytes become one byte of bits, and
/// [`SET_BITS`] lists its set bits. All eight slots are written, and the next eight bytes overwrite those
/// beyond the set bits, because a branch per row would be mispredicted. Measured by the filter
/// `sorted_entries` of `make bench-instructions`: 7.4 instructions a row, 14.7 row by row.
fn push_set_rows(range: Range<usize>, mask: &[u8], rows: &mut Vec<u32>) {
    rows.resize(mask.len() + MASK_WORD_BYTES, 0);
    let (words, last) = mask.as_chunks::<MASK_WORD_BYTES>();
    let mut row_count = 0;
    for (first, bytes) in (range.start as u32..).step_by(MASK_WORD_BYTES).zip(words) {
        let set = bits_of(*bytes);
        let slots = rows[row_count..row_count + MASK_WORD_BYTES].iter_mut().zip(&SET_BITS[usize::from(set)]);
        slots.for_each(|(row, &bit)| *row = first + u32::from(bit));
        row_count += set.count_ones() as usize;
    }
    for (row, &here) in (range.end as u32 - last.len() as u32..).zip(last) {
        rows[row_count] = row;
        row_count += usize::from(here);
    }
    rows.truncate(row_count);
}

/// Packs eight bytes of 0 or 1 into one byte, the first as the lowest bit: the multiplication shifts each of
/// them to its bit of the highest byte, and none of the partial products overlap.
#[inline]
fn bits_of(bytes: [u8; MASK_WORD_BYTES]) -> u8 {
    (u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Indices of the set bits of each byte, ascending; 0 after the last.
static SET_BITS: [[u8; MASK_WORD_BYTES]; 256] = {
    let mut all = [[0; MASK_WORD_BYTES]; 256];
    let mut bits = 0;
    while bits < all.len() {
        let (mut bit, mut count) = (0, 0);
        while bit < MASK_WORD_BYTES {
            if bits >> bit & 1 == 1 {
                all[bits][count] = bit as u8;
                count += 1;
            }
            bit += 1;
        }
        bits += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn rows_with_a_mask_byte_of_1_are_listed(
            mask in proptest::collection::vec(0..2u8, 0..300), ones in proptest::bool::ANY, start in 0usize..3_000,
        ) {
            let mask: Vec<u8> = if ones { vec![1; mask.len()] } else { mask };
            let mut rows = vec![7; 3];
            push_set_rows(start..start + mask.len(), &mask, &mut rows);
            let expected: Vec<u32> = (0..mask.len()).filter(|&index| mask[index] == 1).map(|index| (start + index) as u32).collect();
            proptest::prop_assert_eq!((count_set(&mask), &rows), (expected.len(), &expected));
        }
    }
}
