"""Which ids and fields a request for a report names, as far as a data scope may forbid them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pegcount.v1 import reports_pb2


@dataclass(frozen=True, slots=True)
class NamedId:
    """An id that a request names, and the column of records that it is of."""

    path: str
    """Where the request names it, such as `tenant_ids[0]`."""
    column: str
    value: int | str


@dataclass(frozen=True, slots=True)
class NamedField:
    """A field that a request returns, orders by or filters by."""

    path: str
    name: str


_FILTERS_OF_FIGURES: Final = ("duration", "customer_price")
"""Filters of origination quality by what a call came to."""


def named_ids(request: Any) -> Iterator[NamedId]:
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


def named_filters(request: reports_pb2.QueryOriginationQualityRequest) -> Iterator[NamedField]:
    """Yields the filters by figures that a request for origination quality has."""
    for name in _FILTERS_OF_FIGURES:
        if request.HasField(name):
            yield NamedField(name, name)


def _of_list(path: str, column: str, values: Any) -> Iterator[NamedId]:
    for index, value in enumerate(values):
        yield NamedId(f"{path}[{index}]", column, value)


def _of_text(name: str, text: str) -> Iterator[NamedId]:
    if text:
        yield NamedId(name, name, text)
