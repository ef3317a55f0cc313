//! Instants as text, compared with the calendar of `time`.

use aggcore::UtcOffsets;
use proptest::prelude::*;

use crate::cases::check;

const US_PER_DAY: i64 = 86_400_000_000;
/// Years whose texts have four digits.
const FOUR_DIGITS_US: std::ops::Range<i64> = -719_528 * US_PER_DAY..2_932_897 * US_PER_DAY;

/// Prints an instant, 8 bytes, in an offset of minutes, 2 bytes.
pub fn check_times(bytes: &[u8]) {
    let mut padded = [0; 10];
    padded.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    let (us, minutes) = padded.split_at(8);
    let minutes = i16::from_le_bytes([minutes[0], minutes[1]]) % 1_440;
    check_time(us.try_into().map(i64::from_le_bytes).unwrap(), i32::from(minutes) * 60);
}

fn check_time(us: i64, offset_s: i32) {
    let offsets = UtcOffsets { change_us: &[], offset_s: &[offset_s] };
    let (text, date) = (offsets.rfc3339(us), offsets.local_date(us));
    let local_us = us.saturating_add(i64::from(offset_s) * 1_000_000);
    assert!(text.starts_with(&date) && text.is_ascii(), "{text} {date}");
    if FOUR_DIGITS_US.contains(&local_us) {
        assert_eq!(read(&text), Some(local_us), "{text}");
    }
}

/// The microseconds of a local time that a text of four-digit years shows, counted day by day of its year.
fn read(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let is_leap = |year: i64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let before = year - 1;
    let years_days = if year == 0 { -366 } else { 365 * before + before / 4 - before / 100 + before / 400 };
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months_days: i64 = months.get(..usize::try_from(month - 1).ok()?)?.iter().sum();
    // 0001-01-01 is 719,162 days before 1970.
    let days = years_days + months_days + day - 1 - 719_162;
    let seconds = (number(11, 13)? * 60 + number(14, 16)?) * 60 + number(17, 19)?;
    let fraction = if text.get(19..20) == Some(".") { number(20, 26)? } else { 0 };
    Some(days * US_PER_DAY + seconds * 1_000_000 + fraction)
}

#[test]
fn an_instant_prints_as_the_counted_calendar_has_it() {
    let instants = prop_oneof![any::<i64>(), FOUR_DIGITS_US, -US_PER_DAY..US_PER_DAY];
    check(300, (instants, -1_439..1_440i32), |(us, minutes)| check_time(us, minutes * 60));
}
