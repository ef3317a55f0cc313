//! The accumulation of rows into the sums of their cells.
//!
//! [`SliceAccumulator`] sums one slice. Where the values allow it, the three sums of a cell are two 64-bit
//! words ([`PackedSums`]), so that a row costs two additions without an overflow check: a slice stands for
//! fewer than 2^31 records of less than 2^31 ms each. Values beyond that are added to checked 64-bit sums.

use super::dense_ids::GroupCode;
use super::group_scanner::Accumulate;
use super::row_values::{CallValues, RowValues};
use super::sums::{PackedSums, Sums, add, call_count_only, packed_call, unpacked_sums};
use crate::columns::slice::contiguous_range;
use crate::error::Result;

/// Sums of the rows of one slice, by cell.
pub struct SliceAccumulator<'a> {
    values: RowValues<'a>,
    /// Sums by cell, unless the values are [`RowValues::Wide`].
    packed: Vec<PackedSums>,
    /// Milliseconds of the rows of one chunk, computed before they are added so that the computation
    /// vectorizes.
    ms: Vec<u32>,
    /// Sums by cell of [`RowValues::Wide`].
    wide: Vec<Sums>,
}

impl<'a> SliceAccumulator<'a> {
    /// An accumulator without cells.
    pub fn new(values: RowValues<'a>) -> Self {
        Self { values, packed: Vec::new(), ms: Vec::new(), wide: Vec::new() }
    }
}

impl Accumulate for SliceAccumulator<'_> {
    type Cells = Vec<Sums>;

    // Inlined into the loop over chunks, it has fewer registers: two instructions more per row, of 42.
    #[inline(never)]
    fn add<P: GroupCode>(&mut self, cell_count: usize, cells: &[P], rows: &[u32]) -> Result<()> {
        match self.values {
            RowValues::Calls(values) => {
                self.packed.resize(cell_count, [0; 2]);
                match values {
                    CallValues::Counted => add_words(&mut self.packed, cells, rows.iter().map(|_| [1, 0])),
                    CallValues::Milliseconds(ms) => add_each(&mut self.packed, cells, rows, ms, packed_call),
                    CallValues::RollupCounted(sums) => add_each(&mut self.packed, cells, rows, sums, call_count_only),
                    CallValues::Rollup(sums) => add_each(&mut self.packed, cells, rows, sums, |sums| sums),
                }
            }
            RowValues::Elapsed { answer_us, as_of_us } => {
                self.packed.resize(cell_count, [0; 2]);
                map_rows(rows, answer_us, |us| packed_elapsed_ms(us, as_of_us), &mut self.ms);
                add_words(&mut self.packed, cells, self.ms.iter().map(|&ms| [1, ms.into()]));
            }
            RowValues::Wide { .. } => {
                self.wide.resize(cell_count, [0; 3]);
                let mut rows = cells.iter().map(|cell| cell.wide() as usize).zip(rows);
                return rows.try_for_each(|(cell, &row)| add(&mut self.wide[cell], self.values.of_row(row as usize)));
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.packed.capacity() * size_of::<PackedSums>() + self.wide.capacity() * size_of::<Sums>()
    }

    fn finish(self) -> Vec<Sums> {
        let sums = |packed: PackedSums| match self.values {
            RowValues::Elapsed { .. } => [packed[0] as i64, packed[1] as i64, 0],
            RowValues::Calls(_) | RowValues::Wide { .. } => unpacked_sums(packed),
        };
        if self.packed.is_empty() { self.wide } else { self.packed.into_iter().map(sums).collect() }
    }
}

/// Adds the value of each row to its cell. Contiguous rows are read as a slice, without an index per row.
#[inline]
fn add_each<T: Copy, P: GroupCode>(
    sums: &mut [PackedSums], cells: &[P], rows: &[u32], values: &[T], value: impl Fn(T) -> PackedSums,
) {
    if let Some(range) = contiguous_range(rows) {
        add_words(sums, cells, values[range].iter().map(|&value_of_row| value(value_of_row)));
    } else {
        add_words(sums, cells, rows.iter().map(|&row| value(values[row as usize])));
    }
}

/// Adds packed sums to cells, one for one.
#[inline]
fn add_words<P: GroupCode>(sums: &mut [PackedSums], cells: &[P], words: impl Iterator<Item = PackedSums>) {
    cells.iter().zip(words).for_each(|(cell, [counts, ms])| {
        let sums = &mut sums[cell.wide() as usize];
        *sums = [sums[0] + counts, sums[1] + ms];
    });
}

/// Overwrites `out` with a function of the value of each row. For contiguous rows the loop vectorizes.
#[inline]
fn map_rows<T: Copy>(rows: &[u32], values: &[T], value: impl Fn(T) -> u32, out: &mut Vec<u32>) {
    out.clear();
    match contiguous_range(rows) {
        Some(range) => out.extend(values[range].iter().map(|&value_of_row| value(value_of_row))),
        None => out.extend(rows.iter().map(|&row| value(values[row as usize]))),
    }
}

/// [`elapsed_ms`](super::row_values::elapsed_ms) without a branch and with a 32-bit division, so that the loop over rows vectorizes.
/// Requires `as_of_us >= 0` and a result below [`PACKED_MS_BOUND`](super::row_values::PACKED_MS_BOUND).
///
/// - An absent answer is `i64::MIN`: subtracting it from a non-negative instant wraps to a negative number,
///   which `max` clamps to 0. A branch on it would be unpredictable (a quarter of the time of the
///   active-sessions report).
/// - The microseconds are split at 2^20 = 1,048 · 1,000 + 576. With `us = upper · 2^20 + lower`, the
///   milliseconds are `upper · 1,048 + (upper · 576 + lower) / 1,000`, and both terms fit 32 bits.
#[inline]
fn packed_elapsed_ms(answer_us: i64, as_of_us: i64) -> u32 {
    let us = as_of_us.wrapping_sub(answer_us).max(0) as u64;
    let (upper, lower) = ((us >> 20) as u32, us as u32 & 0xf_ffff);
    upper * 1_048 + (upper * 576 + lower) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::ABSENT;
    use crate::scan::row_values::{PACKED_MS_BOUND, elapsed_ms};

    #[test]
    fn packed_elapsed_time_equals_the_plain_one() {
        let longest_us = PACKED_MS_BOUND * 1_000 - 1;
        for as_of_us in [0, 1, 999, 1_000, longest_us, 1_774_746_000_123_456] {
            let spans = [0, 1, 999, 1_000, 1_001, (1 << 20) - 1, 1 << 20, (1 << 32) - 1, 1 << 32, 999_999_999_999, longest_us];
            let answers = spans.iter().map(|us| as_of_us - us).filter(|us| *us >= 0);
            for answer_us in answers.chain([ABSENT, as_of_us + 1, i64::MAX]) {
                assert_eq!(i64::from(packed_elapsed_ms(answer_us, as_of_us)), elapsed_ms(answer_us, as_of_us), "{answer_us}");
            }
        }
        assert_eq!([ABSENT, 5_000, 4_999].map(|answer_us| elapsed_ms(answer_us, 6_000)), [0, 1, 1]);
    }
}
