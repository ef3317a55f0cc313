//! Instants as text.

use std::fmt::Write;

/// The UTC offset in force at any instant: a table made by whoever knows the zone.
pub struct UtcOffsets<'a> {
    /// Instants at which the offset changes, ascending microseconds UTC.
    pub change_us: &'a [i64],
    /// UtcOffsets in seconds: before the first change, and after each.
    pub offset_s: &'a [i32],
}

impl UtcOffsets<'_> {
    fn at(&self, us: i64) -> i64 {
        let changes = self.change_us.partition_point(|&change| change <= us);
        self.offset_s.get(changes).copied().map_or(0, i64::from)
    }

    /// RFC 3339 with the offset in force; no fraction where it is 0, else 6 digits. Offset 0 prints `Z`, and so
    /// does an instant whose offset RFC 3339 cannot write (one of seconds), which is given in UTC.
    pub fn rfc3339(&self, us: i64) -> String {
        let offset = match self.at(us) {
            offset if offset % 60 == 0 => offset,
            _ => 0,
        };
        let local = us + offset * 1_000_000;
        let (days, of_day) = (local.div_euclid(86_400_000_000), local.rem_euclid(86_400_000_000));
        let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
        let mut text = date(days);
        // Writing to a String cannot fail.
        let _ = write!(text, "T{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
        if fraction != 0 {
            let _ = write!(text, ".{fraction:06}");
        }
        if offset == 0 {
            text.push('Z');
        } else {
            let sign = if offset < 0 { '-' } else { '+' };
            let _ = write!(text, "{sign}{:02}:{:02}", offset.abs() / 3_600, offset.abs() / 60 % 60);
        }
        text
    }

    /// Local date of an instant, `YYYY-MM-DD`.
    pub fn local_date(&self, us: i64) -> String {
        date((us + self.at(us) * 1_000_000).div_euclid(86_400_000_000))
    }
}

/// A date given in days since 1970-01-01, `YYYY-MM-DD`.
///
/// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub fn date(days: i64) -> String {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
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
            (i64::MAX.div_euclid(86_400_000_000), "294247-01-10"),
            (i64::MIN.div_euclid(86_400_000_000), "-290308-12-21"),
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
