"""Validation of traffic questions: what is refused, and how."""

from typing import Any

import pytest
from google.protobuf import json_format
from pegcount.config import Config
from pegcount.model import Between, Granularity, OneOf, Present
from pegcount.request import traffic_query
from pegcount.request.traffic_metrics import METRICS, PARAMETERS, metric_name, metrics_with
from pegcount.traffic import (
    ColumnKey,
    Figure,
    LocalTimeKey,
    PrefixKey,
    Top,
    TrafficMeasure,
    TrafficQuery,
)
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest

from request_tests.refusals import Expected, check_refused

METRIC_NAMES = ", ".join(traffic_pb2.TrafficMetric.keys()[1:])
DIMENSION_NAMES = ", ".join(traffic_pb2.TrafficDimension.keys()[1:])
THRESHOLDS, PERCENTILES, CAUSES, OCCUPANCIES = (metrics_with(name) for name in PARAMETERS)
INT64_MIN = -(2**63) + 1


def metric(name: str, **parameters: Any) -> dict[str, Any]:
    return {"metric": f"TRAFFIC_METRIC_{name}", **parameters}


def by(name: str, **more: Any) -> dict[str, Any]:
    """Builds a group or a filter."""
    return {"dimension": f"TRAFFIC_DIMENSION_{name}", **more}


def make_request(**more: Any) -> QueryTrafficRequest:
    given = {"from_time": "2026-03-29", "metrics": [metric("CALLS")], **more}
    return json_format.ParseDict(given, QueryTrafficRequest())


def query_of(**given: Any) -> TrafficQuery:
    return traffic_query(make_request(**given), Config())


def missing(field: str, **metadata: object) -> Expected:
    return (field, "REQUIRED_FIELD_MISSING", metadata)


def not_allowed(field: str, allowed: str) -> Expected:
    return (field, "PARAMETER_NOT_ALLOWED", {"allowed": allowed})


def outside(field: str, value: int, minimum: int, maximum: int) -> Expected:
    return (field, "VALUE_OUT_OF_RANGE", {"value": value, "minimum": minimum, "maximum": maximum})


def repeated(field: str, value: object) -> Expected:
    return (field, "REPEATED_NAME", {"value": value})


def conflict(field: str, allowed: str) -> Expected:
    return (field, "CONFLICTING_FIELDS", {"allowed": allowed})


def exceeded(field: str, asked: int, allowed: int) -> Expected:
    return (field, "LIST_LIMIT_EXCEEDED", {"asked": asked, "allowed": allowed})


