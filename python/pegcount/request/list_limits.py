"""Limits the values of each list of a request, before any value is looked at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from pegcount.config import Config
from pegcount.request.violations import Violations
from pegcount.v1 import admin_pb2, reports_pb2


@dataclass(frozen=True, slots=True)
class ListLimit:
    """The values that a list may have, and the reason of the violation beyond."""

    reason: str
    count_max: Callable[[Config], int]


FILTER_VALUES: Final = ListLimit("FILTER_VALUE_LIMIT_EXCEEDED", lambda config: config.filter_value_count_max)

_METRIC_COUNT_MAX: Final = 32
_CAUSE_COUNT_MAX: Final = 128
CAUSES_OF_METRIC: Final = ListLimit("LIST_LIMIT_EXCEEDED", lambda _: _CAUSE_COUNT_MAX)
_TRAFFIC_COUNTS: Final = {
    "QueryTrafficRequest.metrics": _METRIC_COUNT_MAX,
    "QueryTrafficRequest.group_by": 4,
    "QueryTrafficRequest.filters": 32,
    "QueryFeedHealthRequest.sources": 100,
    "WatchTrafficRequest.rules": 32,
    # Those of all metrics together.
    "MetricSpec.causes": _METRIC_COUNT_MAX * _CAUSE_COUNT_MAX,
    "OpenHours.weekdays": 7,
    "OpenHours.excluded_dates": 400,
}


def _fixed(count_max: int) -> ListLimit:
    return ListLimit("LIST_LIMIT_EXCEEDED", lambda _: count_max)


LIST_LIMITS: Final[Mapping[str, ListLimit]] = {
    **{field.full_name: FILTER_VALUES for field in reports_pb2.ActiveSessionFilters.DESCRIPTOR.fields},
    **{
        reports_pb2.QueryAsrUsageRequest.DESCRIPTOR.fields_by_name[name].full_name: FILTER_VALUES
        for name in ("app_ids", "comp_ids", "tenant_ids", "absent")
    },
    **{
        reports_pb2.QueryOriginationQualityRequest.DESCRIPTOR.fields_by_name[name].full_name: FILTER_VALUES
        for name in ("account_ids", "absent")
    },
    **{f"pegcount.v1.{name}": _fixed(count_max) for name, count_max in _TRAFFIC_COUNTS.items()},
    # Those of all filters together.
    **{f"pegcount.v1.TrafficFilter.{name}": FILTER_VALUES for name in ("integers", "texts")},
    "pegcount.v1.QueryActiveSessionsRequest.return_fields": ListLimit(
        "LIST_LIMIT_EXCEEDED", lambda config: config.return_field_count_max
    ),
    "pegcount.v1.QueryActiveSessionsRequest.order": ListLimit(
        "LIST_LIMIT_EXCEEDED", lambda config: config.order_term_count_max
    ),
    # The core counts the entries of decks and the records of batches.
    "pegcount.v1.PutCodeDeckRequest.entries": ListLimit(
        "LIST_LIMIT_EXCEEDED", lambda config: config.code_deck_entry_count_max
    ),
    "pegcount.v1.WriteRecordsRequest.records": ListLimit(
        "BATCH_LIMIT_EXCEEDED", lambda config: config.batch_row_count_max
    ),
    "pegcount.v1.DeleteRecordsRequest.session_ids": ListLimit(
        "LIST_LIMIT_EXCEEDED", lambda config: config.deletion_session_id_count_max
    ),
    "pegcount.v1.ErasePartiesRequest.parties": ListLimit(
        "LIST_LIMIT_EXCEEDED", lambda config: config.erasure_party_count_max
    ),
    "pegcount.v1.CreateCredentialRequest.scopes": ListLimit(
        "LIST_LIMIT_EXCEEDED", lambda config: config.credential_scope_count_max
    ),
    "pegcount.v1.CreateCredentialRequest.certificate_names": ListLimit(
        "LIST_LIMIT_EXCEEDED", lambda config: config.credential_certificate_name_count_max
    ),
    # All lists of a data scope together may have as many.
    **{
        field.full_name: ListLimit(
            "LIST_LIMIT_EXCEEDED", lambda config: config.credential_data_scope_value_count_max
        )
        for field in admin_pb2.DataScope.DESCRIPTOR.fields
    },
}
"""The limit of each list, by the full name of its field."""


@dataclass(frozen=True, slots=True)
class ListField:
    """A list of a request, or of a message in it: a `model.ListPath` with its limit."""

    name: str
    """Names of the fields from the request to the list, with dots between them."""
    numbers: tuple[int, ...]
    is_packed: bool
    limit: ListLimit


def list_fields(message_class: type[Message]) -> Sequence[ListField]:
    """Returns all lists of a request."""
    return tuple(_list_fields(message_class.DESCRIPTOR, "", ()))


def check_counts(fields: Sequence[ListField], counts: Sequence[int], config: Config) -> None:
    """Raises InvalidRequestError if a list has more values than allowed."""
    violations = Violations(config.violation_count_max)
    for field, count in zip(fields, counts, strict=True):
        add_if_exceeded(field.name, count, field.limit, config, violations)
    violations.raise_any()


def check_field_count(count: int, config: Config) -> None:
    """Raises InvalidRequestError if a request has more fields than allowed, of whatever kind."""
    allowed = config.request_field_count_max
    if count > allowed:
        violations = Violations(config.violation_count_max)
        description = f"has {count} fields; {allowed} are allowed"
        violations.add("request", "LIST_LIMIT_EXCEEDED", description, asked=count, allowed=allowed)
        violations.raise_any()


def check_lists(message: Message, config: Config) -> None:
    """Raises InvalidRequestError if a list of a parsed request has too many values.

    It does not look into the messages of the request.
    """
    fields = [field for field in list_fields(type(message)) if len(field.numbers) == 1]
    check_counts(fields, [len(getattr(message, field.name)) for field in fields], config)


def add_if_exceeded(name: str, asked: int, limit: ListLimit, config: Config, violations: Violations) -> bool:
    """Adds a violation if a list has more values than allowed; returns whether it has."""
    allowed = limit.count_max(config)
    if asked > allowed:
        description = f"has {asked} values; {allowed} are allowed"
        violations.add(name, limit.reason, description, asked=asked, allowed=allowed)
    return asked > allowed


def _list_fields(message: Any, prefix: str, numbers: tuple[int, ...]) -> Iterator[ListField]:
    for field in message.fields:
        name, path = f"{prefix}{field.name}", (*numbers, field.number)
        if field.is_repeated and not _has_lists(field.message_type):
            yield ListField(name, path, field.is_packed, LIST_LIMITS[field.full_name])
        elif field.message_type is not None:
            yield from _list_fields(field.message_type, f"{name}.", path)


def _has_lists(message: Any) -> bool:
    """Returns whether a message has lists; those of a list of messages are counted, and not the messages.

    These are counted once the request is parsed, for which the limit of fields holds meanwhile.
    """
    return message is not None and any(field.is_repeated for field in message.fields)
