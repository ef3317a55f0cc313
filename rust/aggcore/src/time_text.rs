//! Instants and days as text: RFC 3339 with an offset, and ISO 8601 calendar dates.
//!
//! An instant is microseconds UTC since 1970-01-01. The core knows no time zones: the caller passes the
//! offsets of a zone as a table, [`UtcOffsets`]. Any `i64` prints without a panic, though records are of 1970
//! to 2199.

use std::fmt::Write;

use time::Date;

use crate::record::US_PER_DAY;

const US_PER_SECOND: i64 = 1_000_000;
/// Julian day number of 1970-01-01.
const EPOCH_JULIAN_DAY: i64 = 2_440_588;
/// Bytes of `YYYY-MM-DD`.
const DATE_LEN: usize = 10;
/// Bytes of `YYYY-MM-DDTHH:MM:SS.ffffff+HH:MM`.
const RFC3339_LEN: usize = 32;

/// The UTC offsets of a time zone over a range of time.
pub struct UtcOffsets<'a> {
    /// Instants at which the offset changes, ascending microseconds UTC.
    pub change_us: &'a [i64],
    /// Offsets in seconds east of UTC: the one before the first change, then the one after each change.
    pub offset_s: &'a [i32],
}

impl UtcOffsets<'_> {
    /// Returns the offset in force at an instant, in seconds; 0 if the table is empty.
    fn at(&self, us: i64) -> i64 {
        let changes = self.change_us.partition_point(|&change| change <= us);
        self.offset_s.get(changes).copied().map_or(0, i64::from)
    }

    /// Returns an instant in RFC 3339, in the offset in force.
    ///
    /// The fraction is omitted if it is 0, else it has 6 digits. Offset 0 prints as `Z`. RFC 3339 has no
    /// offsets with seconds (Monrovia had one until 1972), so such an instant is printed in UTC.
    ///
    /// If the clock shows an hour twice, the offset tells which of the two it is:
    ///
    /// ```
    /// let change_us = 1_792_890_000_000_000;
    /// let berlin = aggcore::UtcOffsets { change_us: &[change_us], offset_s: &[7_200, 3_600] };
    /// assert_eq!(berlin.rfc3339(change_us - 3_600_000_000), "2026-10-25T02:00:00+02:00");
    /// assert_eq!(berlin.rfc3339(change_us), "2026-10-25T02:00:00+01:00");
    /// ```
    pub fn rfc3339(&self, us: i64) -> String {
        let offset_s = match self.at(us) {
            offset_s if offset_s % 60 == 0 => offset_s,
            _ => 0,
        };
        let local_us = us.saturating_add(offset_s * US_PER_SECOND);
        let mut text = String::with_capacity(RFC3339_LEN);
        push_date(local_us.div_euclid(US_PER_DAY), &mut text);
        text.push('T');
        push_time_of_day(local_us.rem_euclid(US_PER_DAY), &mut text);
        push_offset(offset_s, &mut text);
        text
    }

    /// Returns the local date of an instant, `YYYY-MM-DD`.
    ///
    /// ```
    /// let samoa = aggcore::UtcOffsets { change_us: &[], offset_s: &[-11 * 3_600] };
    /// assert_eq!(samoa.local_date(0), "1969-12-31");
    /// ```
    pub fn local_date(&self, us: i64) -> String {
        date(us.saturating_add(self.at(us) * US_PER_SECOND).div_euclid(US_PER_DAY))
    }
}

/// Returns the date of a day, counted from 1970-01-01, as `YYYY-MM-DD`.
///
/// A year beyond 9999 has more digits, and one before 0 a minus sign.
pub fn date(days: i64) -> String {
    let mut text = String::with_capacity(DATE_LEN);
    push_date(days, &mut text);
    text
}

fn push_date(days: i64, text: &mut String) {
    let (year, month, day) = calendar_date(days).to_calendar_date();
    if (0..=9_999).contains(&year) {
        push_two_digits(i64::from(year / 100), text);
        push_two_digits(i64::from(year % 100), text);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(text, "{year:04}");
    }
    text.push('-');
    push_two_digits(i64::from(u8::from(month)), text);
    text.push('-');
    push_two_digits(i64::from(day), text);
}

/// Returns the date of a day, counted from 1970-01-01, clamped to the years ±999,999 that `time` represents.
///
/// An `i64` of microseconds reaches the years ±292,277 only.
fn calendar_date(days: i64) -> Date {
    let julian_day = i32::try_from(days.saturating_add(EPOCH_JULIAN_DAY)).ok();
    let date = julian_day.and_then(|julian_day| Date::from_julian_day(julian_day).ok());
    date.unwrap_or(if days < 0 { Date::MIN } else { Date::MAX })
}

