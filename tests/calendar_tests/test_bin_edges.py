"""Bin edges of every granularity, compared with a walk along the local clock."""

import timeit
import zoneinfo
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pegcount import calendar
from pegcount.config import Config
from pegcount.model import Granularity
from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone
from zone_times import day, get_zone, instant_of, printed_starts

MINUTE, FIVE_MINUTES, FIFTEEN_MINUTES, THIRTY_MINUTES, HOUR, DAY, WEEK, MONTH = Granularity
WIDTH_S = {MINUTE: 60, FIVE_MINUTES: 300, FIFTEEN_MINUTES: 900, THIRTY_MINUTES: 1_800, HOUR: 3_600}

NAMES = sorted(zoneinfo.available_timezones())
ZONES_WITH_ODD_CHANGES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "America/Asuncion",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Kwajalein",
)


def lengths_minutes(edges: NDArray[np.int64]) -> list[float]:
    lengths: list[float] = (np.diff(edges) / (60 * US_PER_SECOND)).tolist()
    return lengths


def check(name: str, granularity: Granularity, from_text: str, to_text: str) -> NDArray[np.int64]:
    """Asserts the invariants of edges for a range between two texts, and returns the edges."""
    zone = get_zone(name)
    from_us, to_us = instant_of(from_text, zone), instant_of(to_text, zone)
    return check_instants(zone, granularity, from_us, to_us)


def check_instants(zone: Zone, granularity: Granularity, from_us: int, to_us: int) -> NDArray[np.int64]:
    edges = calendar.edges(zone, granularity, from_us, to_us)
    assert edges.dtype == np.int64
    assert np.all(np.diff(edges) > 0)
    assert edges[0] <= from_us < edges[1]
    assert edges[-2] < to_us <= edges[-1]
    assert calendar.bin_count(zone, granularity, from_us, to_us) == len(edges) - 1
    assert np.array_equal(calendar.edges(zone, granularity, int(edges[0]), int(edges[-1])), edges)
    return edges


# The oracle samples the local clock every half minute. Every offset change and every multiple of a minute
# falls on a sample, since one historic offset (Monrovia's) ends in half a minute.
STEP_S = 30


def clock_edges(name: str, width_s: int, from_us: int, to_us: int) -> list[int]:
    rules = zoneinfo.ZoneInfo(name)

    def clock_cell(instant_s: int) -> tuple[timedelta | None, int]:
        moment = datetime.fromtimestamp(instant_s, rules)
        second = (moment.hour * 60 + moment.minute) * 60 + moment.second
        return moment.utcoffset(), second // width_s

    instant_s = from_us // US_PER_SECOND // STEP_S * STEP_S
    while clock_cell(instant_s) == clock_cell(instant_s - STEP_S):
        instant_s -= STEP_S
    found, current = [instant_s], clock_cell(instant_s)
    while found[-1] * US_PER_SECOND < to_us:
        instant_s += STEP_S
        previous, current = current, clock_cell(instant_s)
        if previous != current:
            found.append(instant_s)
    return [edge_s * US_PER_SECOND for edge_s in found]


@cache
def first_instant_us(name: str, days: int) -> int:
    """Returns the first half minute at which the local date is the given one or later."""
    rules, midnight = zoneinfo.ZoneInfo(name), datetime(1970, 1, 1) + timedelta(days)
    instant_s = days * 86_400 - 16 * 3_600
    while datetime.fromtimestamp(instant_s, rules).replace(tzinfo=None) < midnight:
        instant_s += STEP_S
    return instant_s * US_PER_SECOND


