"""The parts of a traffic question that are about intervals, other times and hours."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from pegcount.v1 import traffic_pb2
from pegcount_client import Metric, Occupancy, OpenHours
from pegcount_client.reports.traffic import metric_column_name
from pegcount_client.requests import traffic_request


def asked(**query: Any) -> traffic_pb2.QueryTrafficRequest:
    return traffic_request(query)  # type: ignore[arg-type]


def test_occupancy_is_a_parameter() -> None:
    found = asked(metrics=["PEAK", Metric("ERLANG", occupancy="seized"), Metric("PEAK_AT", occupancy="TALK")])
    assert list(found.metrics) == [
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_PEAK),
        traffic_pb2.MetricSpec(
            metric=traffic_pb2.TRAFFIC_METRIC_ERLANG, occupancy=traffic_pb2.OCCUPANCY_SEIZED
        ),
        traffic_pb2.MetricSpec(
            metric=traffic_pb2.TRAFFIC_METRIC_PEAK_AT, occupancy=traffic_pb2.OCCUPANCY_TALK
        ),
    ]
    assert [metric_column_name(spec) for spec in found.metrics] == ["peak", "erlang_seized", "peak_at"]


def test_hours_over_midnight_without_excluded_dates() -> None:
    found = asked(open_hours=OpenHours(from_time="22:00", to_time=time(6, 30), excluded_dates=[]))
    assert found.open_hours == traffic_pb2.OpenHours(from_time="22:00", to_time="06:30")


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ({"compare": "fortnight"}, ValueError, 'unknown compare "fortnight"'),
        ({"metrics": [Metric("PEAK", occupancy="ring")]}, ValueError, 'unknown occupancy "ring"'),
        ({"metrics": [Metric("PEAK", occupancy=1)]}, TypeError, "occupancy is a Occupancy or its name"),  # type: ignore[arg-type]
        ({"open_hours": "08:00-18:00"}, TypeError, "open_hours takes hours, such as OpenHours"),
        (
            {"open_hours": OpenHours(from_time=time(8, 0, 1), to_time="18:00")},
            ValueError,
            "from_time is a local time in whole minutes, not 08:00:01",
        ),
        (
            {"open_hours": OpenHours(from_time="08:00", to_time=time(18, tzinfo=UTC))},
            ValueError,
            "leave out seconds and zone",
        ),
        ({"open_hours": OpenHours(from_time=8, to_time="18:00")}, TypeError, "a time of day, such as"),  # type: ignore[arg-type]
        (
            {
                "open_hours": OpenHours(
                    from_time="08:00", to_time="18:00", excluded_dates=[datetime(2026, 1, 1)]
                )
            },
            TypeError,
            "excluded_dates is a day, not a datetime",
        ),
        (
            {"open_hours": OpenHours(from_time="08:00", to_time="18:00", weekdays=[])},
            ValueError,
            "weekdays is empty, which would mean all",
        ),
    ],
)
def test_what_would_be_misread_is_refused(
    query: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        asked(**query)


def test_dates_are_days_or_texts() -> None:
    hours = OpenHours(from_time="08:00", to_time="18:00", excluded_dates=[date(2026, 5, 1), "2026-12-25"])
    assert list(hours.to_message().excluded_dates) == ["2026-05-01", "2026-12-25"]


def test_occupancies_have_the_names_of_the_contract() -> None:
    assert list(Occupancy) == ["TALK", "SEIZED"]
