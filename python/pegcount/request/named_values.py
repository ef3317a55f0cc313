"""Which ids and fields a request for a report names, as far as a data scope may forbid them."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from pegcount.data_scope import Metric
from pegcount.request.traffic_dimensions import DIMENSIONS, is_prefix
from pegcount.request.traffic_metrics import METRICS, metric_name
from pegcount.v1 import feed_health_pb2, reports_pb2, traffic_pb2


@dataclass(frozen=True, slots=True)
class NamedIds:
    """Ids that a field of a request names, and the column of records that they are of."""

    field: str
    """Where the request names them, such as `tenant_ids`."""
    column: str
    values: Sequence[int] | Sequence[str]
    is_list: bool

    def path(self, index: int) -> str:
        """Returns where the request names one of the values, such as `tenant_ids[0]`."""
        return f"{self.field}[{index}]" if self.is_list else self.field


@dataclass(frozen=True, slots=True)
class NamedField:
    """A field that a request returns, orders by or filters by."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class NamedFigure:
    """What a request asks for that tells figures."""

    path: str
    name: str
    tells: Set[Metric]


_FILTERS_OF_FIGURES: Final = ("duration", "customer_price")
"""Filters of origination quality by what a call came to."""


def named_ids(request: Any) -> Iterator[NamedIds]:
    """Yields the ids of a request for a report that are values of a column of a data scope.

    A list that does not fit the rest of the request is among them: whether a request is valid does not
    matter here.
    """
    match request:
        case reports_pb2.QueryAsrUsageRequest():
            yield from _of_list("tenant_ids", "tenant_id", request.tenant_ids)
        case reports_pb2.QueryActiveSessionsRequest():
            filters = request.filters
            yield from _of_list("filters.orig_clients_id", "orig_clients_id", filters.orig_clients_id)
            yield from _of_list("filters.term_clients_id", "term_clients_id", filters.term_clients_id)
        case reports_pb2.QueryFolderStatsRequest():
            yield from _of_text("company", request.company)
            yield from _of_text("organization", request.organization)
        case reports_pb2.QueryOriginationQualityRequest():
            yield from _of_text("account_id", request.account_id)
            yield from _of_list("account_ids", "account_id", request.account_ids)
        case traffic_pb2.QueryTrafficRequest():
            yield from _ids_of_filters(request)
        case feed_health_pb2.QueryFeedHealthRequest():
            yield from _of_list("sources", "source", request.sources)


def named_fields(request: reports_pb2.QueryActiveSessionsRequest) -> Iterator[NamedField]:
    """Yields the fields of active sessions that a request returns, orders by and filters by."""
    for index, name in enumerate(request.return_fields):
        yield NamedField(f"return_fields[{index}]", name)
    for index, name in enumerate(request.order):
        yield NamedField(f"order[{index}]", name.removeprefix("-"))
    for descriptor, _ in request.filters.ListFields():
        yield NamedField(f"filters.{descriptor.name}", descriptor.name)


def named_columns(request: Any) -> Iterator[NamedField]:
    """Yields the fields of records that a request filters by, besides those of active sessions.

    To ask for records without a value filters by the field, too.
    """
    match request:
        case reports_pb2.QueryAsrUsageRequest():
            yield from _of_columns(request, ("tenant_ids", "tenant_id"))
        case reports_pb2.QueryFolderStatsRequest():
            yield from _of_columns(request, *((name, name) for name in ("company", "organization", "folder")))
        case reports_pb2.QueryOriginationQualityRequest():
            yield from _of_columns(request, ("account_id", "account_id"), ("account_ids", "account_id"))
            if request.HasField("customer_price"):
                yield NamedField("customer_price", "customer_price")
        case traffic_pb2.QueryTrafficRequest():
            yield from _columns_of_traffic(request)
        case feed_health_pb2.QueryFeedHealthRequest():
            # The answer is by source, whichever are named.
            yield NamedField("sources", "source")
    for index, name in enumerate(getattr(request, "absent", ())):
        yield NamedField(f"absent[{index}]", name)


def named_filters(request: reports_pb2.QueryOriginationQualityRequest) -> Iterator[NamedField]:
    """Yields the filters by figures that a request for origination quality has."""
    for name in _FILTERS_OF_FIGURES:
        if request.HasField(name):
            yield NamedField(name, name)


def named_figures(request: traffic_pb2.QueryTrafficRequest) -> Iterator[NamedFigure]:
    """Yields what a traffic question asks for that tells figures; a code deck tells rates."""
    for index, metric in enumerate(request.metrics):
        if metric.metric in METRICS:
            name = metric_name(metric.metric)
            yield NamedFigure(f"metrics[{index}].metric", name, METRICS[metric.metric].tells)
    for index, group in enumerate(request.group_by):
        if group.HasField("code_deck"):
            yield NamedFigure(f"group_by[{index}].code_deck", "code_deck", {Metric.PRICE})


def _ids_of_filters(request: traffic_pb2.QueryTrafficRequest) -> Iterator[NamedIds]:
    """Yields the values of filters; organizations first, as these are of all companies of the request."""
    known = [(index, each) for index, each in enumerate(request.filters) if each.dimension in DIMENSIONS]
    for index, each in sorted(known, key=lambda one: DIMENSIONS[one[1].dimension].column != "organization"):
        if is_prefix(each.dimension):
            continue
        field, column = f"filters[{index}]", DIMENSIONS[each.dimension].column
        yield from _of_list(f"{field}.integers", column, each.integers)
        yield from _of_list(f"{field}.texts", column, each.texts)
        if each.text.eq:
            yield NamedIds(f"{field}.text.eq", column, (each.text.eq,), is_list=False)


def _columns_of_traffic(request: traffic_pb2.QueryTrafficRequest) -> Iterator[NamedField]:
    for name in ("group_by", "filters"):
        for index, each in enumerate(getattr(request, name)):
            if each.dimension in DIMENSIONS:
                yield NamedField(f"{name}[{index}].dimension", DIMENSIONS[each.dimension].column)
    for index, metric in enumerate(request.metrics):
        if metric.metric in METRICS:
            for column in METRICS[metric.metric].columns:
                yield NamedField(f"metrics[{index}].metric", column)


def _of_columns(request: Any, *columns: tuple[str, str]) -> Iterator[NamedField]:
    """Yields the columns whose fields are set, from pairs of both names."""
    for path, column in columns:
        if getattr(request, path):
            yield NamedField(path, column)


def _of_list(field: str, column: str, values: Any) -> Iterator[NamedIds]:
    if values:
        yield NamedIds(field, column, values, is_list=True)


def _of_text(name: str, text: str) -> Iterator[NamedIds]:
    if text:
        yield NamedIds(name, name, (text,), is_list=False)
