"""Checks the oracle's calendar against examples worked out by hand."""

from datetime import date
from itertools import pairwise

import pytest
from pegcount.v1 import reports_pb2

from . import calendar
from .samples import US, at

FIVE, HOUR, DAY, WEEK, MONTH = (
    reports_pb2.GRANULARITY_FIVE_MINUTES,
    reports_pb2.GRANULARITY_HOUR,
    reports_pb2.GRANULARITY_DAY,
    reports_pb2.GRANULARITY_WEEK,
    reports_pb2.GRANULARITY_MONTH,
)


def edge_texts(zone: str, granularity: int, from_time: str, to_time: str) -> list[str]:
    from_us, to_us = (calendar.parse_time(text, zone) for text in (from_time, to_time))
    edges = calendar.edges(zone, granularity, from_us, to_us, 1000)
    return [calendar.format_time(zone, edge) for edge in edges]


def widths_s(zone: str, granularity: int, from_time: str, to_time: str) -> list[int]:
    from_us, to_us = (calendar.parse_time(text, zone) for text in (from_time, to_time))
    edges = calendar.edges(zone, granularity, from_us, to_us, 1000)
    return [(end - start) // US for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("zone", "text", "expected"),
    [
        ("UTC", "2026-03-01", "2026-03-01T00:00:00Z"),
        ("UTC", "2026-03-01T10:00:00.5+05:45", "2026-03-01T04:15:00.500000Z"),
        ("UTC", "2026-03-01T10:00:00.000001-00:30", "2026-03-01T10:30:00.000001Z"),
        ("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T03:30:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+01:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:10:00", "2026-10-04T02:40:00+11:00"),
        ("America/Sao_Paulo", "2015-10-18", "2015-10-18T01:00:00-02:00"),
        ("America/St_Johns", "2010-11-07", "2010-11-07T00:00:00-02:30"),
        ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-31T12:00:00+14:00"),
        ("Africa/Monrovia", "1971-06-01T00:00:00Z", "1971-06-01T00:00:00Z"),
        ("Africa/Monrovia", "1971-06-01T00:00:00", "1971-06-01T00:44:30Z"),
        ("Africa/Monrovia", "1973-06-01T00:00:00", "1973-06-01T00:00:00Z"),
    ],
)
def test_times_are_parsed_and_formatted(zone: str, text: str, expected: str) -> None:
    assert calendar.format_time(zone, calendar.parse_time(text, zone)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-3-01", "2026-02-30", "20260301", "2026-03-01T10:00", "2026-03-01 10:00:00"),
        *("2026-03-01T24:00:00", "2026-03-01T10:00:60", "2026-03-01T10:00:00.", "2026-03-01t10:00:00"),
        *("2026-03-01T10:00:00.1234567", "2026-03-01T10:00:00z", "2026-03-01T10:00:00+0100"),
        *("2026-03-01T10:00:00+24:00", " 2026-03-01", "2026-03-01\n", "2026-03-01Z", "٢٠٢٦-03-01"),
    ],
)
def test_malformed_times_are_refused(text: str) -> None:
    with pytest.raises(calendar.Refused, match=r"^MALFORMED_TIME$"):
        calendar.parse_time(text, "UTC")


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("1969-12-30T23:59:59.999999Z", "UTC"),
        ("1969-12-31", "Asia/Kathmandu"),
        ("1969-12-31T23:00:00+23:59", "UTC"),
        ("2200-01-02T00:00:00.000001Z", "UTC"),
        ("2200-01-02", "America/New_York"),
        ("2200-01-01T20:00:00-12:00", "UTC"),
        ("0001-01-01T00:00:00+23:59", "UTC"),
        ("9999-12-31T23:59:59", "America/New_York"),
    ],
)
def test_instants_beyond_the_days_around_1970_to_2199_are_refused(text: str, zone: str) -> None:
    with pytest.raises(calendar.Refused, match=r"^TIME_OUT_OF_RANGE$"):
        calendar.parse_time(text, zone)