REFUSED: dict[str, tuple[dict[str, Any], list[Expected]]] = {
    "nothing given": (
        {"from_time": "", "metrics": []},
        [missing("from_time"), missing("metrics", allowed=METRIC_NAMES)],
    ),
    "enums without a value": (
        {"metrics": [{}], "group_by": [{}], "filters": [{}], "kind": 9, "attempts": 9, "granularity": 99},
        [
            (
                "granularity",
                "UNKNOWN_ENUM_VALUE",
                {"value": 99, "allowed": ", ".join(reports_pb2.Granularity.keys()[1:])},
            ),
            missing("group_by[0].dimension", allowed=DIMENSION_NAMES),
            missing("metrics[0].metric", allowed=METRIC_NAMES),
            (
                "kind",
                "UNKNOWN_ENUM_VALUE",
                {"value": 9, "allowed": "SESSION_KIND_CALL, SESSION_KIND_ASR, SESSION_KIND_TTS"},
            ),
            (
                "attempts",
                "UNKNOWN_ENUM_VALUE",
                {"value": 9, "allowed": "ATTEMPTS_LAST, ATTEMPTS_ALL"},
            ),
            missing("filters[0].dimension", allowed=DIMENSION_NAMES),
        ],
    ),
    "parameters of other metrics": (
        {"metrics": [metric("CALLS", threshold_ms=0, percentile=0, causes=[16], occupancy="OCCUPANCY_TALK")]},
        [
            not_allowed("metrics[0].threshold_ms", THRESHOLDS),
            not_allowed("metrics[0].percentile", PERCENTILES),
            not_allowed("metrics[0].causes", CAUSES),
            not_allowed("metrics[0].occupancy", OCCUPANCIES),
        ],
    ),
    "parameters that are missing": (
        {"metrics": [metric("SHORT_CALLS"), metric("PDD_PERCENTILE"), metric("CALLS_WITH_CAUSE")]},
        [missing("metrics[0].threshold_ms"), missing("metrics[1].percentile"), missing("metrics[2].causes")],
    ),
    "parameters out of range": (
        {
            "metrics": [
                metric("SHORT_SHARE", threshold_ms=-1),
                metric("ANSWERED_WITHIN", threshold_ms=604_800_001),
                metric("DURATION_PERCENTILE", percentile=0),
                metric("RING_TIME_PERCENTILE", percentile=100),
            ]
        },
        [
            outside("metrics[0].threshold_ms", -1, 0, 604_800_000),
            outside("metrics[1].threshold_ms", 604_800_001, 0, 604_800_000),
            outside("metrics[2].percentile", 0, 1, 99),
            outside("metrics[3].percentile", 100, 1, 99),
        ],
    ),
    "causes": (
        {"metrics": [metric("NER", causes=[*range(129)]), metric("DELIVERED", causes=[16, 17, 16])]},
        [exceeded("metrics[0].causes", 129, 128), repeated("metrics[1].causes[2]", 16)],
    ),
    "prefixes of too many lengths": (
        {
            "filters": [
                by("DST_PREFIX", texts=["1", "11", *("0" * n + "1" for n in range(1, 63)), "9999"]),
                by("SRC_PREFIX", texts=["+4", "55", "4"]),
            ],
        },
        [("filters[1].texts", "FILTER_VALUE_LIMIT_EXCEEDED", {"asked": 65, "allowed": 64})],
    ),
    "cause that marks absent ones": (
        {"metrics": [metric("CALLS_WITH_CAUSE", causes=[16, INT64_MIN - 1])]},
        [outside("metrics[0].causes[1]", INT64_MIN - 1, INT64_MIN, 2**63 - 1)],
    ),
    "occupancies": (
        {
            "metrics": [
                metric("PEAK"),
                metric("PEAK", occupancy=9),
                metric("PEAK", occupancy="OCCUPANCY_TALK"),
            ]
        },
        [
            (
                "metrics[1].occupancy",
                "UNKNOWN_ENUM_VALUE",
                {"value": 9, "allowed": "OCCUPANCY_TALK, OCCUPANCY_SEIZED"},
            ),
            repeated("metrics[2]", "PEAK"),
        ],
    ),
    "the same twice": (
        {
            "metrics": [
                metric("NER"),
                metric("ASR"),
                metric("NER", causes=[31, 16, 17, 18, 19, 20, 21]),
                metric("SHORT_CALLS", threshold_ms=6),
                metric("SHORT_CALLS", threshold_ms=7),
                metric("ASR"),
            ],
            "group_by": [by("KIND"), by("SRC_PREFIX", digits=1), by("DST_PREFIX", digits=1), by("KIND")],
        },
        [
            repeated("group_by[3].dimension", "KIND"),
            repeated("metrics[2]", "NER"),
            repeated("metrics[5]", "ASR"),
        ],
    ),
    "too many": (
        {
            "metrics": [metric("PDD_PERCENTILE", percentile=1 + i) for i in range(33)],
            "group_by": [by("KIND")] * 5,
            "filters": [by("KIND", integers=[1])] * 33,
        },
        [exceeded("group_by", 5, 4), exceeded("metrics", 33, 32), exceeded("filters", 33, 32)],
    ),
    "digits": (
        {
            "group_by": [
                by("SRC_PREFIX"),
                by("DST_PREFIX", digits=9, code_deck=1),
                by("ORIG_CLIENTS_ID", digits=3),
                by("COMPANY", code_deck=1),
            ]
        },
        [
            missing("group_by[0].digits"),
            outside("group_by[1].digits", 9, 1, 8),
            conflict("group_by[1]", "group_by[1].digits, group_by[1].code_deck"),
            not_allowed("group_by[2].digits", "SRC_PREFIX, DST_PREFIX"),
            not_allowed(
                "group_by[3].code_deck",
                "SRC_PREFIX, DST_PREFIX, ORIG_RATES_CODE, ORIG_RATES_CODE_NAME, ORIG_RATES_COUNTRY,"
                " TERM_RATES_CODE, TERM_RATES_CODE_NAME, TERM_RATES_COUNTRY",
            ),
        ],
    ),
    "several code decks": (
        {
            "group_by": [by("DST_PREFIX", code_deck=1), by("ORIG_RATES_CODE")],
            "filters": [
                by("ORIG_RATES_COUNTRY", texts=["Norway"], code_deck=2),
                by("SRC_PREFIX", texts=["49"], code_deck=1),
            ],
        },
        [
            not_allowed("filters[1].code_deck", "*_RATES_*"),
            missing("group_by[1].code_deck"),
            conflict("filters[0].code_deck", "group_by[0].code_deck, filters[0].code_deck"),
        ],
    ),
    "filters of the wrong kind": (
        {
            "filters": [
                by("COMPANY", integers=[1], range={"low": 1}),
                by("TENANT_ID", texts=["1"], text={"eq": "1"}),
            ]
        },
        [
            not_allowed("filters[0].integers", "texts, text"),
            not_allowed("filters[0].range", "texts, text"),
            not_allowed("filters[1].texts", "integers, range"),
            not_allowed("filters[1].text", "integers, range"),
        ],
    ),
    "filters without a condition": (
        {
            "filters": [
                by("COMPANY", negate=True, absent=False),
                by("COMPANY", texts=["", "a" * 257]),
                by("COMPANY", text={}),
                by("TENANT_ID", range={}),
                by("TENANT_ID", range={"low": 2, "high": 1}),
                by("DST_PREFIX", texts=["+"], text={"starts_with": "+"}),
                by("DST_PREFIX", text={"contains": "+4"}),
            ]
        },
        [
            ("filters[0]", "EMPTY_FILTER", {}),
            ("filters[1].texts[0]", "EMPTY_FILTER", {}),
            ("filters[1].texts[1]", "TEXT_TOO_LONG", {"asked": 257, "allowed": 256}),
            ("filters[2].text", "EMPTY_FILTER", {}),
            ("filters[3].range", "EMPTY_FILTER", {}),
            outside("filters[4].range.low", 2, INT64_MIN, 1),
            ("filters[5].text.starts_with", "EMPTY_FILTER", {}),
            ("filters[5].texts[0]", "EMPTY_FILTER", {}),
            not_allowed("filters[6].text.contains", "digits"),
        ],
    ),
    "values that no call has": (
        {
            "filters": [
                by("KIND", integers=[1, 4]),
                by("LAST_ATTEMPT", integers=[2]),
                by("HOUR_OF_DAY", integers=[24]),
                by("WEEKDAY", integers=[0]),
            ]
        },
        [
            outside("filters[0].integers[1]", 4, 1, 3),
            outside("filters[1].integers[0]", 2, 0, 1),
            outside("filters[2].integers[0]", 24, 0, 23),
            outside("filters[3].integers[0]", 0, 1, 7),
        ],
    ),
    "several comparisons that are negated together": (
        {"filters": [by("COMPANY", text={"starts_with": "a", "ends_with": "b"}, negate=True)]},
        [conflict("filters[0].negate", "filters[0].negate, one comparison in text")],
    ),
    "vendors without attempts": (
        {"group_by": [by("TERM_ACCOUNTS_ID")], "filters": [by("TERM_RATES_CODE", absent=True)]},
        [missing("attempts", allowed="ATTEMPTS_LAST, ATTEMPTS_ALL")],
    ),
    "a rank that is wrong": (
        {"top": {"metric": 1, "limit": 0}},
        [outside("top.limit", 0, 1, 2**31 - 1), outside("top.metric", 1, 0, 0)],
    ),
    "a rank without limit": (
        {"top": {"metric": -1}},
        [missing("top.limit"), outside("top.metric", -1, 0, 0)],
    ),
    "a rank by amounts in several currencies": (
        {
            "metrics": [metric("CALLS"), metric("MARGIN_SHARE")],
            "group_by": [by("VENDOR_CURRENCY")],
            "top": {"metric": 1, "limit": 3},
        },
        [("top.metric", "MIXED_CURRENCIES", {})],
    ),
    "a rank by an instant": (
        {"metrics": [metric("PEAK_AT"), metric("PEAK")], "top": {"limit": 3}},
        [("top.metric", "CONFLICTING_FIELDS", {"allowed": "1"})],
    ),
    "an empty range": (
        {"to_time": "2026-03-29T00:00:00Z"},
        [("from_time", "EMPTY_RANGE", {"from_time": "2026-03-29", "to_time": "2026-03-29T00:00:00Z"})],
    ),
}


