//! Which rows of a slice count, a chunk at a time: alive, within the time asked for, and meeting all conditions.

use std::ops::Range;

use super::compiled_predicate::CompiledPredicate;
use crate::cancellation::CancelToken;
use crate::columns::slice::RecordSlice;
use crate::error::Result;

/// Rows taken at a time, between two looks at the clock; what is kept of each fits the processor's nearest caches.
pub const CHUNK_ROWS: usize = 1 << 11;
/// Where fewer of a chunk's rows count than one in so many, they are listed.
const LISTED_SHARE: usize = 8;

/// Chooses the rows of one slice.
pub struct Selector<'a> {
    slice: &'a RecordSlice<'a>,
    /// Setup times that count, where some of the slice's may not.
    range: Option<(i64, i64)>,
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
            Self::Range(run) => {
                rows.clear();
                rows.extend(run.start as u32..run.end as u32);
            }
            Self::Mask(run, mask) => push_set_rows(run, mask, rows),
            Self::Indices(indices) => return indices,
        }
        rows
    }
}

impl<'a> Selector<'a> {
    /// For the rows of a slice that are set up in [from, to) and meet all conditions.
    pub fn new(slice: &'a RecordSlice<'a>, (from, to): (i64, i64), mut predicates: Vec<CompiledPredicate<'a>>) -> Self {
        predicates.sort_by_key(CompiledPredicate::texts);
        Self { slice, range: (!slice.lies_within(from, to)).then_some((from, to)), predicates }
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
            if !take(self.choose(start..all.end.min(start + CHUNK_ROWS), &mut mask, &mut indices))? {
                break;
            }
        }
        Ok(())
    }

    fn choose<'m>(&mut self, chunk: Range<usize>, mask: &'m mut Vec<u8>, indices: &'m mut Vec<u32>) -> Selection<'m> {
        if self.range.is_none() && self.predicates.is_empty() && self.slice.tombstones.is_empty() {
            return Selection::Range(chunk);
        }
        mask.clear();
        mask.resize(chunk.len(), 1);
        self.slice.tombstones.clear_in(chunk.clone(), mask);
        if let Some((from, to)) = self.range {
            let setup_us = &self.slice.setup_us[chunk.clone()];
            mask.iter_mut().zip(setup_us).for_each(|(kept, us)| *kept &= u8::from(from <= *us) & u8::from(*us < to));
        }
        self.predicates.iter().for_each(|predicate| predicate.apply_to_mask(chunk.clone(), mask));
        let left = count(mask);
        let is_costly = self.predicates.iter().any(CompiledPredicate::is_costly);
        if left == chunk.len() && !is_costly {
            return Selection::Range(chunk);
        }
        if !is_costly && left * LISTED_SHARE >= chunk.len() {
            return Selection::Mask(chunk, mask);
        }
        push_set_rows(chunk, mask, indices);
        self.predicates.iter_mut().for_each(|predicate| predicate.retain(indices));
        Selection::Indices(indices)
    }
}

/// IdLookup that are looked at together.
const GROUP: usize = 8;
/// IdLookup that are counted in one byte.
const COUNTED: usize = 128;

/// How many places have 1.
fn count(mask: &[u8]) -> usize {
    mask.chunks(COUNTED).map(|places| usize::from(places.iter().sum::<u8>())).sum()
}

/// The rows whose place has 1; without a branch, as it may go either way from row to row.
fn push_set_rows(run: Range<usize>, mask: &[u8], rows: &mut Vec<u32>) {
    rows.resize(mask.len() + GROUP, 0);
    let (groups, last) = mask.as_chunks::<GROUP>();
    let mut kept = 0;
    for (first, group) in (run.start as u32..).step_by(GROUP).zip(groups) {
        let kept_here = bits(*group);
        // All places are written; those that do not count are written over.
        let places = rows[kept..kept + GROUP].iter_mut().zip(&PLACES[usize::from(kept_here)]);
        places.for_each(|(row, &place)| *row = first + u32::from(place));
        kept += kept_here.count_ones() as usize;
    }
    for (row, &here) in (run.end as u32 - last.len() as u32..).zip(last) {
        rows[kept] = row;
        kept += usize::from(here);
    }
    rows.truncate(kept);
}

/// IdLookup of 0 or 1 as bits, the first the lowest: the product has each of them once in its highest byte.
#[inline]
fn bits(group: [u8; GROUP]) -> u8 {
    (u64::from_le_bytes(group).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The places of ones by bits, ascending.
static PLACES: [[u8; GROUP]; 256] = {
    let mut all = [[0; GROUP]; 256];
    let mut bits = 0;
    while bits < all.len() {
        let (mut place, mut kept) = (0, 0);
        while place < GROUP {
            if bits >> place & 1 == 1 {
                all[bits][kept] = place as u8;
                kept += 1;
            }
            place += 1;
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
            let expected: Vec<u32> = (0..mask.len()).filter(|&place| mask[place] == 1).map(|place| (start + place) as u32).collect();
            proptest::prop_assert_eq!((count(&mask), &rows), (expected.len(), &expected));
        }
    }
}
