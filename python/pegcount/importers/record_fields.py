"""Setters that parse a text into a field of a record."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from pegcount.errors import ImportFileError
from pegcount.importers.call_record import TEXT_READERS, TextReader, set_instant
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.rounded_numbers import read_number
from pegcount.importers.timestamps import read_rfc_3339
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import Zone

FIELD_NAMES = tuple(field.name for field in SessionRecord.DESCRIPTOR.fields)
"""All fields of a record, in the order of the message."""

OVERRIDABLE_NAMES = tuple(
    name
    for name in FIELD_NAMES
    if name
    not in {
        *("source", "session_id", "event", "part", "part_class"),
        *("setup_time", "alert_time", "answer_time", "end_time"),
    }
)
"""Fields that `--set` can set for a whole file."""

Setter = Callable[[SessionRecord, str], None]
"""Parses a text into one field of a record; raises UnreadableRowError."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_INTEGER_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    # The least number of 64 bits is refused everywhere: the core stores it for absent values.
    FieldDescriptor.TYPE_INT64: (-(2**63) + 1, 2**63 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}
_BOOLEANS = dict.fromkeys(("true", "t", "1", "yes", "y"), True)
_BOOLEANS |= dict.fromkeys(("false", "f", "0", "no", "n"), False)


def record_setters(zone: Zone, text_readers: Mapping[str, TextReader] = TEXT_READERS) -> dict[str, Setter]:
    """Returns the setters by field name; `zone` converts times without a zone.

    Text fields without a reader take every text.
    """
    return {field.name: _setter(field, zone, text_readers) for field in SessionRecord.DESCRIPTOR.fields}


def read_overrides(overrides: Mapping[str, str], zone: Zone) -> SessionRecord:
    """Returns a record that has only the overriding fields.

    Raises ImportFileError, naming every problem.
    """
    record = SessionRecord()
    setters = record_setters(zone)
    problems = []
    for name, text in overrides.items():
        if name not in OVERRIDABLE_NAMES:
            problems.append(f"{name} cannot be set, only {', '.join(OVERRIDABLE_NAMES)}")
        elif not text:
            problems.append(f"{name}: a value is required")
        else:
            problems += _problems_of_setting(record, setters[name], text)
    if problems:
        raise ImportFileError("; ".join(problems))
    return record


def _problems_of_setting(record: SessionRecord, setter: Setter, text: str) -> list[str]:
    try:
        setter(record, text)
    except (UnreadableRowError, UnicodeEncodeError) as error:
        return [str(error)]
    return []


def _setter(field: Any, zone: Zone, text_readers: Mapping[str, TextReader]) -> Setter:
    name = field.name
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return lambda record, text: set_instant(getattr(record, name), read_rfc_3339(name, text, zone))
    read = text_readers.get(name, str) if field.type == FieldDescriptor.TYPE_STRING else _reader(field)
    return lambda record, text: setattr(record, name, read(text))


def _reader(field: Any) -> Callable[[str], object]:
    name = field.name
    if field.enum_type is not None:
        values = _values_by_name(field.enum_type)
        return lambda text: _read_choice(name, text.upper(), values)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda text: _read_choice(name, text.lower(), _BOOLEANS)
    low, high = _INTEGER_RANGES[field.type]
    return lambda text: _read_integer(name, text, low, high)


def _values_by_name(enum: EnumDescriptor) -> dict[str, int]:
    """Returns the numbers of an enum by short and by full name: ASR and SESSION_KIND_ASR."""
    full = {value.name: value.number for value in enum.values if value.number}
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix): number for name, number in full.items()} | full


def _read_choice(name: str, text: str, values: Mapping[str, object]) -> object:
    if text not in values:
        raise UnreadableRowError(f"{name}: {text!r} is not one of {', '.join(values)}")
    return values[text]


def _read_integer(name: str, text: str, low: int, high: int) -> int:
    number = int(text) if _INTEGER.fullmatch(text) else None
    if number is None:
        read_number(text)
    if number is None or not low <= number <= high:
        raise UnreadableRowError(f"{name}: {text!r} is not a whole number from {low} to {high}")
    return number
