"""Validation of watches: what is refused, and how; and what two requests have in common."""

from typing import Any

import pytest
from google.protobuf import json_format
from pegcount.config import Config
from pegcount.model import Granularity
from pegcount.request import DENOMINATORS, AlertRule, TrafficWatch, traffic_watch, with_denominators
from pegcount.request.traffic import traffic_query
from pegcount.request.traffic_metrics import METRICS, PARAMETERS, metric_name
from pegcount.traffic import ANSWERED, CALLS, Figure, TrafficMeasure
from pegcount.v1 import traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, WatchTrafficRequest

from request_tests.refusals import Expected, check_refused
from request_tests.test_traffic import METRIC_NAMES, by, metric, missing, not_allowed

NOW_US = 1_774_872_000_000_000
SHARES = ", ".join(metric_name(number) for number in DENOMINATORS)
DOUBLE_MAX = "1.79769e+308"
QUERY: dict[str, Any] = {"metrics": [metric("CALLS"), metric("ASR")], "granularity": "GRANULARITY_MINUTE"}
ABOVE: dict[str, Any] = {"comparison": "ALERT_COMPARISON_ABOVE", "threshold": 3}


def request_of(query: dict[str, Any] | None = None, **more: Any) -> WatchTrafficRequest:
    given = {"query": QUERY if query is None else query, "last_bins": 15, **more}
    return json_format.ParseDict(given, WatchTrafficRequest())


def watch_of(query: dict[str, Any] | None = None, **more: Any) -> TrafficWatch:
    return traffic_watch(request_of(query, **more), Config(), NOW_US)


def outside(field: str, value: object, minimum: object, maximum: object) -> Expected:
    return (field, "VALUE_OUT_OF_RANGE", {"value": value, "minimum": minimum, "maximum": maximum})


def test_what_is_left_out() -> None:
    watch = watch_of(rules=[ABOVE, {**ABOVE, "metric": 1, "least_denominator": 50, "bins": 3}])
    assert (watch.last_bins, watch.interval_ms, watch.granularity) == (15, 5_000, Granularity.MINUTE)
    assert watch.zone.name == "UTC"
    assert watch.rules == (AlertRule(0, True, 3, 3, None, 1), AlertRule(1, True, 3, 3, 50, 3))
    assert QueryTrafficRequest.FromString(watch.query).from_time == ""


def test_requests_that_mean_the_same_have_one_query() -> None:
    said: list[dict[str, Any]] = [
        {},
        {"time_zone": "UTC"},
        {"kind": "SESSION_KIND_CALL"},
        {"top": {"limit": 3}},
        {"top": {"limit": 3, "metric": 0, "other": False, "ascending": False}},
        {"filters": [by("TENANT_ID", integers=[1])]},
        {"filters": [by("TENANT_ID", integers=[1], negate=False, absent=False)]},
    ]
    queries = [watch_of({**QUERY, **more}).query for more in said]
    assert queries[0] == queries[1] == queries[2]
    assert queries[3] == queries[4]
    assert queries[5] == queries[6]
    assert len(set(queries)) == 3