def test_first_and_last_instant_of_requests() -> None:
    assert calendar.parse_time("1969-12-31", "UTC") == -calendar.DAY_S * US
    assert calendar.parse_time("1969-12-30T23:00:00", "America/New_York") > -calendar.DAY_S * US
    assert calendar.parse_time("2200-01-02", "UTC") == 84_007 * calendar.DAY_S * US
    assert calendar.parse_time("2200-01-02T05:45:00", "Asia/Kathmandu") == 84_007 * calendar.DAY_S * US
    for text in ("1969-12-30", "2200-01-03", "22000103", "99991231"):
        with pytest.raises(calendar.Refused, match=r"^TIME_OUT_OF_RANGE$"):
            calendar.parse_date(text)
    assert [calendar.parse_date(text).year for text in ("19691231", "2200-01-02")] == [1969, 2200]


@pytest.mark.parametrize(
    ("granularity", "day", "count"),
    [
        (FIVE, "2026-03-29", 276),
        (HOUR, "2026-03-29", 23),
        (FIVE, "2026-10-25", 300),
        (HOUR, "2026-10-25", 25),
    ],
)
def test_bins_of_days_of_23_and_25_hours(granularity: int, day: str, count: int) -> None:
    following = date.fromordinal(date.fromisoformat(day).toordinal() + 1).isoformat()
    assert len(widths_s("Europe/Berlin", granularity, day, following)) == count


def test_offsets_distinguish_the_repeated_hour() -> None:
    texts = edge_texts("Europe/Berlin", HOUR, "2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00")
    assert texts[:2] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]


@pytest.mark.parametrize(
    ("zone", "from_time", "to_time", "minutes"),
    [
        ("Australia/Lord_Howe", "2026-10-04T01:00:00", "2026-10-04T04:00:00", [60, 30, 60]),
        ("Australia/Lord_Howe", "2026-04-05T00:00:00", "2026-04-05T02:00:00", [60, 60, 30]),
        ("Australia/Lord_Howe", "2026-04-05T01:00:00", "2026-04-05T03:00:00", [60, 30, 60]),
        ("America/St_Johns", "2010-11-07", "2010-11-07T01:00:00", [1, 59, 60]),
    ],
)
def test_hour_bins_around_a_change(zone: str, from_time: str, to_time: str, minutes: list[int]) -> None:
    assert [width // 60 for width in widths_s(zone, HOUR, from_time, to_time)] == minutes


def test_hour_bins_of_kathmandu_start_a_quarter_past_in_utc() -> None:
    edges = calendar.edges("Asia/Kathmandu", HOUR, at("2026-01-01T00:20:00Z"), at("2026-01-01T03:00:00Z"), 9)
    assert [calendar.format_time("UTC", edge)[11:16] for edge in edges] == [
        *("00:15", "01:15", "02:15", "03:15")
    ]


def test_day_that_begins_at_one_in_the_morning() -> None:
    assert edge_texts("America/Sao_Paulo", DAY, "2015-10-17", "2015-10-19") == [
        "2015-10-17T00:00:00-03:00",
        "2015-10-18T01:00:00-02:00",
        "2015-10-19T00:00:00-02:00",
    ]


def test_missing_date_has_no_bin() -> None:
    assert [text[:10] for text in edge_texts("Pacific/Apia", DAY, "2011-12-28", "2012-01-01")] == [
        *("2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01")
    ]
    first = calendar.parse_time("2011-12-31", "Pacific/Apia")
    assert calendar.date_of("Pacific/Apia", first) == date(2011, 12, 31)
    assert calendar.date_of("Pacific/Apia", first - 1) == date(2011, 12, 29)
    assert calendar.day_edges_before("Pacific/Apia", first, 1) == [
        calendar.parse_time("2011-12-29", "Pacific/Apia")
    ]


def test_day_includes_the_minutes_that_repeat_the_previous_day() -> None:
    zone = "America/St_Johns"
    assert widths_s(zone, DAY, "2010-11-07", "2010-11-08") == [25 * 3600]
    repeated = calendar.parse_time("2010-11-06T23:30:00-03:30", zone)
    assert calendar.date_of(zone, repeated) == date(2010, 11, 7)
    assert calendar.date_of(zone, calendar.parse_time("2010-11-06T23:30:00-02:30", zone)) == date(2010, 11, 6)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert edge_texts("UTC", WEEK, "2026-01-01", "2026-01-06") == [
        *("2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z")
    ]
    assert edge_texts("Europe/Berlin", MONTH, "2026-03-31", "2026-04-01") == [
        *("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00")
    ]
