"""Open hours, comparisons and occupied time of traffic questions: what is refused, and what they become."""

from typing import Any

import pytest
from pegcount.model import Between, OneOf, Present
from pegcount.traffic import AnyOf, Comparison, OpenHours
from pegcount.v1 import traffic_pb2

from request_tests.refusals import Expected, check_refused
from request_tests.test_traffic import by, conflict, exceeded, metric, missing, outside, query_of, repeated

REFUSED: dict[str, tuple[dict[str, Any], list[Expected]]] = {
    "a year of weeks": (
        {"granularity": "GRANULARITY_WEEK", "compare": "COMPARISON_YEAR"},
        [
            conflict(
                "compare",
                "COMPARISON_PREVIOUS_RANGE, COMPARISON_DAY, COMPARISON_WEEK, COMPARISON_MONTH",
            )
        ],
    ),
    "an unknown comparison": (
        {"compare": 9},
        [
            (
                "compare",
                "UNKNOWN_ENUM_VALUE",
                {"value": 9, "allowed": ", ".join(traffic_pb2.Comparison.keys()[1:])},
            )
        ],
    ),
    "open hours without times": (
        {"open_hours": {}},
        [missing("open_hours.from_time"), missing("open_hours.to_time")],
    ),
    "open hours that are wrong": (
        {
            "open_hours": {
                "weekdays": [1, 8, 1],
                "from_time": "24:00",
                "to_time": "8.30",
                "excluded_dates": ["2026-02-30", "2026-12-25", "20261225", "2500-01-01"],
            }
        },
        [
            outside("open_hours.weekdays[1]", 8, 1, 7),
            repeated("open_hours.weekdays[2]", 1),
            ("open_hours.from_time", "MALFORMED_TIME", {"value": "24:00"}),
            ("open_hours.to_time", "MALFORMED_TIME", {"value": "8.30", "suggestion": "08:30"}),
            ("open_hours.excluded_dates[0]", "MALFORMED_DATE", {"value": "2026-02-30"}),
            repeated("open_hours.excluded_dates[2]", "20261225"),
            ("open_hours.excluded_dates[3]", "TIME_OUT_OF_RANGE", {"value": "2500-01-01"}),
        ],
    ),
    "open hours of too many dates": (
        {
            "open_hours": {
                "from_time": "08:00",
                "to_time": "8:00:00",
                "weekdays": [1, 2, 3, 4, 5, 6, 7, 8],
                "excluded_dates": ["2026-12-25"] * 401,
            }
        },
        [
            exceeded("open_hours.weekdays", 8, 7),
            ("open_hours.to_time", "MALFORMED_TIME", {"value": "8:00:00", "suggestion": "08:00"}),
            exceeded("open_hours.excluded_dates", 401, 400),
        ],
    ),
}


@pytest.mark.parametrize(("given", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(given: dict[str, Any], expected: list[Expected]) -> None:
    check_refused(lambda: query_of(**given), expected)


def test_calls_that_occupy_a_line_have_ended_or_live() -> None:
    """Filters by local time are left out: the bins of the scan tell these apart."""
    tenant, hour = by("TENANT_ID", integers=[3]), by("HOUR_OF_DAY", range={"low": 9}, negate=True)
    query = query_of(metrics=[metric("PEAK")], filters=[hour, tenant], attempts="ATTEMPTS_ALL")
    assert query.has_intervals
    assert query.local_filters == query.predicates[2:3]
    ended, now_us = Present("end_time", wanted=True), 10**15
    assert query.occupancy_predicates_at(now_us) == (
        OneOf("kind", (1,)),
        OneOf("tenant_id", (3,)),
        AnyOf((ended, Between("received_time", now_us - 86_400_000_000 + 1, 2**63 - 1))),
    )
    assert not query_of().has_intervals


def test_hours_that_end_no_later_reach_the_next_date() -> None:
    minute_us = 60_000_000

    def hours(from_time: str, to_time: str, **more: Any) -> OpenHours | None:
        return query_of(open_hours={"from_time": from_time, "to_time": to_time, **more}).open_hours

    every_day = frozenset(range(1, 8))
    assert hours("08:30", "18:00") == OpenHours(every_day, 510 * minute_us, 1_080 * minute_us)
    assert hours("22:00", "06:00") == OpenHours(every_day, 1_320 * minute_us, 1_800 * minute_us)
    assert hours("00:00", "24:00") == hours("00:00", "00:00") == OpenHours(every_day, 0, 1_440 * minute_us)
    some = hours("00:00", "23:59", weekdays=[7, 1], excluded_dates=["1970-01-03", "2026-12-25"])
    assert some == OpenHours(frozenset({1, 7}), 0, 1_439 * minute_us, frozenset({2, 20_812}))
    assert query_of().open_hours is None


def test_a_comparison_becomes_that_of_the_query() -> None:
    assert query_of(compare="COMPARISON_MONTH").compare is Comparison.MONTH
    assert query_of().compare is None
    assert query_of(compare="COMPARISON_YEAR", granularity="GRANULARITY_DAY").compare is Comparison.YEAR
