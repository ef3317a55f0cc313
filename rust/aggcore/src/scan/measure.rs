//! The measures of a scan.

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
