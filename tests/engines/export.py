"""Records as an Arrow table for other engines: one column per field, absent values as null, times in
microseconds."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from google.protobuf.descriptor import FieldDescriptor
from oracle import parts, records
from pegcount.v1 import records_pb2
from pegcount.v1.admin_pb2 import CodeDeckEntry
from pegcount.v1.records_pb2 import SessionRecord

_TIME = pa.timestamp("us", tz="UTC")
_PRICE = pa.decimal128(38, 9)
_TYPES = {
    FieldDescriptor.TYPE_STRING: pa.string(),
    FieldDescriptor.TYPE_INT64: pa.int64(),
    FieldDescriptor.TYPE_INT32: pa.int32(),
    FieldDescriptor.TYPE_FIXED64: pa.uint64(),
    FieldDescriptor.TYPE_BOOL: pa.bool_(),
    FieldDescriptor.TYPE_MESSAGE: _TIME,
    FieldDescriptor.TYPE_ENUM: pa.int64(),
}
_READERS: dict[int, Callable[[Any], Any]] = {
    FieldDescriptor.TYPE_STRING: lambda text: text or None,
    FieldDescriptor.TYPE_MESSAGE: records.micros,
}
_DEFAULTS = {"kind": records_pb2.SESSION_KIND_CALL, "is_last_attempt": True}


def without_events(messages: Sequence[SessionRecord]) -> list[SessionRecord]:
    """Returns copies of the valid messages without an event, each with a unique id.

    They lack alert times out of order, which the service drops.
    """
    found: list[SessionRecord] = []
    for message in messages:
        if message.event == records_pb2.SESSION_EVENT_UNSPECIFIED and not records.reject_reasons(message):
            record = SessionRecord()
            record.CopyFrom(message)
            record.session_id = f"{message.session_id}-{len(found)}"
            if parts.has_alert_out_of_order(parts.values(record)):
                record.ClearField("alert_time")
            found.append(record)
    return found


def sessions(messages: Sequence[SessionRecord]) -> pa.Table:
    """Returns one row per record, numbered in the column `row`."""
    columns: dict[str, pa.Array] = {"row": pa.array(range(len(messages)), pa.int64())}
    for field in SessionRecord.DESCRIPTOR.fields:
        values = [_value(message, field) for message in messages]
        if field.name.endswith("_price"):
            prices = [None if value is None else Decimal(value) for value in values]
            columns[field.name] = pa.array(prices, _PRICE)
        else:
            columns[field.name] = pa.array(values, _TYPES[field.type])
    return pa.table(columns)


def _value(message: SessionRecord, field: Any) -> Any:
    default = _DEFAULTS.get(field.name)
    if not message.HasField(field.name):
        return default
    value = getattr(message, field.name)
    if field.type in _READERS:
        return _READERS[field.type](value)
    # Enum value 0 counts as absent.
    return (value or default) if field.enum_type is not None else value


def code_decks(decks: Mapping[int, Sequence[CodeDeckEntry]]) -> pa.Table:
    """Returns one row per entry of each deck, numbered in the column `entry`."""
    entries = [(deck, entry) for deck, of_deck in decks.items() for entry in of_deck]
    return pa.table(
        {
            "entry": pa.array(range(len(entries)), pa.int64()),
            "deck": pa.array([deck for deck, _ in entries], pa.int64()),
            **{
                name: pa.array([getattr(entry, name) or None for _, entry in entries], pa.string())
                for name in ("code", "name", "country")
            },
        }
    )
