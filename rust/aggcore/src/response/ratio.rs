//! Where integers become ratios: one division, at the very end.

/// `numerator / denominator`, `None` where the denominator is 0.
///
/// Both are exact as `f64` below 2^53, so that the quotient is the correctly rounded one.
pub fn ratio(numerator: i64, denominator: i64) -> Option<f64> {
    // Divided in any case: of sparse bins a branch would be guessed wrong half the time.
    (denominator != 0).then_some(numerator as f64 / denominator as f64)
}

/// Seconds per answered call: duration_ms / (1000 * answered). Average length of conversation in ITU-T E.437.
pub fn seconds_per_call(duration_ms: i64, answered: i64) -> Option<f64> {
    ratio(duration_ms, answered.saturating_mul(1_000))
}

/// Percent of calls that were answered: 100 * answered / total. ASR of ITU-T E.411 and E.425.
pub fn answer_seizure_percent(answered: i64, total: i64) -> Option<f64> {
    ratio(answered.saturating_mul(100), total)
}

/// Calls per second over `covered_us` microseconds.
pub fn calls_per_second(total: i64, covered_us: i64) -> Option<f64> {
    ratio(total.saturating_mul(1_000_000), covered_us)
}

/// A sum of quotients, rounded once: each quotient and the running sum keep their rounding errors.
///
/// Source: the error-free transformations of Dekker (1971) and Knuth (TAOCP 2, 4.2.2).
#[derive(Default)]
pub struct QuotientSum {
    high: f64,
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
        let remainder = (-quotient).mul_add(denominator, numerator);
        self.add_term(quotient);
        self.low += remainder / denominator;
    }

    /// The sum.
    pub fn value(&self) -> f64 {
        self.high + self.low
    }

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
    fn a_ratio_without_denominator_has_no_value() {
        assert_eq!(ratio(0, 0), None);
        assert_eq!(seconds_per_call(0, 0), None);
    }

    #[test]
    fn thirds_add_up() {
        let mut sum = QuotientSum::default();
        (0..3_000_000).for_each(|_| sum.add(1, 3));
        assert_eq!(sum.value(), 1_000_000.0);
    }
}
