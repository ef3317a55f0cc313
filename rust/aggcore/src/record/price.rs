//! Money: decimal text to and from `i64` units of 10^-9.
//!
//! The conversion must be exact for 9 decimals over all of `i64` or fail; `rust_decimal` would round longer
//! fractions and accept exponents.

/// Decimal places of a price.
const DECIMALS: usize = 9;

/// Parses a decimal such as `-0.0125` exactly, into units of 10^-9.
///
/// Returns `None` if the text is not `[+-]?digits[.digits]`, has more than 9 decimals besides zeros at the end, or exceeds the range
/// of `i64` without [`ABSENT`](super::schema::ABSENT).
pub fn parse_price(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    // As databases print them: zeros at the end are not decimals.
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > DECIMALS {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let padded: i128 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    let units = whole.checked_mul(1_000_000_000)?.checked_add(padded)?;
    let signed = i64::try_from(if negative { -units } else { units }).ok()?;
    (signed != super::schema::ABSENT).then_some(signed)
}

/// Formats units of 10^-9 in the shortest decimal form.
pub fn format_price(units: impl Into<i128>) -> String {
    let units = units.into();
    let sign = if units < 0 { "-" } else { "" };
    let (whole, fraction) = (units.unsigned_abs() / 1_000_000_000, units.unsigned_abs() % 1_000_000_000);
    let fraction = format!("{fraction:09}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_parse_exactly_or_fail() {
        let cases: [(&str, Option<i64>); 17] = [
            ("0", Some(0)),
            ("1.5", Some(1_500_000_000)),
            ("-0.000000001", Some(-1)),
            ("0.123456780", Some(123_456_780)),
            ("0.12345678900000000000", Some(123_456_789)),
            ("0.1234567891", None),
            ("+2", Some(2_000_000_000)),
            (".5", None),
            ("5.", None),
            ("9223372036.854775807", Some(i64::MAX)),
            ("9223372036.854775808", None),
            ("-9223372036.854775808", None),
            ("", None),
            (".", None),
            ("1e3", None),
            ("--1", None),
            ("١", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_price(text), expected, "{text:?}");
        }
    }

    #[test]
    fn formatted_prices_parse_to_the_same_units() {
        for units in [0, 1, -1, 1_500_000_000, i64::MAX, -i64::MAX] {
            assert_eq!(parse_price(&format_price(units)), Some(units));
        }
        assert_eq!(format_price(i128::MIN), "-170141183460469231731687303715.884105728");
    }
}
