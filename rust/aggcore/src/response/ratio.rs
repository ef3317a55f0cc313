//! Ratios of integer sums, each with one division at the very end.
//!
//! IEEE 754 division is correctly rounded: its result is the `f64` nearest to the exact quotient of its
//! operands. So the result depends only on the sums, not on the order in which rows were added up.

/// Returns the correctly rounded `numerator / denominator`, or `None` if the denominator is 0.
///
/// Integers up to 2^53 are exact as `f64`; a larger one is rounded before the division.
pub fn ratio(numerator: i64, denominator: i64) -> Option<f64> {
    // Divides before the comparison, which then needs no branch: sparse bins would mispredict it half of the
    // time.
    (denominator != 0).then_some(numerator as f64 / denominator as f64)
}

/// Returns the seconds per answered call: duration_ms / (1000 * answered).
///
/// The average call duration (ACD); ITU-T E.437 calls it average length of conversation.
pub fn seconds_per_call(duration_ms: i64, answered: i64) -> Option<f64> {
    ratio(duration_ms, answered.saturating_mul(1_000))
}

/// Returns the answer-seizure ratio (ASR) in percent: 100 * answered / total. ITU-T E.411 and E.425.
pub fn answer_seizure_percent(answered: i64, total: i64) -> Option<f64> {
    ratio(answered.saturating_mul(100), total)
}

/// Returns the calls per second (CPS) over `covered_us` microseconds.
pub fn calls_per_second(total: i64, covered_us: i64) -> Option<f64> {
    ratio(total.saturating_mul(1_000_000), covered_us)
}

/// A compensated sum of quotients: about as accurate as twice the precision of `f64`, rounded once.
///
/// The rounding errors of all steps are added up in a second `f64`. That of an addition comes from Knuth's
/// TwoSum (The Art of Computer Programming 2, 4.2.2) and is exact; that of a division is its remainder, from
/// a fused multiply-add, over the denominator. The algorithm is Sum2 of Ogita, Rump and Oishi, "Accurate Sum
/// and Dot Product", SIAM Journal on Scientific Computing 26(6), 2005.
#[derive(Default)]
pub struct QuotientSum {
    /// The rounded sum.
    high: f64,
    /// The sum of the rounding errors.
    low: f64,
}

impl QuotientSum {
    /// Adds `numerator / denominator`; the denominator is not 0.
    pub fn add(&mut self, numerator: i64, denominator: i64) {
        if numerator == 0 {
            return;
        }
        let (numerator, denominator) = (numerator as f64, denominator as f64);
        let quotient = numerator / denominator;
        // Exact: a fused multiply-add rounds once, and the remainder of a division fits in an f64.
        let remainder = (-quotient).mul_add(denominator, numerator);
        self.add_term(quotient);
        self.low += remainder / denominator;
    }

    /// Returns the sum, rounded to `f64`.
    pub fn value(&self) -> f64 {
        self.high + self.low
    }

    /// TwoSum: adds to `high` and collects the exact rounding error in `low`.
    fn add_term(&mut self, term: f64) {
        let sum = self.high + term;
        let absorbed = sum - self.high;
        self.low += (self.high - (sum - absorbed)) + (term - absorbed);
        self.high = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_over_zero_is_none() {
        assert_eq!(ratio(0, 0), None);
        assert_eq!(seconds_per_call(0, 0), None);
    }

    #[test]
    fn three_million_thirds_add_up_exactly() {
        let mut sum = QuotientSum::default();
        (0..3_000_000).for_each(|_| sum.add(1, 3));
        assert_eq!(sum.value(), 1_000_000.0);
    }
}
