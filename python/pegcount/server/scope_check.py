"""Refuses what a data scope forbids, before the rest of a request or batch is looked at.

What is refused depends on the request and on the data scope alone, never on what the store has: an id outside
is refused whether it exists or not.
"""

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pegcount import core, request
from pegcount.auth import hidden_fields
from pegcount.data_scope import INTEGER_DIMENSIONS, TEXT_DIMENSIONS, DataScope
from pegcount.errors import OutsideScopeError, quoted
from pegcount.server.hidden_figures import hidden_filters
from pegcount.server.scope_predicates import scope_predicates
from pegcount.v1 import reports_pb2, traffic_pb2

_OUTSIDE: Final = "is outside the data scope of the credential"
_CACHE_SIZE: Final = 1_000
"""Data scopes whose values are kept as sets: those of the credentials in use."""


def require_visible(message: Any, scope: DataScope, prefix: str = "") -> None:
    """Raises OutsideScopeError if a request for a report names an id outside a data scope, or a hidden field.

    Hidden filters count first, then each in the order of the request. `prefix` is before the path of the
    field in the error, where the request is a part of another one.
    """
    try:
        _require_visible(message, scope)
    except OutsideScopeError as error:
        if not prefix:
            raise
        raise error.within(prefix) from None


def _require_visible(message: Any, scope: DataScope) -> None:
    _require_shown(request.named_columns(message), hidden_fields(scope))
    allowed, company = _allowed_values(scope), ""
    for named in request.named_ids(message):
        _require_inside(named, allowed.of(named.column, company))
        if named.column == "company":
            company = str(named.values[0])
    match message:
        case reports_pb2.QueryActiveSessionsRequest():
            _require_shown(request.named_fields(message), hidden_fields(scope))
        case reports_pb2.QueryOriginationQualityRequest():
            _require_shown(request.named_filters(message), hidden_filters(scope))
        case traffic_pb2.QueryTrafficRequest():
            _require_shown_figures(request.named_figures(message), scope)


class WriteScope:
    """The records that a stream may write. Thread-safe."""

    def __init__(self, scope: DataScope | None) -> None:
        """None is all records."""
        is_all = scope is None or not scope_predicates(scope)
        self._sources: Collection[str] = () if scope is None else frozenset(scope.source)
        self.records = None if scope is None or is_all else core.RecordScope(scope)
        """The records; None is all."""

    def require_inside(self, batch: bytes) -> None:
        """Raises OutsideScopeError if a record of a serialized batch is outside, or the source of its rule.

        Raises MalformedMessageError.
        """
        if self.records is None:
            return
        outside = self.records.record_outside(batch)
        if outside is not None:
            has_value = f"{quoted(outside.value)}" if outside.value else "no value"
            problem = f"{has_value} {_OUTSIDE}"
            raise OutsideScopeError(outside.field, outside.value, problem, outside.index)
        source = request.ruled_source(batch)
        # Whether a source has records, and by which rule, is not for others to know.
        if source is not None and self._sources and source not in self._sources:
            raise OutsideScopeError("source_rule.source", source, f"{quoted(source)} {_OUTSIDE}")


@dataclass(frozen=True, slots=True)
class _AllowedValues:
    """The values of a data scope; None, or a column that is not listed, allows any value."""

    of_columns: Mapping[str, frozenset[int | str]]
    of_companies: Mapping[str, frozenset[str] | None]
    """Organizations by company; by "" those of all companies. Empty: any company."""

    def of(self, column: str, company: str) -> Set[int | str] | None:
        """Returns the values of a column, of organizations those of a company; None if it may have any.

        `company` is in the data scope, or empty.
        """
        return self.of_companies.get(company) if column == "organization" else self.of_columns.get(column)


@lru_cache(_CACHE_SIZE)
def _allowed_values(scope: DataScope) -> _AllowedValues:
    lists = {name: getattr(scope, name) for name in (*INTEGER_DIMENSIONS, *TEXT_DIMENSIONS)}
    lists["company"] = [one.company for one in scope.organization]
    of_companies: dict[str, set[str | None]] = {}
    for one in scope.organization:
        for company in ("", one.company):
            of_companies.setdefault(company, set()).add(one.organization)
    return _AllowedValues(
        {column: frozenset(values) for column, values in lists.items() if values},
        {company: _unless_any(names) for company, names in of_companies.items()},
    )


def _unless_any(names: Collection[str | None]) -> frozenset[str] | None:
    """Returns the names of organizations, None if None is one of them, which is all of a company."""
    return None if None in names else frozenset(name for name in names if name is not None)


def _require_inside(named: request.NamedIds, allowed: Set[int | str] | None) -> None:
    # As a whole first: there may be thousands of ids, and nearly all requests are inside.
    if allowed is None or allowed >= frozenset(named.values):
        return
    for index, value in enumerate(named.values):
        if value not in allowed:
            raise OutsideScopeError(named.path(index), str(value), f"{quoted(str(value))} {_OUTSIDE}")


def _require_shown(named: Iterable[request.NamedField], hidden: Collection[str]) -> None:
    for field in named:
        if field.name in hidden:
            raise OutsideScopeError(field.path, field.name, f"the credential does not show {field.name}")


def _require_shown_figures(named: Iterable[request.NamedFigure], scope: DataScope) -> None:
    for figure in named:
        if not figure.tells.isdisjoint(scope.hidden_metrics):
            raise OutsideScopeError(figure.path, figure.name, f"the credential does not show {figure.name}")
