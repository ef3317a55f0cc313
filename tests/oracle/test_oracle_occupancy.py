"""The oracle answers the worked example about simultaneous calls, other times and open hours."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.v1.traffic_pb2 import OpenHours, QueryTrafficRequest, QueryTrafficResponse

from oracle import calendar
from oracle.samples import US, at, merged_sessions, record
from oracle.test_oracle_traffic import messages, values
from oracle.traffic import occupancy
from oracle.traffic.answer import answer
from oracle.traffic.comparison import moved_us
from oracle.traffic.opening import Opening

NOW_US = at("2026-03-11T00:00:00Z")
METRICS = ("PEAK", "PEAK_AT", "OCCUPIED_US", "ERLANG")


def specs(*names: str, **parameters: Any) -> list[dict[str, Any]]:
    return [{**parameters, "metric": f"TRAFFIC_METRIC_{name}"} for name in names]


def asked(
    *records: SessionRecord, now_us: int = NOW_US, received_us: int = 0, **fields: Any
) -> QueryTrafficResponse:
    found = answer(QueryTrafficRequest(**fields), merged_sessions(*records, received_us=received_us), now_us)
    assert isinstance(found, QueryTrafficResponse), found
    return found


@pytest.mark.parametrize(
    ("kind", "peaks", "instants", "occupied_us", "erlangs"),
    [
        (
            "OCCUPANCY_TALK",
            [2, 1, 1],
            ["10:02:12", "10:15:00", "10:30:00"],
            [894_000_000, 365_000_000, 65_000_000],
            [0.993, 0.406, 0.072],
        ),
        (
            "OCCUPANCY_SEIZED",
            [2, 2, 1],
            ["10:01:00", "10:15:00", "10:30:00"],
            [1_035_000_000, 411_500_000, 65_000_000],
            [1.15, 0.457, 0.072],
        ),
    ],
)
def test_example(
    kind: str, peaks: list[int], instants: list[str], occupied_us: list[int], erlangs: list[float]
) -> None:
    found = asked(
        *messages(),
        from_time="2026-03-10T10:00:00Z",
        to_time="2026-03-10T10:45:00Z",
        granularity="GRANULARITY_FIFTEEN_MINUTES",
        metrics=specs(*METRICS, occupancy=kind),
    )
    assert [values(column) for column in found.columns] == [
        peaks,
        [at(f"2026-03-10T{text}Z") for text in instants],
        occupied_us,
        erlangs,
    ]
    total, first_us, sum_us, _ = (values(column)[0] for column in found.totals)
    assert (total, first_us, sum_us) == (2, at(f"2026-03-10T{instants[0]}Z"), sum(occupied_us))


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 5), (5, 9)], (1, 0)),
        ([(0, 120), (90, 150), (135, 285)], (2, 90)),
        ([(3, 3)], (0, None)),
        ([], (0, None)),
        ([(0, 9), (4, 6), (5, 7)], (3, 5)),
    ],
)
def test_calls_that_touch_are_not_simultaneous(
    spans: Sequence[tuple[int, int]], expected: tuple[int, int | None]
) -> None:
    found = [part for span in spans for part in occupancy.spans_within(span, ())]
    assert occupancy.peak(found) == expected


def test_calls_begun_before_and_active_calls_count() -> None:
    start = at("2026-03-10T10:00:00Z")
    records = [
        record("before", start - 7200 * US, start - 7200 * US, start + US),
        record("active", start + 10 * US, start + 10 * US),
        record("rings", start + 20 * US),
    ]
    times: dict[str, Any] = {
        "from_time": "2026-03-10T10:00:00Z",
        "now_us": start + 60 * US,
        "received_us": start,
    }
    metrics = [*specs("OCCUPIED_US", "PEAK"), *specs("OCCUPIED_US", occupancy="OCCUPANCY_SEIZED")]
    found = asked(*records, **times, metrics=[*metrics, *specs("CALLS")])
    assert [values(column)[0] for column in found.totals] == [51 * US, 1, 91 * US, 0]
    later = asked(*records, **{**times, "received_us": start - 86_400 * US + 60 * US}, metrics=metrics)
    assert values(later.totals[0]) == [US]


def test_hours_are_those_of_the_instants_occupied() -> None:
    start = at("2026-03-10T10:59:00Z")
    found = asked(
        record("call", start, start, start + 120 * US),
        from_time="2026-03-10",
        metrics=[*specs("OCCUPIED_US", "CALLS", "PEAK_AT")],
        group_by=[{"dimension": "TRAFFIC_DIMENSION_HOUR_OF_DAY"}],
    )
    assert [group.keys[0].integer for group in found.groups] == [10, 11]
    assert [values(column) for column in found.group_totals] == [
        [60 * US, 60 * US],
        [1, 0],
        [start, start + 60 * US],
    ]


def spans(hours: OpenHours, zone: str, first: str, last: str) -> list[tuple[str, str]]:
    found = Opening(hours, zone).spans((at(first), at(last)))
    assert all(end < start for (_, end), (start, _) in pairwise(found))
    return [(calendar.format_time("UTC", start), calendar.format_time("UTC", end)) for start, end in found]


def test_open_hours_across_midnight_belong_to_the_date_on_which_they_begin() -> None:
    hours = OpenHours(weekdays=[5], from_time="22:00", to_time="06:00", excluded_dates=["2026-03-13"])
    assert spans(hours, "UTC", "2026-03-01T00:00:00Z", "2026-03-21T00:00:00Z") == [
        ("2026-03-06T22:00:00Z", "2026-03-07T06:00:00Z"),
        ("2026-03-20T22:00:00Z", "2026-03-21T00:00:00Z"),
    ]


def test_open_hours_are_what_the_clock_shows() -> None:
    hours = OpenHours(from_time="02:30", to_time="03:30")
    assert spans(hours, "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z") == [
        ("2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z")
    ]
    assert spans(hours, "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T12:00:00Z") == [
        ("2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
        ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"),
    ]


def test_all_day_is_one_span() -> None:
    for hours in (
        OpenHours(from_time="00:00", to_time="24:00"),
        OpenHours(from_time="07:00", to_time="07:00"),
    ):
        assert spans(hours, "UTC", "2026-03-02T00:00:00Z", "2026-03-05T00:00:00Z") == [
            ("2026-03-02T00:00:00Z", "2026-03-05T00:00:00Z")
        ]


def compared(compare: str, zone: str, from_time: str, to_time: str, granularity: str) -> list[str]:
    """Returns the starts of the earlier bins, as their zone shows them."""
    found = asked(
        now_us=at("2027-06-01T00:00:00Z"),
        from_time=from_time,
        to_time=to_time,
        time_zone=zone,
        granularity=f"GRANULARITY_{granularity}",
        compare=f"COMPARISON_{compare}",
        metrics=specs("CALLS"),
    )
    shown = [
        calendar.format_time(zone, unix_s * US)[:16] if unix_s != -1 else "" for unix_s in found.compared.t
    ]
    span = found.compared.range
    return [span.from_time[:16], span.to_time[:16], *shown]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            ("WEEK", "Europe/Berlin", "2026-03-29", "2026-03-30", "HOUR"),
            [
                "2026-03-22T00:00",
                "2026-03-23T00:00",
                *(f"2026-03-22T{hour:02d}:00" for hour in range(24) if hour != 2),
            ],
        ),
        (
            ("WEEK", "Europe/Berlin", "2026-10-25T01:00:00", "2026-10-25T04:00:00", "HOUR"),
            [
                "2026-10-18T01:00",
                "2026-10-18T04:00",
                "2026-10-18T01:00",
                "2026-10-18T02:00",
                "",
                "2026-10-18T03:00",
            ],
        ),
        (
            ("MONTH", "UTC", "2026-03-30", "2026-04-02", "DAY"),
            [
                "2026-02-28T00:00",
                "2026-03-02T00:00",
                "2026-02-28T00:00",
                "2026-02-28T00:00",
                "2026-03-01T00:00",
            ],
        ),
        (
            ("YEAR", "UTC", "2024-02-29", "2024-03-01", "DAY"),
            ["2023-02-28T00:00", "2023-03-01T00:00", "2023-02-28T00:00"],
        ),
        (
            ("PREVIOUS_RANGE", "Europe/Berlin", "2026-03-29", "2026-03-30", "DAY"),
            ["2026-03-28T00:00", "2026-03-29T00:00", "2026-03-28T00:00"],
        ),
        (
            ("PREVIOUS_RANGE", "UTC", "2026-03-29T10:00:00", "2026-03-29T11:30:00", "THIRTY_MINUTES"),
            [
                "2026-03-29T08:30",
                "2026-03-29T10:00",
                "2026-03-29T08:30",
                "2026-03-29T09:00",
                "2026-03-29T09:30",
            ],
        ),
        (
            ("DAY", "UTC", "2026-03-29T10:10:00", "2026-03-29T11:20:00", "HOUR"),
            ["2026-03-28T10:10", "2026-03-28T11:20", "2026-03-28T10:00", "2026-03-28T11:00"],
        ),
    ],
)
def test_earlier_ranges_and_bins(question: tuple[str, ...], expected: list[str]) -> None:
    assert compared(*question) == expected


def test_the_second_of_two_moves_to_the_second() -> None:
    zone, second = "Europe/Berlin", at("2026-10-25T01:30:00Z")
    assert moved_us(zone, second, lambda day: day) == second
    assert moved_us(zone, second, lambda day: day.replace(day=24)) == at("2026-10-24T00:30:00Z")
    # 02:30 of 29 March was skipped.
    assert moved_us(zone, second, lambda day: day.replace(month=3, day=29)) == at("2026-03-29T01:30:00Z")


def test_changes_in_percent() -> None:
    day = at("2026-03-10T00:00:00Z")
    calls = [record(f"{number}", day + number * US, day + number * US, day + 60 * US) for number in range(3)]
    calls += [record("earlier", day - 86_400 * US, day - 86_400 * US, day - 86_370 * US)]
    found = asked(
        *calls,
        from_time="2026-03-10",
        metrics=[*specs("CALLS", "FAILED", "PEAK", "PEAK_AT", "ERLANG")],
        compare=traffic_pb2.COMPARISON_DAY,
        granularity=reports_pb2.GRANULARITY_DAY,
    )
    calls_change, failed, peak, peak_at, erlang = (
        change.percent[0] for change in found.compared.total_changes
    )
    assert (calls_change, peak) == (200, 200)
    assert math.isnan(failed)
    assert math.isnan(peak_at)
    assert erlang == pytest.approx(100 * (177 - 30) / 30)
    assert found.compared.changes[0].percent == [200]
