"""Makes requests of queries. What a query leaves out is absent from the request.

The service checks what it needs to know the records or the time for; what would be misread is refused here.
All functions raise TypeError for unknown arguments and values of another type, ValueError for unknown names
and values out of range.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from pegcount.v1 import feed_health_pb2, reports_pb2, traffic_pb2

from pegcount_client.alerts import rule_of
from pegcount_client.arguments import Setter, fill, items_of
from pegcount_client.enums import Attempts, Comparison, Granularity, Grouping, SessionKind, number
from pegcount_client.filters import DecimalFilter, IntegerFilter, TextFilter
from pegcount_client.queries import (
    ActiveSessionsQuery,
    AsrUsageQuery,
    FeedHealthQuery,
    FolderStatsQuery,
    OriginationQualityQuery,
    TrafficQuery,
    TrafficWatchQuery,
)
from pegcount_client.suggestions import unknown_name
from pegcount_client.times import day_text, time_text, zone_name, zone_of_times
from pegcount_client.traffic_query import filter_of, group_of, metric_of, open_hours_of, top_of

RETURN_FIELDS: Final = tuple(
    name for name in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields_by_name if name != "level"
)
"""Names that `return_fields` of active sessions may have."""


def asr_usage_request(query: AsrUsageQuery) -> reports_pb2.QueryAsrUsageRequest:
    """Returns the request for ASR session usage."""
    request = reports_pb2.QueryAsrUsageRequest()
    fill(request, _with_zone_of_times(query), _ASR_USAGE)
    return request


def active_sessions_request(query: ActiveSessionsQuery) -> reports_pb2.QueryActiveSessionsRequest:
    """Returns the request for active sessions."""
    request = reports_pb2.QueryActiveSessionsRequest()
    fill(request, query, _ACTIVE_SESSIONS)
    return request


def folder_stats_request(query: FolderStatsQuery) -> reports_pb2.QueryFolderStatsRequest:
    """Returns the request for folder statistics."""
    request = reports_pb2.QueryFolderStatsRequest()
    fill(request, query, _FOLDER_STATS)
    return request


def origination_quality_request(
    query: OriginationQualityQuery,
) -> reports_pb2.QueryOriginationQualityRequest:
    """Returns the request for origination quality."""
    request = reports_pb2.QueryOriginationQualityRequest()
    fill(request, _with_zone_of_times(query), _ORIGINATION_QUALITY)
    return request


def traffic_request(query: TrafficQuery) -> traffic_pb2.QueryTrafficRequest:
    """Returns the request of a traffic question."""
    request = traffic_pb2.QueryTrafficRequest()
    fill(request, _with_zone_of_times(query), _TRAFFIC)
    return request


def feed_health_request(query: FeedHealthQuery) -> feed_health_pb2.QueryFeedHealthRequest:
    """Returns the request for the health of feeds."""
    request = feed_health_pb2.QueryFeedHealthRequest()
    fill(request, query, _FEED_HEALTH)
    return request


def traffic_watch_request(query: TrafficWatchQuery) -> traffic_pb2.WatchTrafficRequest:
    """Returns the request of a watch."""
    request = traffic_pb2.WatchTrafficRequest()
    of_watch = {name: value for name, value in query.items() if name in _TRAFFIC_WATCH}
    fill(request, of_watch, {"rules": partial(_each, rule_of)})
    asked = {name: value for name, value in query.items() if name not in _TRAFFIC_WATCH}
    fill(request.query, asked, _TRAFFIC)
    # Also where nothing was asked for, so that the service says what it needs.
    request.query.SetInParent()
    return request


def _with_zone_of_times(query: Mapping[str, object]) -> Mapping[str, object]:
    if query.get("time_zone") is not None:
        return query
    return {**query, "time_zone": zone_of_times([query.get("from_time"), query.get("to_time")])}


def _time(name: str, value: Any) -> str:
    return time_text(value, what=name)


def _day(name: str, value: Any) -> str:
    return day_text(value, what=name)


def _zone(_: str, value: Any) -> str:
    return zone_name(value)


def _granularity(name: str, value: Any) -> int:
    return number(Granularity, value, what=name)


def _kind(name: str, value: Any) -> int:
    return number(SessionKind, value, what=name)


def _attempts(name: str, value: Any) -> int:
    return number(Attempts, value, what=name)


def _comparison(name: str, value: Any) -> int:
    return number(Comparison, value, what=name)


def _each(make: Callable[[str, object], object], name: str, value: object) -> list[object]:
    return [make(name, each) for each in items_of(name, value)]


def _grouping(name: str, value: Any) -> int:
    return number(Grouping, value, what=name)


_Filter = TypeVar("_Filter", TextFilter, IntegerFilter, DecimalFilter)


def _filter(kind: type[_Filter], name: str, value: object) -> object:
    if not isinstance(value, kind):
        article = "an" if kind is IntegerFilter else "a"
        raise TypeError(
            f"{name} takes {article} {kind.__name__}, not {value!r}; next step: {kind.__name__}(eq={value!r})"
        )
    try:
        return value.to_message()
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error


def _return_fields(name: str, value: object) -> tuple[object, ...]:
    fields = items_of(name, value)
    for field in fields:
        # A newer server may know a field that this client could not read out of the answer.
        if field not in RETURN_FIELDS:
            raise ValueError(unknown_name(f"field in {name}", str(field), RETURN_FIELDS))
    return fields


def _active_filters(name: str, value: object) -> reports_pb2.ActiveSessionFilters:
    if not isinstance(value, Mapping):
        raise TypeError(f'{name} is a mapping, such as {{"orig_accounts_id": [1001]}}, not {value!r}')
    filters = reports_pb2.ActiveSessionFilters()
    known = filters.DESCRIPTOR.fields_by_name
    for field in value:
        if field not in known:
            raise ValueError(unknown_name(f"field in {name}", str(field), known))
    # None is refused here, where it would mean all.
    fill(filters, {field: items_of(field, values) for field, values in value.items()}, {})
    return filters


_TIMES: Final[Mapping[str, Setter]] = {"from_time": _time, "to_time": _time, "time_zone": _zone}
_ASR_USAGE: Final[Mapping[str, Setter]] = {**_TIMES, "granularity": _granularity, "kind": _kind}
_ACTIVE_SESSIONS: Final[Mapping[str, Setter]] = {
    "return_fields": _return_fields,
    "filters": _active_filters,
    "grouping": _grouping,
    "time_zone": _zone,
}
_FOLDER_STATS: Final[Mapping[str, Setter]] = {"from_date": _day, "to_date": _day, "time_zone": _zone}
_FEED_HEALTH: Final[Mapping[str, Setter]] = {"time_zone": _zone, "sources": items_of}
_ORIGINATION_QUALITY: Final[Mapping[str, Setter]] = {
    **_TIMES,
    "sampling": _granularity,
    "src_prefix_routing": partial(_filter, TextFilter),
    "dst_prefix_routing": partial(_filter, TextFilter),
    "duration": partial(_filter, IntegerFilter),
    "customer_price": partial(_filter, DecimalFilter),
}
_TRAFFIC: Final[Mapping[str, Setter]] = {
    **_TIMES,
    "granularity": _granularity,
    "kind": _kind,
    "attempts": _attempts,
    "metrics": partial(_each, metric_of),
    "group_by": partial(_each, group_of),
    "filters": partial(_each, filter_of),
    "top": top_of,
    "compare": _comparison,
    "open_hours": open_hours_of,
}
_TRAFFIC_WATCH: Final = ("last_bins", "interval_ms", "rules")
