"""An answer to the traffic question as typed rows, groups and totals, and as frames."""

from datetime import UTC, datetime
from decimal import Decimal
from math import nan

from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import MetricSpec, QueryTrafficRequest, QueryTrafficResponse, TrafficColumn
from pegcount_client.enums import Additivity, NoticeCode
from pegcount_client.reports import Traffic
from pegcount_client.traffic_query import GroupBy

ASK = QueryTrafficRequest(
    group_by=[
        GroupBy("TERM_ACCOUNTS_ID").to_message(),
        GroupBy("DST_PREFIX", digits=2).to_message(),
    ]
)
METRICS = {
    "calls": MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS),
    "pdd_percentile_95": MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_PDD_PERCENTILE, percentile=95),
    "ner": MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_NER, causes=[16, 17, 18, 19, 20, 21, 31]),
    "calls_with_cause_34_38": MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS_WITH_CAUSE, causes=[34, 38]),
    "revenue": MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_REVENUE),
}
VALUES: dict[str, tuple[str, list[object], list[object], object]] = {
    "calls": ("integers", [3, 0, 1, 1], [3, 2], 5),
    "pdd_percentile_95": ("integers", [2_000, -1, 100, 100], [2_000, 100], 2_000),
    "ner": ("doubles", [50.0, nan, 0.0, 0.0], [50.0, 0.0], 30.0),
    "calls_with_cause_34_38": ("integers", [0, 0, 1, 1], [0, 2], 2),
    "revenue": ("decimals", ["0.25", "0", "", ""], ["0.25", ""], ""),
}
"""By column: its list, its values, those of the groups, and the total."""


def columns(part: int) -> list[TrafficColumn]:
    found = []
    for name, (kind, *values) in VALUES.items():
        chosen = values[part]
        given = {kind: chosen if isinstance(chosen, list) else [chosen]}
        found.append(
            TrafficColumn(
                metric=METRICS[name],
                over_bins=traffic_pb2.ADDITIVITY_SUM,
                over_groups=traffic_pb2.ADDITIVITY_NONE,
                **given,  # type: ignore[arg-type]
            )
        )
    return found


ANSWER = QueryTrafficResponse(
    range=reports_pb2.ResolvedRange(
        from_time="2026-03-29T00:00:00Z",
        to_time="2026-03-29T01:30:00Z",
        time_zone="UTC",
        granularity=reports_pb2.GRANULARITY_HOUR,
        generated_at="2026-03-29T01:30:00Z",
    ),
    notices=[reports_pb2.Notice(code=reports_pb2.NOTICE_CODE_CAUSES_MISSING, text="some calls")],
    t=[1_774_742_400, 1_774_746_000],
    covered_us=[3_600_000_000, 1_800_000_000],
    complete=[True, False],
    groups=[
        traffic_pb2.TrafficGroup(
            keys=[traffic_pb2.TrafficKey(integer=7), traffic_pb2.TrafficKey()],
        ),
        traffic_pb2.TrafficGroup(other=True),
    ],
    columns=columns(0),
    group_totals=columns(1),
    totals=columns(2),
    group_count=4,
    latest_setup_time="2026-03-29T01:29:00Z",
)


def test_rows_have_keys_and_figures() -> None:
    report = Traffic.from_response(ANSWER, ASK)
    first, second, third, _ = report.rows
    assert first.start_time == datetime(2026, 3, 29, tzinfo=UTC)
    assert (second.complete, second.covered_us) == (False, 1_800_000_000)
    assert (first.other, dict(first.keys)) == (False, {"term_accounts_id": 7, "dst_prefix": None})
    assert (third.other, dict(third.keys)) == (True, {"term_accounts_id": None, "dst_prefix": None})
    assert dict(first.figures) == {
        "calls": 3,
        "pdd_percentile_95": 2_000,
        "ner": 50.0,
        "calls_with_cause_34_38": 0,
        "revenue": Decimal("0.25"),
    }
    assert second.figures["pdd_percentile_95"] is second.figures["ner"] is None
    assert second.figures["revenue"] == Decimal(0)
    assert third.figures["revenue"] is None


def test_groups_and_totals_are_of_the_whole_range() -> None:
    report = Traffic.from_response(ANSWER, ASK)
    assert [group.figures["calls"] for group in report.groups] == [3, 2]
    assert [group.other for group in report.groups] == [False, True]
    assert dict(report.totals) == {
        "calls": 5,
        "pdd_percentile_95": 2_000,
        "ner": 30.0,
        "calls_with_cause_34_38": 2,
        "revenue": None,
    }
    assert report.group_count == 4
    assert report.metrics["calls"].over_bins is Additivity.SUM
    assert report.metrics["ner"].causes == (16, 17, 18, 19, 20, 21, 31)
    assert report.latest_setup_time_text == "2026-03-29T01:29:00Z"
    assert [notice.code for notice in report.notices] == [NoticeCode.CAUSES_MISSING]
    assert "5 figures of 4 groups; notices: CAUSES_MISSING" in repr(report)


def test_frames_have_a_row_for_each_bin_of_each_group() -> None:
    frame = Traffic.from_response(ANSWER, ASK).to_arrow()
    assert frame.column_names == [
        *("start_time", "complete", "covered_us", "other", "term_accounts_id", "dst_prefix"),
        *METRICS,
    ]
    assert frame.column("calls").to_pylist() == [3, 0, 1, 1]
    assert frame.column("pdd_percentile_95").to_pylist() == [2_000, None, 100, 100]
    assert frame.column("ner").to_pylist() == [50.0, None, 0.0, 0.0]
    assert frame.column("revenue").to_pylist() == ["0.25", "0", None, None]
    assert [str(frame.schema.field(name).type) for name in ("dst_prefix", "term_accounts_id", "revenue")] == [
        *("string", "int64", "string"),
    ]


def test_types_do_not_depend_on_values() -> None:
    nothing = QueryTrafficResponse(
        range=ANSWER.range,
        columns=[TrafficColumn(metric=metric) for metric in METRICS.values()],
        totals=[TrafficColumn(metric=METRICS["calls"], integers=[0])] * len(METRICS),
    )
    frame = Traffic.from_response(nothing, ASK).to_arrow()
    assert frame.schema.types == Traffic.from_response(ANSWER, ASK).to_arrow().schema.types
