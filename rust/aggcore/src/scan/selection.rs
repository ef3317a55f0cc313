//! Which rows of a slice count, a chunk at a time: alive, within the time asked for, and meeting all conditions.

use std::ops::Range;

use super::compiled_predicate::CompiledPredicate;
use crate::cancellation::CancelToken;
use crate::columns::slice::RecordSlice;
use crate::error::Result;

/// Rows taken at a time, between two looks at the clock; what is kept of each fits the processor's nearest caches.
pub const CHUNK_ROWS: usize = 1 << 11;
/// Where fewer of a chunk's rows count than one in so many, they are listed.
const MASK_ROWS_PER_SELECTED_MAX: usize = 8;

/// Chooses the rows of one slice.
pub struct Selector<'a> {
    slice: &'a RecordSlice<'a>,
    /// Setup times that count, where some of the slice's may not.
    setup_bounds: Option<(i64, i64)>,
    predicates: Vec<CompiledPredicate<'a>>,
}

/// The rows of a chunk that count.
pub enum Selection<'a> {
    /// All of these.
    Range(Range<usize>),
    /// Those of these whose place has 1 and not 0.
    Mask(Range<usize>, &'a [u8]),
    /// These, ascending.
    Indices(&'a [u32]),
}

impl<'a> Selection<'a> {
    /// The rows one by one; they are written to `rows` unless the selection lists them already.
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
    /// For the rows of a slice that are set up in [from, to) and meet all conditions.
    pub fn new(slice: &'a RecordSlice<'a>, (from, to): (i64, i64), mut predicates: Vec<CompiledPredicate<'a>>) -> Self {
        predicates.sort_by_key(CompiledPredicate::text_count);
        Self { slice, setup_bounds: (!slice.lies_within(from, to)).then_some((from, to)), predicates }
    }

    /// Whether it is known that no row counts.
    pub fn selects_nothing(&self) -> bool {
        self.slice.rows.is_empty()
            || self.predicates.iter().any(|predicate| matches!(predicate, CompiledPredicate::Constant(false)))
    }

    /// Hands over the rows that count, some at a time.
    ///
    /// # Errors
    /// What `take` or [`CancelToken::check`] gives.
    pub fn each_chunk(self, cancel: &CancelToken, mut take: impl FnMut(Selection<'_>) -> Result<()>) -> Result<()> {
        self.each_chunk_while(cancel, |selection| take(selection).map(|()| true))
    }

    /// Hands over the rows that count, some at a time, while `take` says yes.
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
        if !reads_texts && selected * MASK_ROWS_PER_SELECTED_MAX >= chunk.len() {
            return Selection::Mask(chunk, mask);
        }
        push_set_rows(chunk, mask, indices);
        self.predicates.iter_mut().for_each(|predicate| predicate.retain(indices));
        Selection::Indices(indices)
    }
}

/// IdLookup that are looked at together.
const MASK_WORD_BYTES: usize = 8;
/// IdLookup that are counted in one byte.
const COUNT_BYTES_MAX: usize = 128;

/// How many places have 1.
fn count_set(mask: &[u8]) -> usize {
    mask.chunks(COUNT_BYTES_MAX).map(|bytes| usize::from(bytes.iter().sum::<u8>())).sum()
}

/// The rows whose place has 1; without a branch, as it may go either way from row to row.
fn push_set_rows(range: Range<usize>, mask: &[u8], rows: &mut Vec<u32>) {
    rows.resize(mask.len() + MASK_WORD_BYTES, 0);
    let (words, last) = mask.as_chunks::<MASK_WORD_BYTES>();
    let mut row_count = 0;
    for (first, bytes) in (range.start as u32..).step_by(MASK_WORD_BYTES).zip(words) {
        let set = bits_of(*bytes);
        // All places are written; those that do not count are written over.
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

/// IdLookup of 0 or 1 as bits, the first the lowest: the product has each of them once in its highest byte.
#[inline]
fn bits_of(bytes: [u8; MASK_WORD_BYTES]) -> u8 {
    (u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The places of ones by bits, ascending.
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
        fn rows_are_listed_where_the_mask_has_1(
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
