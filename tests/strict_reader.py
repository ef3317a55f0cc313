"""Reads messages as a parser that does not merge: a field that is not repeated must occur once."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def require_each_field_once(data: bytes, message: Any) -> None:
    """Raises AssertionError for an unknown field, and for one that occurs twice although it must not."""
    seen: set[int] = set()
    for number, wire_type, value in _fields(data):
        assert number in message.fields_by_number, f"{message.full_name} has no field {number}"
        field = message.fields_by_number[number]
        is_packed = field.is_repeated and wire_type == _BYTES and field.type not in _LENGTH_DELIMITED
        assert number not in seen or (field.is_repeated and not is_packed), f"{field.full_name} occurs twice"
        seen.add(number)
        if field.message_type is not None:
            require_each_field_once(value, field.message_type)


_LENGTH_DELIMITED = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE)


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields number, wire type and bytes of each field; the bytes are empty if it is a varint."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire_type, length = key & 7, 0
        if wire_type == _VARINT:
            _, at = _varint(data, at)
        elif wire_type == _BYTES:
            length, at = _varint(data, at)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}[wire_type]
        assert at + length <= len(data), "the message ends within a field"
        yield key >> 3, wire_type, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns the varint at a position, and the position after it."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at
