//! The `f64` nearest to a ratio of products, whatever their size.

/// Integers up to this are exact as `f64`.
const EXACT_MAX: u64 = 1 << f64::MANTISSA_DIGITS;
/// Binary places of the quotient of two numbers of the same length, before it is rounded: with the place before the point, and
/// one for the remainder, more than the 53 that `f64` keeps and one to round by.
const PLACES: i32 = 55;

/// Returns the `f64` nearest to `multiplier * first / (divisor * second)`, or `None` if the denominator is 0.
pub fn exact_ratio(multiplier: i64, first: i128, divisor: i64, second: i128) -> Option<f64> {
    if second == 0 || divisor == 0 {
        return None;
    }
    if let Some((numerator, denominator)) = exact_product(multiplier, first).zip(exact_product(divisor, second)) {
        // One division is correctly rounded.
        return Some(without_sign_of_zero(numerator / denominator));
    }
    let is_negative = (multiplier < 0) ^ (first < 0) ^ (divisor < 0) ^ (second < 0);
    let numerator = Wide::product(first.unsigned_abs(), multiplier.unsigned_abs());
    let magnitude = numerator.divided_by(Wide::product(second.unsigned_abs(), divisor.unsigned_abs()));
    Some(without_sign_of_zero(if is_negative { -magnitude } else { magnitude }))
}

/// Returns 0.0 for -0.0.
fn without_sign_of_zero(value: f64) -> f64 {
    value + 0.0
}

/// Returns a product that is exact as `f64`.
#[inline]
fn exact_product(factor: i64, other: i128) -> Option<f64> {
    let product = i64::try_from(other).ok()?.checked_mul(factor)?;
    (product.unsigned_abs() <= EXACT_MAX).then_some(product as f64)
}

/// An unsigned integer of 256 bits, upper half first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide(u128, u128);

impl Wide {
    const ZERO: Self = Self(0, 0);

    /// Below 2^192.
    fn product(number: u128, factor: u64) -> Self {
        let [low, high] = [number as u64, (number >> 64) as u64].map(|half| u128::from(half) * u128::from(factor));
        let (lower, carry) = low.overflowing_add(high << 64);
        Self((high >> 64) + u128::from(carry), lower)
    }

    /// Returns the nearest `f64` to the quotient of two products that are not 0, or 0.0 for a numerator of 0.
    fn divided_by(self, divisor: Self) -> f64 {
        if self == Self::ZERO {
            return 0.0;
        }
        let ((mut rest, shift), (divisor, divisor_shift)) = (self.normalized(), divisor.normalized());
        // Long division. The quotient is between 1/2 and 2, and each remainder is below twice the divisor.
        let mut quotient = 0u64;
        for _ in 0..=PLACES {
            quotient <<= 1;
            if rest >= divisor {
                (rest, quotient) = (rest.minus(divisor), quotient | 1);
            }
            rest = rest.shifted(1);
        }
        // Further places matter only as far as there are any.
        let with_rest = quotient << 1 | u64::from(rest != Self::ZERO);
        with_rest as f64 * power_of_two(divisor_shift as i32 - shift as i32 - PLACES - 1)
    }

    /// Returns the number with its highest bit at 254, and the bits that it was moved by.
    fn normalized(self) -> (Self, u32) {
        let zeros = if self.0 == 0 { 128 + self.1.leading_zeros() } else { self.0.leading_zeros() };
        (self.shifted(zeros - 1), zeros - 1)
    }

    fn shifted(self, bits: u32) -> Self {
        match bits {
            0 => self,
            1..128 => Self(self.0 << bits | self.1 >> (128 - bits), self.1 << bits),
            _ => Self(self.1 << (bits - 128), 0),
        }
    }

    fn minus(self, other: Self) -> Self {
        let (lower, borrow) = self.1.overflowing_sub(other.1);
        Self(self.0 - other.0 - u128::from(borrow), lower)
    }
}

/// Returns 2 to a power from -1,022 to 1,023.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + f64::MAX_EXP - 1) as u64) << (f64::MANTISSA_DIGITS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_over_zero_is_none_and_zero_has_no_sign() {
        assert_eq!(exact_ratio(100, 5, 1, 0), None);
        assert_eq!(exact_ratio(1, 0, 1, -3).map(f64::to_bits), Some(0));
        assert_eq!(exact_ratio(1, 0, 1, i128::MIN).map(f64::to_bits), Some(0));
    }

    #[test]
    fn large_operands_are_rounded_once() {
        // 2^53 + 1 is halfway between two doubles, and a trace above it is nearer to the upper one.
        assert_eq!(exact_ratio(1, (1 << 53) + 1, 1, 1), Some(9_007_199_254_740_992.0));
        assert_eq!(exact_ratio(1, ((1 << 53) + 1) * 10 + 1, 1, 10), Some(9_007_199_254_740_994.0));
        assert_eq!(exact_ratio(1, -((1 << 53) + 3), 1, 1), Some(-9_007_199_254_740_996.0));
        // Twice rounded, 10^17 + 8 (10^17 + 16 is the next double) over 1 goes up; over 3 it is what Python's Fraction gives.
        assert_eq!(exact_ratio(1, 100_000_000_000_000_008, 3, 1), Some(33_333_333_333_333_336.0));
        assert_eq!(exact_ratio(i64::MAX, i128::MAX, i64::MAX, i128::MAX), Some(1.0));
        assert_eq!(exact_ratio(i64::MIN, i128::MIN, 1, 1), Some(2f64.powi(190)));
        assert_eq!(exact_ratio(1, 1, i64::MIN, i128::MIN), Some(2f64.powi(-190)));
        assert_eq!(exact_ratio(1, i128::from(u64::MAX), i64::MAX, i128::MAX), Some(2f64.powi(-126)));
    }

    proptest::proptest! {
        #[test]
        fn both_ways_agree_on_operands_that_are_exact(first in -(1i64 << 46)..1 << 46, second in 1i64..1 << 53) {
            let wide = Wide::product(first.unsigned_abs().into(), 100).divided_by(Wide::product(second as u128, 1));
            let expected = (first * 100) as f64 / second as f64;
            proptest::prop_assert_eq!(exact_ratio(100, first.into(), 1, second.into()), Some(expected));
            proptest::prop_assert_eq!(wide, expected.abs());
        }
    }
}
