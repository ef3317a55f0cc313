"""Checks the arguments of a query and sets the fields of its request, by the types of the contract."""

import operator
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import timedelta
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from pegcount_client.suggestions import unknown_name

Setter: TypeAlias = Callable[[str, Any], Any]
"""Returns the value that a request has for an argument, given the name and the value of the argument."""

_Field: TypeAlias = Any
"""A FieldDescriptor of whichever implementation of protobuf runs."""

_ORDERED: Final = {"order", "return_fields"}
"""Lists whose order counts."""

_MAY_BE_EMPTY: Final = {*_ORDERED, "absent", "excluded_dates"}
"""Lists that do not filter."""

_SECONDS_MAX: Final = 864_000
"""gRPC takes much longer times for none at all, or for one in the past."""


def fill(message: Message, arguments: Mapping[str, object], special: Mapping[str, Setter]) -> None:
    """Sets a field of the message for each argument that is not None.

    `special` has the fields whose values are not what the contract has. Raises TypeError for unknown
    arguments and values of another type, ValueError for values out of range; each names the argument.
    """
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in arguments.items():
        field = fields.get(name)
        if field is None:
            raise TypeError(unknown_name("argument", name, fields))
        if value is not None:
            to_wire = special.get(name)
            _set(message, field, _plain(field, value) if to_wire is None else to_wire(name, value))


def items_of(name: str, value: object) -> tuple[object, ...]:
    """Returns the values of a list.

    Raises TypeError for a text, which would be read letter by letter, and for a set where the order counts;
    ValueError for an empty list that filters, as to the service it means all, and to the writer mostly none.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        next_step = "" if value is None else f"; next step: {name}=[{value!r}]"
        raise TypeError(f"{name} is a list, not {value!r}{next_step}")
    if isinstance(value, Set) and name in _ORDERED:
        raise TypeError(f"{name} is a list, whose order counts; next step: make a list of {value!r}")
    items = tuple(value)
    if not items and name not in _MAY_BE_EMPTY:
        raise ValueError(f"{name} is empty, which would mean all; next step: leave it out, or do not ask")
    return items


def text(name: str, value: object) -> str:
    """Returns a text; raises TypeError for another type."""
    if not isinstance(value, str):
        next_step = f'; next step: "{value}"' if isinstance(value, int) else ""
        raise TypeError(f"{name} is a text, not {value!r}{next_step}")
    return value


def flag(name: str, value: object) -> bool:
    """Returns True or False; raises TypeError for another type."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return value


def whole_number(name: str, value: Any) -> int:
    """Returns an int, also for one of numpy; raises TypeError for another type."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{name} is a whole number, not {value!r}")


def seconds(name: str, value: Any) -> float:
    """Returns a number of seconds more than 0, at most those of 10 days; raises TypeError and ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        next_step = "; next step: its total_seconds()" if isinstance(value, timedelta) else ""
        raise TypeError(f"{name} is a number of seconds, not {value!r}{next_step}")
    if not 0 < value <= _SECONDS_MAX:
        raise ValueError(
            f"{name}={value!r} must be more than 0 seconds and at most {_SECONDS_MAX:,} (10 days), or None"
        )
    return value


def _plain(field: _Field, value: object) -> object:
    """Returns a value that is what the contract has."""
    item: Setter = _ITEM.get(field.cpp_type, whole_number)
    if not field.is_repeated:
        return item(field.name, value)
    return [item(field.name, each) for each in items_of(field.name, value)]


def _set(message: Message, field: _Field, value: Any) -> None:
    try:
        if field.is_repeated:
            getattr(message, field.name).extend(value)
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from error


_ITEM: Final[Mapping[int, Setter]] = {
    FieldDescriptor.CPPTYPE_STRING: text,
    FieldDescriptor.CPPTYPE_BOOL: flag,
}
