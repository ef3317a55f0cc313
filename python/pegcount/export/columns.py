"""The columns of an export: the fields of a record, with Arrow types that other programs expect."""

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from google.protobuf.descriptor import FieldDescriptor

from pegcount.v1.records_pb2 import SessionRecord

PRICES = ("customer_price", "vendor_price")
"""The columns that are amounts of money."""

_INSTANT = pa.timestamp("us", tz="UTC")
# The core stores amounts as int64 in units of 10^-9: 19 digits, nine of them decimals.
_AMOUNT = pa.decimal128(19, 9)
_TYPES = {
    FieldDescriptor.TYPE_MESSAGE: _INSTANT,
    FieldDescriptor.TYPE_BOOL: pa.bool_(),
    FieldDescriptor.TYPE_INT32: pa.int64(),
    FieldDescriptor.TYPE_INT64: pa.int64(),
    FieldDescriptor.TYPE_FIXED64: pa.uint64(),
    FieldDescriptor.TYPE_ENUM: pa.utf8(),
    FieldDescriptor.TYPE_STRING: pa.utf8(),
}


def _type(name: str, kind: int) -> pa.DataType:
    return _AMOUNT if name in PRICES else _TYPES[kind]


def _short_names(names: list[str]) -> pa.Array:
    """Returns the short names of an enum by number: ASR for SESSION_KIND_ASR."""
    prefix = names[0].removesuffix("UNSPECIFIED")
    return pa.array([name.removeprefix(prefix) for name in names])


_ENUMS = {
    field.name: _short_names([value.name for value in field.enum_type.values])
    for field in SessionRecord.DESCRIPTOR.fields
    if field.enum_type is not None
}

SCHEMA = pa.schema(
    [pa.field(field.name, _type(field.name, field.type)) for field in SessionRecord.DESCRIPTOR.fields]
    + [pa.field("received_time", _INSTANT)]
)
"""The fields of a record in the order of the message, then the time at which the last version that changed it
was received."""


def to_export_types(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Converts a batch of the core to the columns of `SCHEMA`."""
    columns = [_to_export_type(field, batch.column(field.name)) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _to_export_type(field: pa.Field, column: pa.Array) -> pa.Array:
    if field.name in _ENUMS:
        return pc.take(_ENUMS[field.name], column)
    if field.type == _AMOUNT:
        # Reinterprets the integer: its last nine digits become decimals.
        return column.cast(pa.decimal128(19, 0)).view(_AMOUNT)
    if field.type == pa.uint64():
        # The core has the same bits as a signed number.
        return column.view(pa.uint64())
    return column if column.type == field.type else column.cast(field.type)
