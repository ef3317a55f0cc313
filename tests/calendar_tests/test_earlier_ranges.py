"""The earlier range of a comparison, and which of its bins belong to those of an answer."""

import pytest
from pegcount import calendar
from pegcount.model import Granularity
from pegcount.traffic import Comparison, Earlier, TrafficQuery
from zone_times import get_zone, instant_of, printed

NOW = "2026-07-01T12:34:56.789Z"


def earlier(
    zone_name: str,
    compare: Comparison,
    from_text: str,
    to_text: str | None,
    granularity: Granularity | None = None,
    now: str = NOW,
) -> Earlier:
    zone = get_zone(zone_name)
    to_us = None if to_text is None else instant_of(to_text, zone)
    asked = TrafficQuery(
        instant_of(from_text, zone), to_us, granularity, zone, (), (), (), (), None, None, compare=compare
    )
    now_us = instant_of(now, zone)
    bins = calendar.traffic_bins(asked, now_us, 1_000)
    return calendar.earlier_range(asked, bins, now_us, 1_000)


def ends(zone_name: str, found: Earlier) -> tuple[str, str]:
    zone = get_zone(zone_name)
    return printed(found.bins.from_us, zone)[:16], printed(found.bins.to_us, zone)[:16]


@pytest.mark.parametrize(
    ("zone_name", "compare", "from_text", "to_text", "expected"),
    [
        (
            "UTC",
            "DAY",
            "2026-03-10T10:00:00",
            "2026-03-10T11:00:00",
            ("2026-03-09T10:00", "2026-03-09T11:00"),
        ),
        # The day before has 23 hours, and the same local times.
        ("Europe/Berlin", "DAY", "2026-03-30", "2026-03-31", ("2026-03-29T00:00", "2026-03-30T00:00")),
        (
            "Europe/Berlin",
            "WEEK",
            "2026-03-30T09:00:00",
            "2026-04-02",
            ("2026-03-23T09:00", "2026-03-26T00:00"),
        ),
        ("UTC", "MONTH", "2026-03-01", "2026-04-01", ("2026-02-01T00:00", "2026-03-01T00:00")),
        # A day that a month lacks is its last day.
        ("UTC", "MONTH", "2026-03-28", "2026-03-31T12:00:00", ("2026-02-28T00:00", "2026-02-28T12:00")),
        ("UTC", "YEAR", "2024-02-29", "2024-03-01", ("2023-02-28T00:00", "2023-03-01T00:00")),
        ("UTC", "MONTH", "2026-01-31", "2026-02-01", ("2025-12-31T00:00", "2026-01-01T00:00")),
        # By whole days, where both ends are local midnights; otherwise by the length.
        (
            *("Europe/Berlin", "PREVIOUS_RANGE", "2026-03-29", "2026-03-31"),
            ("2026-03-27T00:00", "2026-03-29T00:00"),
        ),
        (
            *("Europe/Berlin", "PREVIOUS_RANGE", "2026-03-29T12:00:00", "2026-03-30T12:00:00"),
            ("2026-03-28T11:00", "2026-03-29T12:00"),
        ),
        # A time that the clock skipped on the day before moves forward by the gap.
        (
            *("Europe/Berlin", "DAY", "2026-03-30T02:30:00", "2026-03-30T04:00:00"),
            ("2026-03-29T03:30", "2026-03-29T04:00"),
        ),
        # The day on which the clock skips midnight begins at one.
        ("Asia/Beirut", "DAY", "2026-03-30", "2026-03-31", ("2026-03-29T01:00", "2026-03-30T00:00")),
        ("Asia/Beirut", "DAY", "2026-03-29", "2026-03-30", ("2026-03-28T00:00", "2026-03-29T01:00")),
    ],
)
def test_the_range_moves_by_the_calendar(
    zone_name: str, compare: str, from_text: str, to_text: str, expected: tuple[str, str]
) -> None:
    found = earlier(zone_name, Comparison[compare], from_text, to_text)
    assert ends(zone_name, found) == expected
    assert found.pair.tolist() == [0]


@pytest.mark.parametrize("to_text", [None, "2026-07-02", "2026-08-01"])
def test_what_has_not_ended_is_compared_up_to_the_same_time(to_text: str | None) -> None:
    found = earlier("UTC", Comparison.DAY, "2026-07-01", to_text, Granularity.HOUR)
    assert ends("UTC", found) == ("2026-06-30T00:00", "2026-06-30T12:34")
    assert found.pair.tolist() == list(range(13))


def test_today_is_compared_with_yesterday_up_to_the_same_time() -> None:
    found = earlier("UTC", Comparison.PREVIOUS_RANGE, "2026-07-01", "2026-07-02")
    assert ends("UTC", found) == ("2026-06-30T00:00", "2026-06-30T12:34")
    # Without an end, the range is as long as it has become.
    found = earlier("UTC", Comparison.PREVIOUS_RANGE, "2026-07-01", None)
    assert ends("UTC", found) == ("2026-06-30T11:25", "2026-07-01T00:00")


def test_a_range_that_becomes_empty_has_no_bins() -> None:
    found = earlier("UTC", Comparison.MONTH, "2026-03-29", "2026-03-31", Granularity.DAY)
    assert found.bins.is_empty
    assert found.pair.tolist() == [-1, -1]
    assert ends("UTC", found) == ("2026-02-28T00:00", "2026-02-28T00:00")


def test_a_range_in_the_future_has_no_pairs() -> None:
    found = earlier("UTC", Comparison.DAY, "2026-08-01", "2026-08-02", Granularity.HOUR)
    assert found.pair.tolist() == []


