"""Limits of the lists in requests: each is counted, and no value of a longer one is looked at."""

from collections.abc import Callable, Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from pegcount import core
from pegcount.config import Config
from pegcount.errors import InvalidRequestError
from pegcount.request import (
    active_query,
    check_counts,
    check_field_count,
    check_lists,
    list_fields,
    quality_query,
    usage_query,
)
from pegcount.request.list_limits import LIST_LIMITS
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2
from pegcount.v1.reports_pb2 import (
    ActiveSessionFilters,
    QueryActiveSessionsRequest,
    QueryAsrUsageRequest,
    QueryOriginationQualityRequest,
)

from request_tests.refusals import Expected, check_refused

NOW_US = 1_774_872_000_000_000
NAMES = [field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields if field.name != "level"]
IDS = ("app_ids", "comp_ids", "tenant_ids")
FILTERS = [field.name for field in ActiveSessionFilters.DESCRIPTOR.fields]


def requests() -> Iterator[Descriptor]:
    """The request messages of all methods."""
    for file in (
        admin_pb2.DESCRIPTOR,
        records_pb2.DESCRIPTOR,
        reports_pb2.DESCRIPTOR,
        traffic_pb2.DESCRIPTOR,
    ):
        for service in file.services_by_name.values():
            yield from (method.input_type for method in service.methods)


def lists_in(message: Descriptor) -> Iterator[FieldDescriptor]:
    """All lists in a message, also those of messages in it and in its lists."""
    for field in message.fields:
        if field.is_repeated:
            yield field
        if field.message_type is not None:
            yield from lists_in(field.message_type)


def test_each_list_of_each_request_has_a_limit() -> None:
    lists = {field.full_name for request in requests() for field in lists_in(request)}
    assert lists == set(LIST_LIMITS)
    assert len(lists) == 46


def test_the_limits_are_those_of_the_configuration() -> None:
    counts = {name: limit.count_max(Config()) for name, limit in LIST_LIMITS.items()}
    others = {name: count for name, count in counts.items() if count != 10_000}
    assert others == {
        "pegcount.v1.QueryTrafficRequest.metrics": 32,
        "pegcount.v1.QueryTrafficRequest.group_by": 4,
        "pegcount.v1.QueryTrafficRequest.filters": 32,
        "pegcount.v1.QueryFeedHealthRequest.sources": 100,
        "pegcount.v1.WatchTrafficRequest.rules": 32,
        "pegcount.v1.MetricSpec.causes": 32 * 128,
        "pegcount.v1.OpenHours.weekdays": 7,
        "pegcount.v1.OpenHours.excluded_dates": 400,
        "pegcount.v1.QueryActiveSessionsRequest.return_fields": 33,
        "pegcount.v1.QueryActiveSessionsRequest.order": 33,
        "pegcount.v1.PutCodeDeckRequest.entries": 500_000,
        "pegcount.v1.WriteRecordsRequest.records": 100_000,
        "pegcount.v1.ErasePartiesRequest.parties": 1_000,
        "pegcount.v1.CreateCredentialRequest.scopes": 16,
        "pegcount.v1.CreateCredentialRequest.certificate_names": 16,
        **{field.full_name: 1_000 for field in admin_pb2.DataScope.DESCRIPTOR.fields},
    }


def exceeded(field: str, allowed: int, reason: str = "LIST_LIMIT_EXCEEDED") -> Expected:
    return (field, reason, {"asked": allowed + 1, "allowed": allowed})


@pytest.mark.parametrize("name", ["return_fields", "order"])
def test_names_are_counted_before_they_are_compared(name: str) -> None:
    def ask(names: list[str]) -> object:
        request = QueryActiveSessionsRequest(return_fields=NAMES)
        del getattr(request, name)[:]
        getattr(request, name).extend(names)
        return active_query(request, Config())

    assert ask(NAMES)
    check_refused(lambda: ask(["unknown"] * 34), [exceeded(name, 33)])


def test_order_is_not_compared_with_too_many_fields() -> None:
    request = QueryActiveSessionsRequest(return_fields=[*NAMES, "x"], order=["quantity", "unknown"])
    with pytest.raises(InvalidRequestError) as raised:
        active_query(request, Config())
    found = [(violation.field, violation.reason) for violation in raised.value.violations]
    assert found == [("return_fields", "LIST_LIMIT_EXCEEDED"), ("order[1]", "UNKNOWN_NAME")]