@pytest.mark.parametrize(("given", "expected"), REFUSED.values(), ids=REFUSED)
def test_every_violation_is_reported(given: dict[str, Any], expected: list[Expected]) -> None:
    check_refused(lambda: query_of(**given), expected)


def test_values_of_all_filters_together_are_counted() -> None:
    filters = [by("TENANT_ID", integers=[1, 2]), by("COMPANY", texts=["a", "b"])]
    request = make_request(filters=filters)
    assert traffic_query(request, Config(filter_value_count_max=4))
    check_refused(
        lambda: traffic_query(request, Config(filter_value_count_max=3)),
        [("filters", "FILTER_VALUE_LIMIT_EXCEEDED", {"asked": 4, "allowed": 3})],
    )


def test_the_reason_why_attempts_are_required_is_told() -> None:
    (text,) = check_refused(
        lambda: query_of(group_by=[by("TERM_CLIENTS_ID")]),
        [missing("attempts", allowed="ATTEMPTS_LAST, ATTEMPTS_ALL")],
    )
    assert "such as ATTEMPTS_ALL: the last attempts of calls alone leave out those that failed" in text


def test_a_request_becomes_a_query() -> None:
    query = query_of(
        to_time="2026-03-30",
        granularity="GRANULARITY_HOUR",
        time_zone="Europe/Berlin",
        metrics=[metric("ASR"), metric("FAILED"), metric("ACD")],
        group_by=[by("TERM_ACCOUNTS_ID"), by("DST_PREFIX", digits=4), by("HOUR_OF_DAY")],
        filters=[by("ACCOUNT_ID", texts=["a"], absent=True)],
        attempts="ATTEMPTS_ALL",
        top={"metric": 1, "limit": 3, "ascending": True, "other": True},
    )
    from_us, change_us, hour_us = 1_774_738_800_000_000, 1_774_746_000_000_000, 3_600_000_000
    assert (query.from_us, query.granularity) == (from_us, Granularity.HOUR)
    assert query.predicates == (
        OneOf("kind", (1,)),
        Present("end_time", wanted=True),
        OneOf("account_id", ("a",), or_absent=True),
    )
    assert query.keys == (
        ColumnKey("term_accounts_id"),
        PrefixKey("dst_prefix_routing", 4),
        LocalTimeKey("hour", (from_us, change_us), (hour_us, 2 * hour_us)),
    )
    assert query.measures == (
        TrafficMeasure("count", "all"),
        TrafficMeasure("count", "answered"),
        TrafficMeasure("sum", "duration_ms"),
    )
    assert [column.figure for column in query.columns] == [
        Figure("ratio", 1, 0, multiplier=100),
        Figure("difference", 0, 1),
        Figure("ratio", 2, 1, divisor=1_000),
    ]
    assert query.top == Top(1, 3, ascending=True, other=True)


