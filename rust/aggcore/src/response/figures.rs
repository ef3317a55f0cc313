//! Which figures an answer shows: a caller may be denied some of them.

/// The figures that an answer has; it leaves out the others, also of agents and totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Answered calls, and their ratio.
    pub answers: bool,
    /// Sums and averages of durations.
    pub durations: bool,
}

impl Figures {
    /// All figures.
    pub const ALL: Self = Self { answers: true, durations: true };
}
