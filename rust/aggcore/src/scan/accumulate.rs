//! What is summed over records, and how each of them adds to its cell.

use super::dense_ids::GroupCode;
use crate::columns::call_duration::CallDurations;
use crate::columns::integer::IntValues;
use crate::columns::slice::{RecordSlice, contiguous_range};
use crate::columns::sums::{PackedSums, Sums, add, packed_call, unpacked_calls};
use crate::error::Result;
use crate::record::schema::{ABSENT, int_slot};

/// What is summed per cell; a cell has three sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// (records, 0, 0).
    Sessions,
    /// (calls, answered calls, milliseconds from answer to end).
    Calls,
    /// (sessions, milliseconds since answer, 0): per session max(0, as of - answer) floored.
    Elapsed {
        /// The instant, microseconds UTC.
        as_of_us: i64,
    },
}

/// Milliseconds that may be packed.
const PACKED_MS_BOUND: i64 = 1 << 31;

/// The sums of one slice's rows by cell.
pub struct SliceAccumulator<'a> {
    row_values: RowValues<'a>,
    packed: Vec<PackedSums>,
    /// Milliseconds of the rows at hand.
    ms: Vec<u32>,
    /// In place of these where some value is too large.
    wide: Vec<Sums>,
}

enum RowValues<'a> {
    /// What rows stand for.
    RollupSums(&'a [PackedSums]),
    Sessions,
    Calls(&'a [i32]),
    Elapsed {
        answer_us: &'a [i64],
        as_of_us: i64,
    },
    Wide {
        slice: &'a RecordSlice<'a>,
        measure: Measure,
    },
}

impl<'a> SliceAccumulator<'a> {
    /// No sums yet.
    pub fn new(slice: &'a RecordSlice<'a>, measure: Measure) -> Self {
        let row_values = match (measure, slice.durations, slice.fields.ints[int_slot::ANSWER_TIME]) {
            _ if slice.rollup_sums.is_some() => RowValues::RollupSums(slice.rollup_sums.unwrap_or_default()),
            (Measure::Sessions, ..) => RowValues::Sessions,
            (Measure::Calls, CallDurations::Milliseconds(ms), _) => RowValues::Calls(ms),
            (Measure::Elapsed { as_of_us }, _, IntValues::I64(answer_us)) if elapsed_fits_packed(slice, as_of_us) => {
                RowValues::Elapsed { answer_us, as_of_us }
            }
            _ => RowValues::Wide { slice, measure },
        };
        Self { row_values, packed: Vec::new(), ms: Vec::new(), wide: Vec::new() }
    }

    /// Adds rows to their cells, all below `cell_count`.
    ///
    /// # Errors
    /// `SumOverflow`.
    pub fn add<P: GroupCode>(&mut self, cell_count: usize, cells: &[P], rows: &[u32]) -> Result<()> {
        if let RowValues::Wide { slice, measure } = self.row_values {
            self.wide.resize(cell_count, [0; 3]);
            let mut rows = cells.iter().map(|cell| cell.wide() as usize).zip(rows);
            return rows.try_for_each(|(cell, &row)| add(&mut self.wide[cell], row_sums(measure, slice, row as usize)));
        }
        self.packed.resize(cell_count, [0; 2]);
        match self.row_values {
            RowValues::RollupSums(rollup_sums) => add_each(&mut self.packed, cells, rows, rollup_sums, |sums| sums),
            RowValues::Calls(ms) => add_each(&mut self.packed, cells, rows, ms, packed_call),
            RowValues::Elapsed { answer_us, as_of_us } => {
                map_rows(rows, answer_us, |us| packed_elapsed_ms(us, as_of_us), &mut self.ms);
                add_words(&mut self.packed, cells, self.ms.iter().map(|&ms| [1, ms.into()]));
            }
            RowValues::Sessions | RowValues::Wide { .. } => add_words(&mut self.packed, cells, rows.iter().map(|_| [1, 0])),
        }
        Ok(())
    }

    /// The sums by cell.
    pub fn finish(self) -> Vec<Sums> {
        let sums = |packed: PackedSums| match self.row_values {
            RowValues::Elapsed { .. } => [packed[0] as i64, packed[1] as i64, 0],
            RowValues::Sessions | RowValues::RollupSums(_) | RowValues::Calls(_) | RowValues::Wide { .. } => {
                unpacked_calls(packed)
            }
        };
        if self.packed.is_empty() { self.wide } else { self.packed.into_iter().map(sums).collect() }
    }
}

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

#[inline]
fn add_words<P: GroupCode>(sums: &mut [PackedSums], cells: &[P], words: impl Iterator<Item = PackedSums>) {
    cells.iter().zip(words).for_each(|(cell, [counts, ms])| {
        let sums = &mut sums[cell.wide() as usize];
        *sums = [sums[0] + counts, sums[1] + ms];
    });
}

/// Puts what is worked out of the rows' values; of rows that follow each other many at a time.
#[inline]
fn map_rows<T: Copy>(rows: &[u32], values: &[T], value: impl Fn(T) -> u32, out: &mut Vec<u32>) {
    out.clear();
    match contiguous_range(rows) {
        Some(range) => out.extend(values[range].iter().map(|&value_of_row| value(value_of_row))),
        None => out.extend(rows.iter().map(|&row| value(values[row as usize]))),
    }
}

/// Whether the time since any answer may be packed; no call was answered before it was set up.
fn elapsed_fits_packed(slice: &RecordSlice<'_>, as_of_us: i64) -> bool {
    as_of_us >= 0 && as_of_us.checked_sub(slice.setup_range.0).is_some_and(|us| us / 1_000 < PACKED_MS_BOUND)
}

/// What one row adds.
pub fn row_sums(measure: Measure, slice: &RecordSlice<'_>, row: usize) -> Sums {
    let sums = slice.rollup_sums.map(|rollup_sums| unpacked_calls(rollup_sums[row]));
    match measure {
        Measure::Sessions | Measure::Calls if sums.is_some() => sums.unwrap_or_default(),
        Measure::Sessions => [1, 0, 0],
        Measure::Calls => {
            let (answered, ms) = slice.durations.get(row);
            [1, i64::from(answered), ms]
        }
        Measure::Elapsed { as_of_us } => [1, elapsed_ms(slice.fields.ints[int_slot::ANSWER_TIME].get(row), as_of_us), 0],
    }
}

/// Milliseconds since an answer, 0 where it is absent or to come.
fn elapsed_ms(answer_us: i64, as_of_us: i64) -> i64 {
    if answer_us == ABSENT { 0 } else { as_of_us.saturating_sub(answer_us).max(0) / 1_000 }
}

/// The same after 1970, and no more than [`PACKED_MS_BOUND`]. As an absent answer is the least of all integers, the time since
/// then wraps to less than 0, so that there is no branch that may go either way. And as the division is one of 32 bits,
/// many are worked out at a time: 2^20 is 1,048 thousands and 576.
#[inline]
fn packed_elapsed_ms(answer_us: i64, as_of_us: i64) -> u32 {
    let us = as_of_us.wrapping_sub(answer_us).max(0) as u64;
    let (upper, lower) = ((us >> 20) as u32, us as u32 & 0xf_ffff);
    upper * 1_048 + (upper * 576 + lower) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_since_an_answer_is_the_same_without_a_branch() {
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