def whole_day_edges(name: str, granularity: Granularity, from_us: int, to_us: int) -> list[int]:
    margin = {DAY: 3, WEEK: 9, MONTH: 33}[granularity]
    days = range(from_us // US_PER_DAY - margin, to_us // US_PER_DAY + margin)
    dates = {n: date(1970, 1, 1) + timedelta(n) for n in days}
    if granularity is WEEK:
        dates = {n: day for n, day in dates.items() if day.isoweekday() == 1}
    if granularity is MONTH:
        dates = {n: day for n, day in dates.items() if day.day == 1}
    found = sorted({first_instant_us(name, n) for n in dates})
    first = max(edge_us for edge_us in found if edge_us <= from_us)
    last = min(edge_us for edge_us in found if edge_us >= to_us)
    return [edge_us for edge_us in found if first <= edge_us <= last]


@st.composite
def ranges(draw: st.DrawFn) -> tuple[str, Granularity, int, int]:
    """Draws a zone and a short range between 1970 and 2100, often around an offset change."""
    name = draw(st.sampled_from(ZONES_WITH_ODD_CHANGES) | st.sampled_from(NAMES))
    granularity = draw(st.sampled_from(Granularity))
    last_us = 130 * 365 * US_PER_DAY
    changes = [change_us for change_us in get_zone(name).change_us.tolist() if 0 <= change_us <= last_us]
    anywhere = st.integers(0, last_us)
    centre_us = draw(st.sampled_from(changes) | anywhere if changes else anywhere)
    unit_us = draw(st.sampled_from((1, US_PER_SECOND, 3_600 * US_PER_SECOND)))
    days = {DAY: 2, WEEK: 20, MONTH: 60}.get(granularity, 1)
    steps = st.integers(0, days * US_PER_DAY // unit_us)
    from_us = centre_us - draw(steps) * unit_us
    return name, granularity, from_us, from_us + (draw(steps) + 1) * unit_us


@settings(deadline=None, max_examples=250)
@given(ranges())
def test_edges_equal_those_of_the_local_clock(case: tuple[str, Granularity, int, int]) -> None:
    name, granularity, from_us, to_us = case
    edges = check_instants(get_zone(name), granularity, from_us, to_us)
    if granularity in WIDTH_S:
        expected = clock_edges(name, WIDTH_S[granularity], from_us, to_us)
    else:
        expected = whole_day_edges(name, granularity, from_us, to_us)
    assert edges.tolist() == expected


@settings(deadline=None, max_examples=50)
@given(ranges(), st.integers(1, US_PER_DAY))
def test_bins_of_adjacent_ranges_join_to_the_bins_of_the_whole(
    case: tuple[str, Granularity, int, int], more_us: int
) -> None:
    name, granularity, from_us, to_us = case
    zone = get_zone(name)
    left = calendar.edges(zone, granularity, from_us, to_us)
    middle_us = int(left[-1])
    right = calendar.edges(zone, granularity, middle_us, middle_us + more_us)
    whole = calendar.edges(zone, granularity, from_us, middle_us + more_us)
    assert np.array_equal(whole, np.append(left[:-1], right))


@pytest.mark.parametrize(
    ("name", "granularity", "from_text", "to_text", "first_start", "minutes"),
    [
        ("UTC", MINUTE, "1970-01-01T00:00:00", "1970-01-01T00:00:00.000001", "1970-01-01T00:00:00Z", "1"),
        ("UTC", MINUTE, "1969-12-31T23:59:59.999999", "1970-01-01", "1969-12-31T23:59:00Z", "1"),
        (
            "UTC",
            HOUR,
            "2026-01-01T00:59:59.999999",
            "2026-01-01T01:00:00.000001",
            "2026-01-01T00:00:00Z",
            "60 60",
        ),
        ("UTC", MONTH, "2024-02-29T12:00:00", "2024-03-01", "2024-02-01T00:00:00Z", "41760"),
        ("UTC", MONTH, "2023-12-31", "2024-01-01T00:00:00.000001", "2023-12-01T00:00:00Z", "44640 44640"),
        ("UTC", DAY, "2100-02-28", "2100-03-02", "2100-02-28T00:00:00Z", "1440 1440"),
        ("UTC", WEEK, "2024-12-31", "2025-01-06", "2024-12-30T00:00:00Z", "10080"),
        ("UTC", WEEK, "1970-01-01", "1970-01-06", "1969-12-29T00:00:00Z", "10080 10080"),
        (
            "Europe/Berlin",
            HOUR,
            "2026-03-29T01:00:00",
            "2026-03-29T03:30:00",
            "2026-03-29T01:00:00+01:00",
            "60 60",
        ),
        ("Europe/Berlin", DAY, "2026-03-28", "2026-03-31", "2026-03-28T00:00:00+01:00", "1440 1380 1440"),
        ("Europe/Berlin", WEEK, "2026-03-29", "2026-03-31", "2026-03-23T00:00:00+01:00", "10020 10080"),
        ("Europe/Berlin", MONTH, "2026-10-25", "2026-10-26", "2026-10-01T00:00:00+02:00", "44700"),
        (
            "Australia/Lord_Howe",
            HOUR,
            "2024-04-07T00:30:00+11:00",
            "2024-04-07T03:00:00",
            "2024-04-07T00:00:00+11:00",
            "60 60 30 60",
        ),
        (
            "Australia/Lord_Howe",
            HOUR,
            "2024-10-06T01:00:00",
            "2024-10-06T04:00:00",
            "2024-10-06T01:00:00+10:30",
            "60 30 60",
        ),
        (
            "America/St_Johns",
            HOUR,
            "2010-11-07",
            "2010-11-07T01:00:00-03:30",
            "2010-11-07T00:00:00-02:30",
            "1 59 60",
        ),
        ("America/St_Johns", HOUR, "2010-11-07", "2010-11-07T00:00:30", "2010-11-07T00:00:00-02:30", "1"),
        (
            "America/St_Johns",
            THIRTY_MINUTES,
            "2010-11-07",
            "2010-11-07T00:30:00-03:30",
            "2010-11-07T00:00:00-02:30",
            "1 29 30 30",
        ),
        ("Asia/Kathmandu", HOUR, "2026-01-01", "2026-01-01T02:00:00", "2026-01-01T00:00:00+05:45", "60 60"),
        (
            "Africa/Monrovia",
            HOUR,
            "1972-01-06T22:00:00",
            "1972-01-07T02:00:00",
            "1972-01-06T22:44:30Z",
            "60 60 15.5 60",
        ),
        (
            "Africa/Monrovia",
            FIFTEEN_MINUTES,
            "1972-01-06T23:45:00",
            "1972-01-07T01:00:00",
            "1972-01-07T00:29:30Z",
            "15 0.5 15",
        ),
        ("America/Sao_Paulo", DAY, "2015-10-17", "2015-10-19", "2015-10-17T00:00:00-03:00", "1440 1380"),
        ("Pacific/Apia", DAY, "2011-12-29", "2012-01-01", "2011-12-29T00:00:00-10:00", "1440 1440"),
        ("Pacific/Apia", WEEK, "2011-12-29", "2011-12-31T12:00:00", "2011-12-26T00:00:00-10:00", "8640"),
        ("Pacific/Apia", MONTH, "2011-12-31", "2012-01-01", "2011-12-01T00:00:00-10:00", "43200"),
        ("Pacific/Kwajalein", DAY, "1993-08-20", "1993-08-23", "1993-08-20T00:00:00-12:00", "1440 1440"),
    ],
)
def test_example_bins(
    name: str, granularity: Granularity, from_text: str, to_text: str, first_start: str, minutes: str
) -> None:
    edges = check(name, granularity, from_text, to_text)
    assert printed_starts(edges, get_zone(name))[0] == first_start
    assert lengths_minutes(edges) == [float(length) for length in minutes.split()]


@pytest.mark.parametrize(
    ("name", "granularity", "from_text", "to_text", "count"),
    [
        ("Europe/Berlin", FIVE_MINUTES, "2026-03-29", "2026-03-30", 276),
        ("Europe/Berlin", HOUR, "2026-03-29", "2026-03-30", 23),
        ("Europe/Berlin", FIVE_MINUTES, "2026-10-25", "2026-10-26", 300),
        ("Europe/Berlin", HOUR, "2026-10-25", "2026-10-26", 25),
        ("Europe/Berlin", FIVE_MINUTES, "2024-01-01", "2025-01-01", 105_408),
        ("Europe/Berlin", MINUTE, "2026-10-25", "2026-10-26", 1_500),
        ("America/St_Johns", HOUR, "2010-11-07", "2010-11-08", 26),
        ("Asia/Kathmandu", HOUR, "2025-12-31T18:15:00Z", "2026-01-01T18:15:00Z", 24),
        ("Pacific/Apia", DAY, "2011-01-01", "2012-01-01", 364),
        ("Pacific/Apia", HOUR, "2011-01-01", "2012-01-01", 364 * 24),
        ("UTC", MONTH, "1970-01-01", "2200-01-01", 230 * 12),
        ("UTC", DAY, "1970-01-01", "2200-01-01", 84_006),
    ],
)
def test_bin_counts(name: str, granularity: Granularity, from_text: str, to_text: str, count: int) -> None:
    assert len(check(name, granularity, from_text, to_text)) == count + 1


def test_offsets_distinguish_the_repeated_hour() -> None:
    edges = check("Europe/Berlin", HOUR, "2026-10-25T01:00:00", "2026-10-25T04:00:00")
    assert printed_starts(edges, get_zone("Europe/Berlin")) == [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_hours_of_kathmandu_start_at_a_quarter_past_in_utc() -> None:
    edges = check("Asia/Kathmandu", HOUR, "2026-01-01", "2026-01-02")
    assert set((edges // US_PER_SECOND % 3_600).tolist()) == {15 * 60}


@pytest.mark.parametrize(
    ("name", "from_text", "to_text", "day_count", "expected"),
    [
        ("UTC", "2026-01-02", "2026-01-03", 0, "2026-01-02"),
        ("UTC", "2026-01-02", "2026-01-03", 3, "2025-12-30 2025-12-31 2026-01-01 2026-01-02"),
        ("Europe/Berlin", "2026-03-29T12:00:00", "2026-03-30", 1, "2026-03-28 2026-03-29"),
        ("Pacific/Apia", "2012-01-01", "2012-01-02", 2, "2011-12-29 2011-12-31 2012-01-01"),
        ("Pacific/Apia", "2011-12-30", "2012-01-01", 1, "2011-12-29 2011-12-31"),
        ("Pacific/Apia", "2011-12-29", "2012-01-01", 1, "2011-12-28 2011-12-29 2011-12-31"),
        ("Pacific/Kwajalein", "1993-08-22", "1993-08-24", 1, "1993-08-20 1993-08-22 1993-08-23"),
    ],
)
def test_warmup_days_are_existing_days(
    name: str, from_text: str, to_text: str, day_count: int, expected: str
) -> None:
    zone = get_zone(name)
    from_us, to_us = instant_of(from_text, zone), instant_of(to_text, zone)
    edges = calendar.edges_with_days_before(zone, from_us, to_us, day_count)
    assert [text[:10] for text in printed_starts(edges, zone)] == expected.split()
    assert np.array_equal(edges[day_count:], calendar.edges(zone, DAY, from_us, to_us))


def test_warmup_days_before_1970() -> None:
    zone = get_zone("Europe/London")
    edges = calendar.edges_with_days_before(zone, 0, US_PER_DAY, 366)
    assert len(edges) == 369
    # London was on summer time from 1968-02-18 to 1971-10-31.
    assert printed_starts(edges, zone)[0] == "1968-12-31T00:00:00+01:00"


def test_a_microsecond_of_a_day_makes_it_the_last_one_of_an_average() -> None:
    edges = calendar.edges_with_days_before(get_zone("UTC"), 0, US_PER_DAY + 1, 1)
    assert edges.tolist() == [number * US_PER_DAY for number in (-1, 0, 1, 2)]


def test_warmup_days_before_1970_where_a_later_date_is_missing() -> None:
    zone = get_zone("Pacific/Apia")
    from_us, to_us = (zone.day_start_us(day(date)) for date in ("1970-01-01", "1970-01-02"))
    edges = calendar.edges_with_days_before(zone, from_us, to_us, 366)
    assert len(edges) == 368
    assert printed_starts(edges, zone)[0] == "1968-12-31T00:00:00-11:00"


@pytest.mark.parametrize(
    ("name", "first", "last", "expected"),
    [
        ("UTC", "1969-12-31", "1970-01-01", "1969-12-31 1970-01-01"),
        ("Pacific/Apia", "2011-12-29", "2011-12-31", "2011-12-29 2011-12-31"),
        ("Pacific/Apia", "2011-12-30", "2011-12-31", "2011-12-31"),
        ("Pacific/Kwajalein", "1993-08-20", "1993-08-21", "1993-08-20"),
    ],
)
def test_days_of_dates(name: str, first: str, last: str, expected: str) -> None:
    zone = get_zone(name)
    edges = calendar.day_edges(zone, day(first), day(last))
    assert [text[:10] for text in printed_starts(edges, zone)] == expected.split()
    assert edges[-1] == zone.day_start_us(day(last) + 1)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Pacific/Apia", "2011-12-30", "2011-12-30"),
        ("UTC", "1970-01-02", "1970-01-01"),
        ("UTC", "2026-01-01", "1970-01-01"),
        ("Pacific/Apia", "2011-12-31", "2011-12-29"),
    ],
)
def test_missing_or_reversed_dates_have_no_edges(name: str, first: str, last: str) -> None:
    edges = calendar.day_edges(get_zone(name), day(first), day(last))
    assert edges.dtype == np.int64
    assert edges.shape == (0,)


@pytest.mark.parametrize(
    ("from_us", "to_us", "expected"),
    [
        (0, 120, [0, 60, 120]),
        (1, 120, [1, 60, 120]),
        (0, 119, [0, 60, 119]),
        (59, 61, [59, 60, 61]),
        (61, 62, [61, 62]),
    ],
)
def test_a_range_clips_its_first_and_last_bin(from_us: int, to_us: int, expected: list[int]) -> None:
    second_us = US_PER_SECOND
    edges = calendar.edges(get_zone("UTC"), MINUTE, from_us * second_us, to_us * second_us)
    clipped = calendar.clip(edges, from_us * second_us, to_us * second_us)
    assert (clipped // second_us).tolist() == expected
    assert set((edges // second_us % 60).tolist()) == {0}


def test_a_leap_year_of_five_minute_bins_is_within_the_limit() -> None:
    zone = get_zone("Europe/Berlin")
    from_us, to_us = instant_of("2024-01-01", zone), instant_of("2025-01-01", zone)
    assert calendar.bin_count(zone, FIVE_MINUTES, from_us, to_us) <= Config().bin_count_max


def test_edges_and_counts_take_milliseconds() -> None:
    """The limits are five times the target times, to tolerate a busy machine."""
    zone = get_zone("Europe/Berlin")
    year = instant_of("2024-01-01", zone), instant_of("2025-01-01", zone)
    month = instant_of("2026-03-01", zone), instant_of("2026-04-01", zone)
    ever = instant_of("1970-01-01", zone), instant_of("2200-01-01", zone)

    def fastest_ms(call: Callable[[], object]) -> float:
        return min(timeit.repeat(call, number=1, repeat=5)) * 1_000

    assert fastest_ms(lambda: calendar.edges(zone, FIVE_MINUTES, *year)) < 50
    assert fastest_ms(lambda: calendar.edges(zone, MINUTE, *month)) < 25
    assert fastest_ms(lambda: calendar.bin_count(zone, MINUTE, *ever)) < 50
