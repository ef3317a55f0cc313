//! The measures of a scan.

use super::CALL_COLUMNS;

/// What a scan sums per cell, as three integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// (records, 0, 0).
    Sessions,
    /// (calls, answered calls, milliseconds from answer to end).
    Calls,
    /// (sessions, milliseconds since answer, 0). A session adds floor(max(0, as_of − answer) / 1 ms), or 0 if
    /// it has not been answered.
    Elapsed {
        /// The instant, microseconds UTC.
        as_of_us: i64,
    },
}

/// What a scan sums, of any kind.
pub trait Measured {
    /// Names of the columns that it is read from.
    fn column_names(&self) -> Vec<&'static str>;
}

impl Measured for Measure {
    fn column_names(&self) -> Vec<&'static str> {
        match self {
            Self::Sessions => Vec::new(),
            Self::Calls => CALL_COLUMNS.to_vec(),
            Self::Elapsed { .. } => vec!["answer_time"],
        }
    }
}
