//! The values that the rows of a slice add to the sums of their cells.

use super::measure::Measure;
use super::sums::{PackedSums, Sums, call_count_only, packed_call, unpacked_sums};
use crate::columns::call_duration::CallDurations;
use crate::columns::integer::IntValues;
use crate::columns::slice::RecordSlice;
use crate::record::schema::{ABSENT, int_slot};

/// Bound (exclusive) of the milliseconds of a row that can be added to a packed sum.
pub const PACKED_MS_BOUND: i64 = 1 << 31;

/// The columns that the values of a row come from.
#[derive(Clone, Copy)]
pub enum RowValues<'a> {
    /// Values that have packed sums.
    Calls(CallValues<'a>),
    /// Milliseconds from answer to `as_of_us`, of which all are below [`PACKED_MS_BOUND`].
    Elapsed { answer_us: &'a [i64], as_of_us: i64 },
    /// Values that may be too large for packed sums, computed row by row.
    Wide { slice: &'a RecordSlice<'a>, measure: Measure },
}

/// Calls and their durations: of one call per row, or of many.
#[derive(Clone, Copy)]
pub enum CallValues<'a> {
    /// One record per row, which is only counted.
    Counted,
    /// Durations in milliseconds, -1 if not answered.
    Milliseconds(&'a [i32]),
    /// The calls of a row of a rollup, which are only counted.
    RollupCounted(&'a [PackedSums]),
    /// The sums of a row of a rollup.
    Rollup(&'a [PackedSums]),
}

impl<'a> RowValues<'a> {
    /// What the records of a slice add.
    pub fn of_records(slice: &'a RecordSlice<'a>, measure: Measure) -> Self {
        match (measure, slice.durations, slice.fields.ints[int_slot::ANSWER_TIME]) {
            (Measure::Sessions, ..) => Self::Calls(CallValues::Counted),
            (Measure::Calls, CallDurations::Milliseconds(ms), _) => Self::Calls(CallValues::Milliseconds(ms)),
            (Measure::Elapsed { as_of_us }, _, IntValues::I64(answer_us)) if elapsed_fits_packed(slice, as_of_us) => {
                Self::Elapsed { answer_us, as_of_us }
            }
            _ => Self::Wide { slice, measure },
        }
    }

    /// What the rows of a rollup add, which has the sums of [`Measure::Calls`]: it answers no other measure but
    /// [`Measure::Sessions`].
    pub fn of_rollup(sums: &'a [PackedSums], measure: Measure) -> Self {
        Self::Calls(if measure == Measure::Sessions { CallValues::RollupCounted(sums) } else { CallValues::Rollup(sums) })
    }

    /// What one row adds.
    pub fn of_row(self, row: usize) -> Sums {
        match self {
            Self::Calls(calls) => unpacked_sums(calls.of_row(row)),
            Self::Elapsed { answer_us, as_of_us } => [1, elapsed_ms(answer_us[row], as_of_us), 0],
            Self::Wide { slice, measure } => row_sums(measure, slice, row),
        }
    }
}

impl CallValues<'_> {
    /// What one row adds.
    #[inline]
    pub fn of_row(self, row: usize) -> PackedSums {
        match self {
            Self::Counted => [1, 0],
            Self::Milliseconds(ms) => packed_call(ms[row]),
            Self::RollupCounted(sums) => call_count_only(sums[row]),
            Self::Rollup(sums) => sums[row],
        }
    }
}

/// Whether the time from any answer of a slice to `as_of_us` is below [`PACKED_MS_BOUND`]. The earliest setup
/// time bounds it, because a call is answered after its setup.
fn elapsed_fits_packed(slice: &RecordSlice<'_>, as_of_us: i64) -> bool {
    as_of_us >= 0 && as_of_us.checked_sub(slice.setup_range.0).is_some_and(|us| us / 1_000 < PACKED_MS_BOUND)
}

fn row_sums(measure: Measure, slice: &RecordSlice<'_>, row: usize) -> Sums {
    match measure {
        Measure::Sessions => [1, 0, 0],
        Measure::Calls => {
            let (answered, ms) = slice.durations.get(row);
            [1, i64::from(answered), ms]
        }
        Measure::Elapsed { as_of_us } => [1, elapsed_ms(slice.fields.ints[int_slot::ANSWER_TIME].get(row), as_of_us), 0],
    }
}

/// Milliseconds from an answer to `as_of_us`; 0 if the answer is absent or later.
pub fn elapsed_ms(answer_us: i64, as_of_us: i64) -> i64 {
    if answer_us == ABSENT { 0 } else { as_of_us.saturating_sub(answer_us).max(0) / 1_000 }
}
