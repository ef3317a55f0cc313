"""Refuses fields that this server does not know, where ignoring one would allow more than was asked for."""

from collections.abc import Iterable
from typing import Any, cast

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from pegcount.request.validation import RequestValidator


def check_known(message: Message, validator: RequestValidator) -> None:
    """Reports the fields of a request, and of the messages in it, that this server does not know."""
    _check(message, "request", "", validator)


def _check(message: Message, field: str, prefix: str, validator: RequestValidator) -> None:
    name = message.DESCRIPTOR.name
    for number in sorted({unknown.field_number for unknown in _unknown(message)}):
        description = (
            f"{name} has a field of number {number}, which this server does not know, and which may restrict"
            f" what the credential reaches; leave it out, or call a newer server"
        )
        validator.add_violation(field, "UNKNOWN_FIELD", description, field=number)
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        path = f"{prefix}{descriptor.name}"
        if not descriptor.is_repeated:
            _check(value, path, f"{path}.", validator)
            continue
        for index, each in enumerate(value):
            _check(each, f"{path}[{index}]", f"{path}[{index}].", validator)


def _unknown(message: Message) -> Iterable[Any]:
    # The types of protobuf leave out that it is iterable.
    return cast("Iterable[Any]", UnknownFieldSet(message))
