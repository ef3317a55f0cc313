"""Queries become the requests that they name, and what would be misread is refused."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from google.protobuf.message import Message
from pegcount.v1 import feed_health_pb2, records_pb2, reports_pb2, traffic_pb2
from pegcount_client.enums import Comparison, Granularity, Grouping, SessionKind
from pegcount_client.filters import DecimalFilter, IntegerFilter, TextFilter
from pegcount_client.queries import (
    ActiveSessionsQuery,
    AsrUsageQuery,
    FeedHealthQuery,
    FolderStatsQuery,
    OriginationQualityQuery,
    TrafficQuery,
)
from pegcount_client.requests import (
    active_sessions_request,
    asr_usage_request,
    feed_health_request,
    folder_stats_request,
    origination_quality_request,
    traffic_request,
)
from pegcount_client.traffic_query import GroupBy, Metric, OpenHours, Top, Where

BERLIN = ZoneInfo("Europe/Berlin")
Ask = Callable[[Any], Message]

FULL: list[tuple[Ask, type, Mapping[str, object], Message]] = [
    (
        asr_usage_request,
        AsrUsageQuery,
        {
            "from_time": datetime(2026, 3, 29, tzinfo=BERLIN),
            "to_time": date(2026, 3, 30),
            "granularity": Granularity.DAY,
            "time_zone": BERLIN,
            "app_ids": [1, 2**63 - 1],
            "comp_ids": {3},
            "tenant_ids": np.array([2**53 + 1]),
            "sma_period": 7,
            "kind": "call",
            "absent": ("app_id",),
        },
        reports_pb2.QueryAsrUsageRequest(
            from_time="2026-03-29T00:00:00+01:00",
            to_time="2026-03-30",
            granularity=reports_pb2.GRANULARITY_DAY,
            time_zone="Europe/Berlin",
            app_ids=[1, 2**63 - 1],
            comp_ids=[3],
            tenant_ids=[2**53 + 1],
            sma_period=7,
            kind=records_pb2.SESSION_KIND_CALL,
            absent=["app_id"],
        ),
    ),
    (
        active_sessions_request,
        ActiveSessionsQuery,
        {
            "return_fields": ["orig_clients_id", "quantity"],
            "filters": {"equipment_id": [7], "term_rates_code": ["49", "44"]},
            "order": ["-quantity"],
            "limit": 10,
            "grouping": Grouping.ROLLUP,
            "code_deck": 5,
            "time_zone": UTC,
        },
        reports_pb2.QueryActiveSessionsRequest(
            return_fields=["orig_clients_id", "quantity"],
            filters=reports_pb2.ActiveSessionFilters(equipment_id=[7], term_rates_code=["49", "44"]),
            order=["-quantity"],
            limit=10,
            grouping=reports_pb2.GROUPING_ROLLUP,
            code_deck=5,
            time_zone="UTC",
        ),
    ),
    (
        folder_stats_request,
        FolderStatsQuery,
        {
            "company": "acme",
            "organization": "north",
            "folder": "sales",
            "from_date": date(2026, 3, 29),
            "to_date": "20260330",
            "time_zone": "Europe/Berlin",
        },
        reports_pb2.QueryFolderStatsRequest(
            company="acme",
            organization="north",
            folder="sales",
            from_date="2026-03-29",
            to_date="20260330",
            time_zone="Europe/Berlin",
        ),
    ),
    (
        origination_quality_request,
        OriginationQualityQuery,
        {
            "account_id": "1001",
            "account_ids": ["1002"],
            "all_accounts": False,
            "from_time": "2026-03-29T08:00:00.5",
            "to_time": datetime(2026, 3, 29, 9, 0, 0, 1),
            "sampling": "five_minutes",
            "time_zone": "Europe/Berlin",
            "src_country_id": 0,
            "dst_country_id": 49,
            "src_prefix_routing": TextFilter(starts_with="49", ends_with="1", contains="0"),
            "dst_prefix_routing": TextFilter(absent=True),
            "duration": IntegerFilter(gt=0, lt=60),
            "auth_orig_ip": "198.51.100.0/24",
            "customer_price": DecimalFilter(gt=Decimal("1E-9"), lt=Decimal("1E+3"), eq="0.0125"),
            "absent": ["account_id"],
        },
        reports_pb2.QueryOriginationQualityRequest(
            account_id="1001",
            account_ids=["1002"],
            all_accounts=False,
            from_time="2026-03-29T08:00:00.5",
            to_time="2026-03-29T09:00:00.000001",
            sampling=reports_pb2.GRANULARITY_FIVE_MINUTES,
            time_zone="Europe/Berlin",
            src_country_id=0,
            dst_country_id=49,
            src_prefix_routing=reports_pb2.TextFilter(starts_with="49", ends_with="1", contains="0"),
            dst_prefix_routing=reports_pb2.TextFilter(absent=True),
            duration=reports_pb2.IntegerFilter(gt=0, lt=60),
            auth_orig_ip="198.51.100.0/24",
            customer_price=reports_pb2.DecimalFilter(gt="0.000000001", lt="1000", eq="0.0125"),
            absent=["account_id"],
        ),
    ),
    (
        traffic_request,
        TrafficQuery,
        {
            "from_time": datetime(2026, 3, 29, tzinfo=BERLIN),
            "to_time": "2026-03-30",
            "metrics": ["asr", Metric("PDD_PERCENTILE", percentile=95), Metric("NER", causes=(16, 17))],
            "group_by": ["TERM_ACCOUNTS_ID", GroupBy("DST_PREFIX", digits=4)],
            "filters": [
                Where(dimension="TENANT_ID", integers=[1, 2], low=5, absent=True),
                Where(dimension="COMPANY", texts=["acme"], text=TextFilter(starts_with="b"), negate=True),
            ],
            "granularity": Granularity.DAY,
            "time_zone": BERLIN,
            "attempts": "all",
            "kind": SessionKind.CALL,
            "top": Top(10, metric=1, ascending=True, other=True),
            "compare": Comparison.WEEK,
            "open_hours": OpenHours(
                weekdays=(1, 5),
                from_time=time(8),
                to_time="24:00",
                excluded_dates=[date(2026, 12, 25), "2026-12-26"],
            ),
        },
        traffic_pb2.QueryTrafficRequest(
            from_time="2026-03-29T00:00:00+01:00",
            to_time="2026-03-30",
            metrics=[
                traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_ASR),
                traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_PDD_PERCENTILE, percentile=95),
                traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_NER, causes=[16, 17]),
            ],
            group_by=[
                traffic_pb2.GroupSpec(dimension=traffic_pb2.TRAFFIC_DIMENSION_TERM_ACCOUNTS_ID),
                traffic_pb2.GroupSpec(dimension=traffic_pb2.TRAFFIC_DIMENSION_DST_PREFIX, digits=4),
            ],
            filters=[
                traffic_pb2.TrafficFilter(
                    dimension=traffic_pb2.TRAFFIC_DIMENSION_TENANT_ID,
                    integers=[1, 2],
                    range=traffic_pb2.IntegerRange(low=5),
                    absent=True,
                ),
                traffic_pb2.TrafficFilter(
                    dimension=traffic_pb2.TRAFFIC_DIMENSION_COMPANY,
                    texts=["acme"],
                    text=reports_pb2.TextFilter(starts_with="b"),
                    negate=True,
                ),
            ],
            granularity=reports_pb2.GRANULARITY_DAY,
            time_zone="Europe/Berlin",
            attempts=traffic_pb2.ATTEMPTS_ALL,
            kind=records_pb2.SESSION_KIND_CALL,
            top=traffic_pb2.TopSpec(limit=10, metric=1, ascending=True, other=True),
            compare=traffic_pb2.COMPARISON_WEEK,
            open_hours=traffic_pb2.OpenHours(
                weekdays=[1, 5],
                from_time="08:00",
                to_time="24:00",
                excluded_dates=["2026-12-25", "2026-12-26"],
            ),
        ),
    ),
    (
        feed_health_request,
        FeedHealthQuery,
        {"sources": ["pbx", ""], "time_zone": BERLIN, "rejected_days": 3},
        feed_health_pb2.QueryFeedHealthRequest(
            sources=["pbx", ""], time_zone="Europe/Berlin", rejected_days=3
        ),
    ),
]


@pytest.mark.parametrize(("ask", "query_type", "query", "request_message"), FULL)
def test_every_field_of_a_request_can_be_asked_for(
    ask: Ask, query_type: type, query: Mapping[str, object], request_message: Message
) -> None:
    fields = set(request_message.DESCRIPTOR.fields_by_name)
    assert set(query_type.__annotations__) == set(query) == fields
    assert ask(query) == request_message


@pytest.mark.parametrize(("ask", "query_type", "query", "request_message"), FULL)
def test_none_is_absent(
    ask: Ask, query_type: type, query: Mapping[str, object], request_message: Message
) -> None:
    assert ask(dict.fromkeys(query)) == ask({}) == type(request_message)()


@pytest.mark.parametrize(
    ("kind", "values"),
    [(TextFilter, "a"), (IntegerFilter, 0), (DecimalFilter, 0)],
)
def test_every_comparison_can_be_made(kind: Any, values: object) -> None:
    names = {field.name for field in kind().to_message().DESCRIPTOR.fields}
    assert names == set(kind.__dataclass_fields__)
    for name in names:
        message = kind(**{name: True if name == "absent" else values}).to_message()
        assert [field.name for field, _ in message.ListFields()] == [name]


def usage(**query: Any) -> reports_pb2.QueryAsrUsageRequest:
    return asr_usage_request({"from_time": "2026-03-29", "granularity": "DAY", **query})  # type: ignore[typeddict-item]


def active(**query: Any) -> reports_pb2.QueryActiveSessionsRequest:
    return active_sessions_request({"return_fields": ["quantity"], **query})  # type: ignore[typeddict-item]


def folders(**query: Any) -> reports_pb2.QueryFolderStatsRequest:
    return folder_stats_request({"company": "acme", "organization": "north", **query})  # type: ignore[typeddict-item]


def quality(**query: Any) -> reports_pb2.QueryOriginationQualityRequest:
    asked = {"from_time": "2026-03-29", "sampling": "DAY", **query}
    return origination_quality_request(asked)  # type: ignore[arg-type]


def test_the_zone_of_the_times_is_that_of_the_report() -> None:
    start = datetime(2026, 3, 29, tzinfo=BERLIN)
    assert usage(from_time=start, to_time=datetime(2026, 4, 1, tzinfo=UTC)).time_zone == "Europe/Berlin"
    assert quality(from_time=start).time_zone == "Europe/Berlin"
    assert quality(from_time=start, time_zone="Asia/Tokyo").time_zone == "Asia/Tokyo"
    assert not quality(from_time=start.astimezone(UTC)).HasField("time_zone")


def test_times_in_two_zones_need_a_zone() -> None:
    times = {
        "from_time": datetime(2026, 3, 29, tzinfo=BERLIN),
        "to_time": datetime.now(ZoneInfo("Asia/Tokyo")),
    }
    with pytest.raises(ValueError, match="next step: say with time_zone"):
        quality(**times)
    assert quality(**times, time_zone="UTC").from_time == "2026-03-29T00:00:00+01:00"


REFUSED: list[tuple[Callable[..., Message], dict[str, object], type[Exception], str]] = [
    (
        usage,
        {"absent": "tenant_id"},
        TypeError,
        "absent is a list, not 'tenant_id'; next step: absent=.'tenant_id'.",
    ),
    (active, {"return_fields": "quantity"}, TypeError, "return_fields is a list, not 'quantity'"),
    (active, {"order": "-quantity"}, TypeError, "order is a list, not '-quantity'"),
    (active, {"filters": {"term_rates_code": "49"}}, TypeError, "term_rates_code is a list, not '49'"),
    (active, {"filters": {"equipment_id": None}}, TypeError, "equipment_id is a list, not None$"),
    (active, {"return_fields": {"quantity"}}, TypeError, "return_fields is a list, whose order counts"),
    (quality, {"account_ids": "1001"}, TypeError, "account_ids is a list, not '1001'"),
    (quality, {"account_ids": b"1001"}, TypeError, "account_ids is a list, not b'1001'"),
    (usage, {"app_ids": 5}, TypeError, "app_ids is a list, not 5"),
    (usage, {"app_ids": []}, ValueError, "app_ids is empty, which would mean all; next step: leave it out"),
    (quality, {"account_ids": []}, ValueError, "account_ids is empty, which would mean all"),
    (active, {"filters": {"equipment_id": ()}}, ValueError, "equipment_id is empty, which would mean all"),
    (usage, {"app_ids": ["1"]}, TypeError, "app_ids is a whole number, not '1'"),
    (usage, {"app_ids": [1.0]}, TypeError, "app_ids is a whole number, not 1.0"),
    (usage, {"app_ids": [2**63]}, ValueError, "app_ids: Value out of range"),
    (usage, {"sma_period": True}, TypeError, "sma_period is a whole number, not True"),
    (usage, {"sma_period": 2**31}, ValueError, "sma_period: Value out of range"),
    (usage, {"kind": "voice"}, ValueError, 'unknown kind "voice".*Allowed: CALL, ASR, TTS'),
    (usage, {"granularity": "dya"}, ValueError, 'unknown granularity "dya"; did you mean "DAY"?'),
    (usage, {"granularity": 6}, TypeError, "granularity is a Granularity or its name"),
    (usage, {"granularity": SessionKind.ASR}, ValueError, 'unknown granularity "ASR"'),
    (usage, {"tenant_id": [1]}, TypeError, 'unknown argument "tenant_id"; did you mean "tenant_ids"?'),
    (usage, {"from_time": 0}, TypeError, "from_time is a datetime, a date or a text, not int"),
    (
        active,
        {"return_fields": ["quantitiy"]},
        ValueError,
        'in return_fields "quantitiy"; did you mean "quantity"?',
    ),
    (active, {"return_fields": ["level"]}, ValueError, 'unknown field in return_fields "level"'),
    (
        active,
        {"filters": {"orig_account_id": [1]}},
        ValueError,
        'in filters .*did you mean "orig_accounts_id"?',
    ),
    (active, {"filters": {"equipment_id": ["7"]}}, TypeError, "equipment_id is a whole number, not '7'"),
    (active, {"filters": [("equipment_id", [7])]}, TypeError, "filters is a mapping, such as"),
    (active, {"grouping": "cube"}, ValueError, r'unknown grouping "cube"\. Allowed: ROLLUP'),
    (folders, {"company": 5}, TypeError, 'company is a text, not 5; next step: "5"'),
    (folders, {"from_date": datetime(2026, 3, 29, 23)}, TypeError, "from_date is a day, not a datetime"),
    (quality, {"account_id": 1001}, TypeError, 'account_id is a text, not 1001; next step: "1001"'),
    (quality, {"all_accounts": "no"}, TypeError, "all_accounts is True or False, not 'no'"),
    (
        quality,
        {"duration": 60},
        TypeError,
        r"duration takes an IntegerFilter, not 60; next step: IntegerFilter\(eq=60\)",
    ),
    (quality, {"duration": IntegerFilter(gt=0.5)}, TypeError, "duration: gt is a whole number, not 0.5"),  # type: ignore[arg-type]
    (quality, {"src_prefix_routing": "49"}, TypeError, r"next step: TextFilter\(eq='49'\)"),
    (
        quality,
        {"src_prefix_routing": TextFilter(eq=49)},  # type: ignore[arg-type]
        TypeError,
        "src_prefix_routing: eq is a text, not 49",
    ),
    (quality, {"customer_price": DecimalFilter(gt=0.1)}, TypeError, r'customer_price: gt .*Decimal\("0.1"\)'),  # type: ignore[arg-type]
    (quality, {"customer_price": DecimalFilter(gt=True)}, TypeError, "customer_price: gt is a Decimal"),
    (
        quality,
        {"customer_price": DecimalFilter(lt=Decimal("NaN"))},
        ValueError,
        "customer_price: lt must be finite",
    ),
]


@pytest.mark.parametrize(("ask", "query", "error", "message"), REFUSED)
def test_what_would_be_misread_is_refused(
    ask: Callable[..., Message], query: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ask(**query)


def test_lists_that_do_not_filter_may_be_empty() -> None:
    assert usage(absent=[]) == usage()
    assert active(order=[]) == active()
    assert active(filters={}).filters == reports_pb2.ActiveSessionFilters()
