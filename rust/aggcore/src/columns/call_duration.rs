//! How long calls were talked on.

use super::integer::IntValues;
use crate::record::duration_ms;
use crate::record::schema::ABSENT;

/// From answer to end, by row.
#[derive(Clone, Copy)]
pub enum CallDurations<'a> {
    /// Milliseconds; -1 for a call that was not answered.
    Milliseconds(&'a [i32]),
    /// Both times.
    Times {
        /// Answers, microseconds UTC.
        answer_us: IntValues<'a>,
        /// Ends, microseconds UTC.
        end_us: IntValues<'a>,
    },
}

impl CallDurations<'_> {
    /// Whether a call was answered, and for how many milliseconds.
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