def test_last_attempts_of_calls_are_the_default() -> None:
    query = query_of()
    assert query.predicates == (
        OneOf("kind", (1,)),
        OneOf("is_last_attempt", (1,)),
        Present("end_time", True),
    )
    assert (query.granularity, query.to_us, query.keys, query.top) == (None, None, (), None)


def column_of(name: str, **more: Any) -> traffic_pb2.TrafficColumn:
    """Returns the column of a metric with the parameters that it requires."""
    rule = METRICS[traffic_pb2.TrafficMetric.Value(f"TRAFFIC_METRIC_{name}")]
    given = {"threshold_ms": 6_000, "percentile": 95, "causes": [34], "occupancy": "OCCUPANCY_SEIZED"}
    parameters = {rule.parameter: given[rule.parameter]} if rule.parameter and not rule.default_causes else {}
    (column,) = query_of(metrics=[metric(name, **parameters)], **more).columns
    return traffic_pb2.TrafficColumn.FromString(column.header)


SUMS = {
    *("CALLS", "ANSWERED", "FAILED", "DURATION_MS", "SHORT_CALLS", "CALLS_WITH_CAUSE", "DELIVERED"),
    *("PDD_COUNT", "REVENUE", "COST", "MARGIN", "UNRATED", "OCCUPIED_US"),
}
MONEY = {"REVENUE", "COST", "MARGIN", "MARGIN_SHARE"}