def test_a_range_from_the_future_to_now_has_no_earlier_one() -> None:
    found = earlier("UTC", Comparison.PREVIOUS_RANGE, "2026-08-01", None, Granularity.HOUR)
    assert found.bins.is_empty
    assert ends("UTC", found) == ("2026-08-01T00:00", "2026-08-01T00:00")


def hours_of(found: Earlier, zone_name: str) -> list[str]:
    zone = get_zone(zone_name)
    starts = found.bins.calendar_us[:-1].tolist()
    return ["-" if n < 0 else printed(starts[n], zone)[11:] for n in found.pair.tolist()]


def test_hours_of_a_day_on_which_the_clock_is_set() -> None:
    """The second of two hours belongs to the second of two, and a skipped one to none."""
    berlin, hour = "Europe/Berlin", Granularity.HOUR
    back = earlier(berlin, Comparison.DAY, "2026-10-25", "2026-10-25T05:00:00", hour, "2027-01-01")
    assert hours_of(back, berlin) == [
        *("00:00:00+02:00", "01:00:00+02:00", "02:00:00+02:00", "-", "03:00:00+02:00", "04:00:00+02:00")
    ]
    after = earlier(berlin, Comparison.DAY, "2026-10-26", "2026-10-26T05:00:00", hour, "2027-01-01")
    assert hours_of(after, berlin) == [
        *("00:00:00+02:00", "01:00:00+02:00", "02:00:00+02:00", "03:00:00+01:00", "04:00:00+01:00")
    ]
    forward = earlier(berlin, Comparison.DAY, "2026-03-30", "2026-03-30T05:00:00", hour)
    assert hours_of(forward, berlin) == [
        "00:00:00+01:00",
        "01:00:00+01:00",
        "-",
        "03:00:00+02:00",
        "04:00:00+02:00",
    ]
    # A year before, the clock was set back a day later in the year.
    twice = earlier(berlin, Comparison.YEAR, "2026-10-25T02:00:00", "2026-10-25T04:00:00", hour, "2027-01-01")
    assert hours_of(twice, berlin) == ["02:00:00+02:00", "-", "03:00:00+02:00"]


def test_the_second_of_two_hours_belongs_to_the_second() -> None:
    """In Iran, the clock was set back at the end of the 21st of September in two years."""
    zone = "Asia/Tehran"
    found = earlier(zone, Comparison.YEAR, "2019-09-21T22:00:00", "2019-09-22T01:00:00", Granularity.HOUR)
    assert hours_of(found, zone) == [
        *("22:00:00+04:30", "23:00:00+04:30", "23:00:00+03:30", "00:00:00+03:30")
    ]
    second = earlier(zone, Comparison.YEAR, "2019-09-21T23:00:00+03:30", "2019-09-22T00:00:00")
    assert (second.bins.to_us - second.bins.from_us, ends(zone, second)[0]) == (
        3_600_000_000,
        "2018-09-21T23:00",
    )


def test_days_have_their_dates_where_midnight_is_skipped() -> None:
    found = earlier("Asia/Beirut", Comparison.DAY, "2026-03-28", "2026-04-01", Granularity.DAY)
    assert found.pair.tolist() == [0, 1, 2, 3]


def test_days_that_a_month_lacks_belong_to_its_last_day() -> None:
    found = earlier("UTC", Comparison.MONTH, "2026-03-27", "2026-04-02", Granularity.DAY)
    assert found.pair.tolist() == [0, 1, 1, 1, 1, 2]
    assert len(found.bins.edge_us) == 1 + 3


def test_weeks_belong_to_weeks_only() -> None:
    week = Granularity.WEEK
    assert earlier("UTC", Comparison.WEEK, "2026-03-02", "2026-03-16", week).pair.tolist() == [0, 1]
    assert earlier("UTC", Comparison.PREVIOUS_RANGE, "2026-03-02", "2026-03-16", week).pair.tolist() == [0, 1]
    assert earlier("UTC", Comparison.DAY, "2026-03-02", "2026-03-16", week).pair.tolist() == [-1, -1]


def test_clipped_bins_belong_to_clipped_ones() -> None:
    """Both ranges begin and end within a bin, and 31 minutes are not a number of whole bins."""
    found = earlier(
        "UTC",
        Comparison.PREVIOUS_RANGE,
        "2026-03-10T10:03:00",
        "2026-03-10T10:34:00",
        Granularity.FIFTEEN_MINUTES,
    )
    assert ends("UTC", found) == ("2026-03-10T09:32", "2026-03-10T10:03")
    assert found.pair.tolist() == [0, -1, 2]
    month = earlier("UTC", Comparison.MONTH, "2026-03-10", "2026-05-20", Granularity.MONTH)
    assert month.pair.tolist() == [0, 1, 2]


def test_no_earlier_bin_belongs_to_two() -> None:
    """At 02:20 for the second time, both ranges end within a bin, the earlier one within the only 02:00."""
    berlin = "Europe/Berlin"
    now = "2026-10-25T02:20:00+01:00"
    found = earlier(berlin, Comparison.DAY, "2026-10-25T01:00:00", None, Granularity.HOUR, now)
    assert ends(berlin, found) == ("2026-10-24T01:00", "2026-10-24T02:20")
    assert found.pair.tolist() == [0, 1, -1]


def test_hours_before_by_length_keep_their_distance() -> None:
    berlin = "Europe/Berlin"
    found = earlier(
        berlin, Comparison.PREVIOUS_RANGE, "2026-03-29T06:00:00", "2026-03-29T12:00:00", Granularity.HOUR
    )
    assert hours_of(found, berlin) == [
        *("23:00:00+01:00", "00:00:00+01:00", "01:00:00+01:00"),
        *("03:00:00+02:00", "04:00:00+02:00", "05:00:00+02:00"),
    ]