REFUSED: dict[str, tuple[WatchTrafficRequest, list[Expected]]] = {
    "nothing": (
        WatchTrafficRequest(),
        [
            missing("query"),
            missing(
                "query.granularity", allowed=", ".join(f"GRANULARITY_{each.name}" for each in Granularity)
            ),
            missing("last_bins"),
        ],
    ),
    "times": (
        request_of({**QUERY, "from_time": "2026-03-01", "to_time": "x", "compare": "COMPARISON_DAY"}),
        [not_allowed(f"query.{name}", "last_bins") for name in ("from_time", "to_time", "compare")],
    ),
    "numbers": (
        request_of(last_bins=1_441, interval_ms=999),
        [outside("last_bins", 1_441, 1, 1_440), outside("interval_ms", 999, 1_000, 60_000)],
    ),
    "numbers below": (
        request_of(last_bins=0, interval_ms=60_001),
        [outside("last_bins", 0, 1, 1_440), outside("interval_ms", 60_001, 1_000, 60_000)],
    ),
    "months before 1970": (
        request_of({**QUERY, "granularity": "GRANULARITY_MONTH"}, last_bins=1_000),
        [outside("last_bins", 1_000, 1, 675)],
    ),
    "rules of the present bin alone": (
        request_of(last_bins=1, rules=[ABOVE]),
        [outside("last_bins", 1, 2, 1_440)],
    ),
    "a rule without anything": (
        request_of(rules=[{}]),
        [
            missing("rules[0].comparison", allowed="ALERT_COMPARISON_ABOVE, ALERT_COMPARISON_BELOW"),
            missing("rules[0].threshold"),
        ],
    ),
    "all of a rule": (
        request_of(
            rules=[
                {**ABOVE, "metric": 2, "bins": 16, "clear_threshold": 4},
                {**ABOVE, "least_denominator": 5, "threshold": "NaN"},
                {**ABOVE, "metric": 1, "comparison": "ALERT_COMPARISON_BELOW", "clear_threshold": 2},
                {**ABOVE, "metric": 1, "least_denominator": 0},
            ]
        ),
        [
            outside("rules[0].metric", 2, 0, 1),
            outside("rules[0].clear_threshold", 4, f"-{DOUBLE_MAX}", 3),
            outside("rules[0].bins", 16, 1, 15),
            not_allowed("rules[1].least_denominator", SHARES),
            outside("rules[1].threshold", "nan", f"-{DOUBLE_MAX}", DOUBLE_MAX),
            missing("rules[2].least_denominator"),
            outside("rules[2].clear_threshold", 2, 3, DOUBLE_MAX),
            outside("rules[3].least_denominator", 0, 1, 2**63 - 1),
        ],
    ),
    "too many rules": (
        request_of(rules=[ABOVE] * 33),
        [("rules", "LIST_LIMIT_EXCEEDED", {"asked": 33, "allowed": 32})],
    ),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused(name: str) -> None:
    request, expected = REFUSED[name]
    check_refused(lambda: traffic_watch(request, Config(), NOW_US), expected)


def test_a_query_that_is_wrong_is_told_too() -> None:
    wrong = {**QUERY, "metrics": [{}], "group_by": [by("DST_PREFIX")]}
    expected = [
        outside("interval_ms", 1, 1_000, 60_000),
        missing("query.group_by[0].digits"),
        missing("query.metrics[0].metric", allowed=METRIC_NAMES),
    ]
    check_refused(lambda: watch_of(wrong, interval_ms=1), expected)


def test_an_instant_has_no_threshold() -> None:
    peak_at = {**QUERY, "metrics": [metric("PEAK_AT")]}
    descriptions = check_refused(
        lambda: watch_of(peak_at, rules=[ABOVE]), [not_allowed("rules[0].metric", "PEAK")]
    )
    assert "PEAK_AT is an instant" in descriptions[0]


def test_each_share_mean_and_percentile_has_a_denominator() -> None:
    """A metric that is added and forgotten would alert about a bin of one call."""
    given: dict[str, Any] = {"threshold_ms": 1, "percentile": 50, "causes": [16], "occupancy": 1}
    for number, rule in METRICS.items():
        taken = {name: given[name] for name in PARAMETERS if name == rule.parameter}
        spec = traffic_pb2.MetricSpec(metric=traffic_pb2.TrafficMetric.Name(number), **taken)
        form = rule.figure(spec, lambda _: 0).form
        assert (number in DENOMINATORS) == (form in ("ratio", "percentile")), metric_name(number)


def test_the_counts_that_rules_need_are_columns_after_those_of_the_request() -> None:
    specs = [metric("CALLS"), metric("ACD"), metric("PDD_PERCENTILE", percentile=95), metric("MARGIN_SHARE")]
    request = json_format.ParseDict({"from_time": "2026-03-29", "metrics": specs}, QueryTrafficRequest())
    query = traffic_query(request, Config())
    more = with_denominators(query)
    assert more.columns[:4] == query.columns
    assert more.measures[: len(query.measures)] == query.measures
    numbers = {measure: number for number, measure in enumerate(more.measures)}
    pdd, unrated = TrafficMeasure("count", "pdd_known"), TrafficMeasure("count", "unrated")
    assert [column.figure for column in more.columns[4:]] == [
        Figure("integer", numbers[ANSWERED]),
        Figure("integer", numbers[pdd]),
        Figure("difference", numbers[ANSWERED], numbers[unrated]),
    ]
    assert more.measures[0] == CALLS