/// Appends `HH:MM:SS`, and `.ffffff` unless the fraction is 0.
fn push_time_of_day(of_day_us: i64, text: &mut String) {
    let (second_of_day, fraction_us) = (of_day_us / US_PER_SECOND, of_day_us % US_PER_SECOND);
    push_two_digits(second_of_day / 3_600, text);
    text.push(':');
    push_two_digits(second_of_day / 60 % 60, text);
    text.push(':');
    push_two_digits(second_of_day % 60, text);
    if fraction_us != 0 {
        text.push('.');
        push_two_digits(fraction_us / 10_000, text);
        push_two_digits(fraction_us / 100 % 100, text);
        push_two_digits(fraction_us % 100, text);
    }
}

/// Appends `Z` or `±HH:MM`.
fn push_offset(offset_s: i64, text: &mut String) {
    if offset_s == 0 {
        text.push('Z');
        return;
    }
    text.push(if offset_s < 0 { '-' } else { '+' });
    push_two_digits(offset_s.abs() / 3_600, text);
    text.push(':');
    push_two_digits(offset_s.abs() / 60 % 60, text);
}

/// Appends a number below 100 as two digits.
///
/// A usage report of a year formats up to 105,120 instants. Tried: `write!` with `{:02}`; it takes six times
/// as long.
#[inline]
fn push_two_digits(number: i64, text: &mut String) {
    text.push(char::from(b'0' + (number / 10) as u8));
    text.push(char::from(b'0' + (number % 10) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of a month of the Gregorian calendar.
    fn days_in_month(year: i64, month: usize) -> i64 {
        let is_leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
        let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        lengths[month - 1]
    }

    #[test]
    fn every_day_from_1969_to_2200_has_the_date_of_a_counted_calendar() {
        let mut days = -365;
        for (year, month) in (1969..=2200).flat_map(|year| (1..=12).map(move |month| (year, month))) {
            for day in 1..=days_in_month(year, month) {
                assert_eq!(date(days), format!("{year:04}-{month:02}-{day:02}"));
                days += 1;
            }
        }
        assert_eq!(days, 84_371, "2201-01-01");
    }

    #[test]
    fn dates_beyond_four_digit_years_have_a_sign_or_more_digits() {
        let cases = [
            (2_932_896, "9999-12-31"),
            (2_932_897, "10000-01-01"),
            (-719_528, "0000-01-01"),
            (-719_529, "-001-12-31"),
            (-721_355, "-006-12-31"),
            (i64::MAX.div_euclid(US_PER_DAY), "294247-01-10"),
            (i64::MIN.div_euclid(US_PER_DAY), "-290308-12-21"),
            // Clamped to the years that a date can have.
            (i64::MAX, "999999-12-31"),
            (i64::MIN, "-999999-01-01"),
        ];
        for (days, text) in cases {
            assert_eq!(date(days), text);
        }
        let utc = UtcOffsets { change_us: &[], offset_s: &[0] };
        assert_eq!(utc.rfc3339(i64::MAX), "294247-01-10T04:00:54.775807Z");
        assert_eq!(utc.rfc3339(i64::MIN), "-290308-12-21T19:59:05.224192Z");
    }

    #[test]
    fn instants_print_in_their_offset() {
        let berlin = UtcOffsets { change_us: &[1_774_746_000_000_000], offset_s: &[3_600, 7_200] };
        let monrovia = UtcOffsets { change_us: &[], offset_s: &[-2_670] };
        let cases = [
            (&berlin, 1_774_745_999_999_999, "2026-03-29T01:59:59.999999+01:00"),
            (&berlin, 1_774_746_000_000_000, "2026-03-29T03:00:00+02:00"),
            (&UtcOffsets { change_us: &[], offset_s: &[0] }, -1, "1969-12-31T23:59:59.999999Z"),
            (&UtcOffsets { change_us: &[], offset_s: &[-12_600] }, 951_782_400_000_000, "2000-02-28T20:30:00-03:30"),
            (&monrovia, 0, "1970-01-01T00:00:00Z"),
        ];
        for (offsets, us, text) in cases {
            assert_eq!(offsets.rfc3339(us), text);
        }
        assert_eq!(monrovia.local_date(0), "1969-12-31");
    }
}
