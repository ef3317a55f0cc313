"""An answer that is compared with an earlier range."""

from datetime import UTC, datetime
from math import nan

from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import MetricSpec, QueryTrafficRequest, QueryTrafficResponse, TrafficColumn
from pegcount_client.columns import Kind
from pegcount_client.reports import Traffic

CALLS = MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS)
ERLANG = MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_ERLANG, occupancy=traffic_pb2.OCCUPANCY_TALK)


def columns(calls: list[int], erlangs: list[float]) -> list[TrafficColumn]:
    return [TrafficColumn(metric=CALLS, integers=calls), TrafficColumn(metric=ERLANG, doubles=erlangs)]


def changes(*percents: list[float]) -> list[traffic_pb2.TrafficChange]:
    return [traffic_pb2.TrafficChange(percent=percent) for percent in percents]


def span(day: int) -> reports_pb2.ResolvedRange:
    return reports_pb2.ResolvedRange(
        from_time=f"2026-03-{day:02d}T00:00:00Z",
        to_time=f"2026-03-{day:02d}T02:00:00Z",
        time_zone="UTC",
        granularity=reports_pb2.GRANULARITY_HOUR,
    )


ANSWER = QueryTrafficResponse(
    range=span(30),
    t=[1_774_828_800, 1_774_832_400],
    covered_us=[3_600_000_000] * 2,
    complete=[True, True],
    groups=[traffic_pb2.TrafficGroup(keys=[traffic_pb2.TrafficKey(integer=7)])],
    columns=columns([4, 6], [1.5, 2.0]),
    group_totals=columns([10], [1.75]),
    totals=columns([12], [2.0]),
    group_count=2,
    compared=traffic_pb2.TrafficComparison(
        range=span(23),
        t=[1_774_224_000, -1],
        columns=columns([5, -1], [0.0, nan]),
        group_totals=columns([5], [0.5]),
        totals=columns([6], [0.5]),
        changes=changes([-20.0, nan], [nan, nan]),
        group_total_changes=changes([100.0], [250.0]),
        total_changes=changes([100.0], [300.0]),
    ),
)
REQUEST = QueryTrafficRequest(
    group_by=[traffic_pb2.GroupSpec(dimension=traffic_pb2.TRAFFIC_DIMENSION_TENANT_ID)]
)


def test_rows_have_the_figures_then_and_their_changes() -> None:
    first, second = Traffic.from_response(ANSWER, REQUEST).rows
    assert first.then_start_time == datetime(2026, 3, 23, tzinfo=UTC)
    assert dict(first.figures) == {"calls": 4, "erlang": 1.5}
    assert dict(first.then) == {"calls": 5, "erlang": 0.0}
    assert dict(first.changes) == {"calls": -20.0, "erlang": None}
    assert second.then_start_time is None
    assert dict(second.then) == dict(second.changes) == {"calls": None, "erlang": None}


def test_groups_and_totals_have_them_too() -> None:
    report = Traffic.from_response(ANSWER, REQUEST)
    (group,) = report.groups
    assert (dict(group.then), dict(group.changes)) == (
        {"calls": 5, "erlang": 0.5},
        {"calls": 100.0, "erlang": 250.0},
    )
    assert report.compared is not None
    assert report.compared.range.from_time == datetime(2026, 3, 23, tzinfo=UTC)
    assert dict(report.compared.totals) == {"calls": 6, "erlang": 0.5}
    assert dict(report.compared.total_changes) == {"calls": 100.0, "erlang": 300.0}


def test_frames_have_a_column_for_each() -> None:
    report = Traffic.from_response(ANSWER, REQUEST)
    kinds = {column.name: column.kind for column in report.columns[-5:]}
    assert kinds == {
        "then_start_time": Kind.TIME,
        "calls_then": Kind.ID,
        "erlang_then": Kind.RATIO,
        "calls_change": Kind.RATIO,
        "erlang_change": Kind.RATIO,
    }
    assert report.to_arrow().column("calls_then").to_pylist() == [5, None]


def test_without_comparison_rows_have_nothing_of_then() -> None:
    plain = QueryTrafficResponse()
    plain.CopyFrom(ANSWER)
    plain.ClearField("compared")
    report = Traffic.from_response(plain, REQUEST)
    assert report.compared is None
    assert (report.rows[0].then_start_time, dict(report.rows[0].then)) == (None, {})
    assert dict(report.groups[0].changes) == {}
    assert [column.name for column in report.columns[-2:]] == ["calls", "erlang"]
