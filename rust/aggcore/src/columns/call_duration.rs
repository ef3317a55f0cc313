//! Call durations: milliseconds from answer to end.

use super::integer::IntValues;
use crate::record::duration_ms;
use crate::record::schema::ABSENT;

/// The call durations of rows, precomputed or to be computed from the times.
#[derive(Clone, Copy)]
pub enum CallDurations<'a> {
    /// Milliseconds by row, -1 for a call that was not answered.
    Milliseconds(&'a [i32]),
    /// The times to subtract.
    Times {
        /// Answer times, microseconds UTC.
        answer_us: IntValues<'a>,
        /// End times, microseconds UTC.
        end_us: IntValues<'a>,
    },
}

impl CallDurations<'_> {
    /// Returns whether the call of a row was answered, and its duration in milliseconds (0 if unanswered or
    /// active).
    #[inline]
    pub fn get(self, row: usize) -> (bool, i64) {
        match self {
            Self::Milliseconds(ms) => (ms[row] >= 0, i64::from(ms[row].max(0))),
            Self::Times { answer_us, end_us } => {
                let answer_us = answer_us.get(row);
                (answer_us != ABSENT, duration_ms(answer_us, end_us.get(row)))
            }
        }
    }
}
