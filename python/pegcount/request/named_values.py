"""Which ids and fields a request for a report names, as far as a data scope may forbid them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pegcount.v1 import reports_pb2


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
            for name in ("orig_clients_id", "term_clients_id"):
                yield from _of_list(f"filters.{name}", name, getattr(request.filters, name))
        case reports_pb2.QueryFolderStatsRequest():
            for name in ("company", "organization"):
                yield from _of_text(name, getattr(request, name))
        case reports_pb2.QueryOriginationQualityRequest():
            yield from _of_text("account_id", request.account_id)
            yield from _of_list("account_ids", "account_id", request.account_ids)


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
    for index, name in enumerate(getattr(request, "absent", ())):
        yield NamedField(f"absent[{index}]", name)


def named_filters(request: reports_pb2.QueryOriginationQualityRequest) -> Iterator[NamedField]:
    """Yields the filters by figures that a request for origination quality has."""
    for name in _FILTERS_OF_FIGURES:
        if request.HasField(name):
            yield NamedField(name, name)


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
