"""Reads the data scope and the limits of a credential to make."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from pegcount.auth import SCOPE_FIELDS, Scope, contradictions
from pegcount.data_scope import (
    DIMENSIONS,
    INTEGER_MAX,
    INTEGER_MIN,
    CredentialLimits,
    DataScope,
    Metric,
    OrganizationScope,
    ValueKind,
)
from pegcount.errors import quoted
from pegcount.request.names import NameRule, check_names
from pegcount.request.validation import RequestValidator
from pegcount.v1 import admin_pb2

_FIELD: Final = NameRule(
    SCOPE_FIELDS, "a field of active sessions, a dimension or a price", "term_clients_name"
)
_LIMITS: Final = tuple(field.name for field in admin_pb2.CredentialLimits.DESCRIPTOR.fields)


def data_scope(
    request: admin_pb2.CreateCredentialRequest, scopes: Iterable[int], validator: RequestValidator
) -> DataScope | None:
    """Returns the data scope of a credential with some scopes, None if the request has none.

    A data scope that breaks a rule is a violation, and the value without meaning.
    """
    if not request.HasField("data_scope"):
        return None
    message, earlier_count = request.data_scope, validator.violation_count
    scope = DataScope(
        **{one.name: _VALUES[one.kind](one.name, message, validator) for one in DIMENSIONS},
        hidden_metrics=_metrics(message, validator),
        hidden_fields=_names("hidden_fields", message, validator),
        shown_fields=_names("shown_fields", message, validator),
    )
    if validator.violation_count == earlier_count:
        known = [Scope(each) for each in scopes if each in set(Scope)]
        for found in contradictions(known, scope):
            validator.add_violation(
                _path(found.field), "CONFLICTING_FIELDS", found.text, allowed=", ".join(found.allowed)
            )
    return scope


def require_few_values(request: admin_pb2.CreateCredentialRequest, validator: RequestValidator) -> None:
    """Raises InvalidRequestError if a data scope has more values than allowed in all its lists together."""
    message = request.data_scope
    asked = sum(len(getattr(message, field.name)) for field in message.DESCRIPTOR.fields)
    allowed = validator.config.credential_data_scope_value_count_max
    if asked > allowed:
        description = f"has {asked} values; {allowed} are allowed"
        validator.add_violation(
            "data_scope", "LIST_LIMIT_EXCEEDED", description, asked=asked, allowed=allowed
        )
        validator.raise_violations()


def limits(
    request: admin_pb2.CreateCredentialRequest, validator: RequestValidator
) -> CredentialLimits | None:
    """Returns the limits of a credential, None if the request sets none."""
    given = {name: getattr(request.limits, name) for name in _LIMITS if request.limits.HasField(name)}
    for name, value in given.items():
        validator.number_within(f"limits.{name}", value, 1, validator.config.credential_limit_max)
    return CredentialLimits(**given) if given else None


def _path(field: str) -> str:
    return f"data_scope.{field}" if field else "data_scope"


def _numbers(name: str, message: Message, validator: RequestValidator) -> tuple[int, ...]:
    values = tuple(getattr(message, name))
    for index, value in enumerate(values):
        validator.number_within(f"{_path(name)}[{index}]", value, INTEGER_MIN, INTEGER_MAX)
    _check_distinct(name, values, values, validator)
    return values


def _texts(name: str, message: Message, validator: RequestValidator) -> tuple[str, ...]:
    values = tuple(getattr(message, name))
    for index, value in enumerate(values):
        validator.required_text(f"{_path(name)}[{index}]", value)
    _check_distinct(name, values, values, validator)
    return values


def _organizations(
    name: str, message: admin_pb2.DataScope, validator: RequestValidator
) -> tuple[OrganizationScope, ...]:
    for index, each in enumerate(message.organization):
        field = f"{_path(name)}[{index}]"
        validator.required_text(f"{field}.company", each.company)
        if each.HasField("organization"):
            validator.required_text(f"{field}.organization", each.organization)
    values = tuple(
        OrganizationScope(each.company, each.organization if each.HasField("organization") else None)
        for each in message.organization
    )
    shown = ["/".join(filter(None, (each.company, each.organization))) for each in values]
    _check_distinct(name, values, shown, validator)
    return values


_VALUES: Final[Mapping[ValueKind, Callable[[str, Any, RequestValidator], tuple[Any, ...]]]] = {
    ValueKind.INTEGER: _numbers,
    ValueKind.TEXT: _texts,
    ValueKind.ORGANIZATION: _organizations,
}
"""The function that reads the values of a dimension."""


def _metrics(message: admin_pb2.DataScope, validator: RequestValidator) -> tuple[Metric, ...]:
    numbers, known = list(map(int, message.hidden_metrics)), set(map(int, Metric))
    for index, number in enumerate(numbers):
        if number not in known:
            _add_unknown_metric(f"data_scope.hidden_metrics[{index}]", number, validator)
    values = tuple(Metric(number) for number in numbers if number in known)
    _check_distinct("hidden_metrics", values, [f"METRIC_{each.name}" for each in values], validator)
    return values


def _add_unknown_metric(field: str, number: int, validator: RequestValidator) -> None:
    names = admin_pb2.Metric.keys()[1:]
    description = f"{number} is not a value of Metric, such as {names[0]}"
    validator.add_violation(field, "UNKNOWN_ENUM_VALUE", description, value=number, allowed=", ".join(names))


def _names(name: str, message: admin_pb2.DataScope, validator: RequestValidator) -> tuple[str, ...]:
    values = tuple(getattr(message, name))
    check_names(_path(name), values, _FIELD, validator)
    return values


def _check_distinct(
    name: str, values: Sequence[Any], shown: Sequence[object], validator: RequestValidator
) -> None:
    """Reports repeated values of a list; `shown` has their texts."""
    seen = set[Any]()
    for index, value in enumerate(values):
        if value in seen:
            text = str(shown[index])
            validator.add_violation(
                f"{_path(name)}[{index}]", "REPEATED_NAME", f"{quoted(text)} is listed already", value=text
            )
        seen.add(value)
