"""Converts `QueryActiveSessionsRequest` to `ActiveQuery`."""

from collections.abc import Iterable
from dataclasses import replace

from pegcount.config import Config
from pegcount.errors import shortened
from pegcount.model import ActiveQuery, OneOf, OrderTerm, Predicate, Present, SessionKind
from pegcount.request.names import NameRule, check_names
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_SECOND

RETURN_FIELDS = tuple(
    field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields if field.name != "level"
)
"""Names that `return_fields` and `order` accept."""
FILTER_FIELDS = tuple(field.name for field in reports_pb2.ActiveSessionFilters.DESCRIPTOR.fields)
"""Lists of `filters`; each has the name of the column that it filters."""

_INT32_MAX = 2**31 - 1
_RETURNED = NameRule(RETURN_FIELDS, "a field of ActiveSessionRow", "quantity")
_ORDERED = replace(_RETURNED, has_direction=True)


def active_query(
    request: reports_pb2.QueryActiveSessionsRequest,
    config: Config,
    check: Check = never_ends,
) -> ActiveQuery:
    """Returns the query of a request; raises InvalidRequestError with its violations."""
    validator = RequestValidator(config, check)
    zone = validator.zone(request.time_zone if request.HasField("time_zone") else None)
    names = _return_fields(request, validator)
    order = _order(request, names, validator)
    limit = (
        validator.number_within("limit", request.limit, 1, _INT32_MAX) if request.HasField("limit") else None
    )
    grouping = validator.enum("grouping", request.grouping, reports_pb2.Grouping)
    predicates = (
        OneOf("kind", (SessionKind.CALL,)),
        Present("end_time", wanted=False),
        *_filters(request.filters, validator),
    )
    validator.raise_violations()
    code_deck = request.code_deck if request.HasField("code_deck") else None
    rollup = grouping == reports_pb2.GROUPING_ROLLUP
    ttl_us = config.active_ttl_seconds * US_PER_SECOND
    return ActiveQuery(names, order, limit, rollup, code_deck, zone, predicates, ttl_us)


def _return_fields(
    request: reports_pb2.QueryActiveSessionsRequest, validator: RequestValidator
) -> tuple[str, ...]:
    if not request.return_fields:
        description = "needs one or more fields of ActiveSessionRow, such as quantity"
        metadata = {"allowed": ", ".join(RETURN_FIELDS)}
        validator.add_violation("return_fields", "REQUIRED_FIELD_MISSING", description, **metadata)
    names = tuple(validator.values("return_fields", request, "return_fields"))
    check_names("return_fields", names, _RETURNED, validator)
    return names


def _order(
    request: reports_pb2.QueryActiveSessionsRequest, returned: tuple[str, ...], validator: RequestValidator
) -> tuple[OrderTerm, ...]:
    texts = validator.values("order", request, "order")
    terms = tuple(OrderTerm(text.removeprefix("-"), text.startswith("-")) for text in texts)
    valid = check_names("order", texts, _ORDERED, validator)
    if request.return_fields and not returned:
        # There are too many of them to compare with.
        return terms
    allowed = ", ".join(shortened(name) for name in returned)
    for i in valid:
        if terms[i].name not in returned:
            description = f"rows are ordered by names in return_fields only; add {terms[i].name} there"
            validator.add_violation(
                f"order[{i}]", "ORDER_NOT_RETURNED", description, value=terms[i].name, allowed=allowed
            )
    return terms


def _filters(filters: reports_pb2.ActiveSessionFilters, validator: RequestValidator) -> Iterable[Predicate]:
    for name in FILTER_FIELDS:
        yield from validator.any_of(f"filters.{name}", name, filters, name)