@pytest.mark.parametrize("number", METRICS, ids=metric_name)
def test_each_metric_says_how_it_adds_up(number: int) -> None:
    name = metric_name(number)
    column = column_of(name)
    of_bins = "SUM" if name in SUMS else "MAX" if name in {"CPS_PEAK", "PEAK"} else "NONE"
    of_groups = "SUM" if name in SUMS | {"CPS", "ERLANG"} else "NONE"
    found = [traffic_pb2.Additivity.Name(each) for each in (column.over_bins, column.over_groups)]
    assert found == [f"ADDITIVITY_{of_bins}", f"ADDITIVITY_{of_groups}"]
    by_currency = column_of(name, group_by=[by("CURRENCY")])
    assert by_currency.over_groups == (traffic_pb2.ADDITIVITY_NONE if name in MONEY else column.over_groups)


def test_every_metric_has_a_rule() -> None:
    assert [0, *METRICS] == traffic_pb2.TrafficMetric.values()


def test_default_causes_are_echoed() -> None:
    assert list(column_of("NER").metric.causes) == [16, 17, 18, 19, 20, 21, 31]
    (column,) = query_of(metrics=[metric("DELIVERED", causes=[17, 16])]).columns
    assert list(traffic_pb2.TrafficColumn.FromString(column.header).metric.causes) == [17, 16]


def test_amounts_in_several_currencies_have_no_totals() -> None:
    metrics = [metric("COST"), metric("CALLS")]
    assert [column.has_totals for column in query_of(metrics=metrics).columns] == [True, True]
    query = query_of(metrics=metrics, group_by=[by("CURRENCY")])
    assert [column.has_totals for column in query.columns] == [False, True]
    assert [column.currencies for column in query.columns] == [("vendor_currency",), ()]


def test_a_code_deck_is_that_of_the_scan() -> None:
    query = query_of(filters=[by("ORIG_RATES_COUNTRY", texts=["Norway"], code_deck=3)])
    assert query.code_deck == 3
    assert query.predicates[-1] == OneOf("orig_rates_country", ("Norway",))
    assert Between("tenant_id", 1, 0) not in query.predicates


def test_talk_is_the_occupancy_unless_another_is_given() -> None:
    names = ("PEAK", "PEAK_AT", "ERLANG", "OCCUPIED_US")
    talk = [metric(name) for name in names]
    query = query_of(metrics=[*talk, *({**each, "occupancy": "OCCUPANCY_SEIZED"} for each in talk)])
    headers = [traffic_pb2.TrafficColumn.FromString(column.header) for column in query.columns]
    assert [each.metric.occupancy for each in headers] == [traffic_pb2.OCCUPANCY_TALK] * 4 + [
        traffic_pb2.OCCUPANCY_SEIZED
    ] * 4
    # Figures that are of the same intervals share their measures.
    assert query.measures == (
        TrafficMeasure("count", "all"),
        TrafficMeasure("occupancy", "talk"),
        TrafficMeasure("occupied", "talk"),
        TrafficMeasure("occupancy", "seized"),
        TrafficMeasure("occupied", "seized"),
    )
    assert [column.figure for column in query.columns[:4]] == [
        Figure("peak", 1),
        Figure("peak_at", 1),
        Figure("rate", 2),
        Figure("integer", 2),
    ]