@pytest.mark.parametrize("name", FILTERS)
def test_filter_values_of_active_sessions_are_counted(name: str) -> None:
    def ask(count: int) -> object:
        values = [str(i) for i in range(count)] if name.endswith(("_code", "_code_name")) else range(count)
        filters = ActiveSessionFilters(**{name: values})  # type: ignore[arg-type]
        request = QueryActiveSessionsRequest(return_fields=["quantity"], filters=filters)
        return active_query(request, Config())

    assert ask(10_000)
    check_refused(lambda: ask(10_001), [exceeded(f"filters.{name}", 10_000, "FILTER_VALUE_LIMIT_EXCEEDED")])


@pytest.mark.parametrize("name", ["account_ids", "absent"])
def test_lists_of_quality_are_counted(name: str) -> None:
    values = ["account_id"] * 3
    request = QueryOriginationQualityRequest(
        account_id="" if name == "account_ids" else "a",
        from_time="2026-03-29",
        sampling=reports_pb2.GRANULARITY_DAY,
    )
    getattr(request, name).extend(values)
    check_refused(
        lambda: quality_query(request, Config(filter_value_count_max=2)),
        [exceeded(name, 2, "FILTER_VALUE_LIMIT_EXCEEDED")],
    )


@pytest.mark.parametrize("name", IDS)
def test_filter_values_of_usage_are_counted(name: str) -> None:
    def ask(count: int) -> object:
        request = QueryAsrUsageRequest(from_time="2026-03-29", granularity=reports_pb2.GRANULARITY_DAY)
        getattr(request, name).extend(range(count))
        return usage_query(request, Config())

    assert ask(10_000)
    check_refused(lambda: ask(10_001), [exceeded(name, 10_000, "FILTER_VALUE_LIMIT_EXCEEDED")])


def test_scopes_of_a_credential_are_counted() -> None:
    def check_scopes(count: int) -> None:
        scopes = [admin_pb2.SCOPE_ADMIN] * count
        check_lists(admin_pb2.CreateCredentialRequest(scopes=scopes), Config())

    check_scopes(16)
    check_refused(lambda: check_scopes(17), [exceeded("scopes", 16)])


LONG = QueryActiveSessionsRequest(
    return_fields=["a", ""],
    order=["b"] * 3,
    filters=ActiveSessionFilters(equipment_id=[1, 300, -1], term_rates_code_name=["x"] * 4),
)


def unpacked(request: QueryActiveSessionsRequest) -> bytes:
    """Appends a second `filters` with two ids that are not packed, which a parser merges with the first."""
    return request.SerializeToString() + bytes([0x12, 4, 0x08, 5, 0x08, 6])


@pytest.mark.parametrize("encode", [QueryActiveSessionsRequest.SerializeToString, unpacked])
def test_the_core_counts_what_a_parser_finds(encode: Callable[[Message], bytes]) -> None:
    data = encode(LONG)
    lists = list_fields(QueryActiveSessionsRequest)
    parsed = QueryActiveSessionsRequest.FromString(data)
    expected = {f"filters.{name}": len(getattr(parsed.filters, name)) for name in FILTERS}
    expected |= {name: len(getattr(parsed, name)) for name in ("return_fields", "order")}
    assert (
        dict(zip((field.name for field in lists), core.count_lists(data, lists)[0], strict=True)) == expected
    )
    assert sum(expected.values()) in (12, 14)


def test_counts_over_their_limits_are_violations() -> None:
    lists = list_fields(QueryAsrUsageRequest)
    assert [field.name for field in lists] == [*IDS, "absent"]
    config = Config(filter_value_count_max=2)
    check_counts(lists, [2, 0, 2, 2], config)
    expected = [exceeded(name, 2, "FILTER_VALUE_LIMIT_EXCEEDED") for name in ("app_ids", "tenant_ids")]
    check_refused(lambda: check_counts(lists, [3, 2, 3, 2], config), expected)


def test_fields_of_any_kind_are_counted() -> None:
    """Parsing two million empty `filters`, which are one message, takes 60 ms."""
    lists = list_fields(QueryActiveSessionsRequest)
    data = QueryActiveSessionsRequest(return_fields=["quantity"]).SerializeToString() + b"\x12\x00" * 99
    assert core.count_lists(data, lists)[1] == 100
    check_field_count(100, Config(request_field_count_max=100))
    check_refused(
        lambda: check_field_count(101, Config(request_field_count_max=100)), [exceeded("request", 100)]
    )
