"""The records as tables of other engines: 52 typed columns, prepared before measuring."""

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa  # type: ignore[import-untyped]
from full_records import TIMES, Row
from google.protobuf.descriptor import FieldDescriptor
from pegcount.v1.records_pb2 import SessionRecord

PRICE = "customer_price"
SOMETIMES_ABSENT = ("answer_time", PRICE)
_ARROW = {
    FieldDescriptor.TYPE_STRING: pa.string(),
    FieldDescriptor.TYPE_INT64: pa.int64(),
    FieldDescriptor.TYPE_BOOL: pa.bool_(),
    FieldDescriptor.TYPE_ENUM: pa.int64(),
    FieldDescriptor.TYPE_MESSAGE: pa.timestamp("us"),
}
_DUCKDB = {
    FieldDescriptor.TYPE_STRING: "VARCHAR",
    FieldDescriptor.TYPE_INT64: "BIGINT",
    FieldDescriptor.TYPE_BOOL: "BOOLEAN",
    FieldDescriptor.TYPE_ENUM: "BIGINT",
    FieldDescriptor.TYPE_MESSAGE: "TIMESTAMP",
}
_CLICKHOUSE = {
    FieldDescriptor.TYPE_STRING: "String",
    FieldDescriptor.TYPE_INT64: "Int64",
    FieldDescriptor.TYPE_BOOL: "Bool",
    FieldDescriptor.TYPE_ENUM: "Int64",
    FieldDescriptor.TYPE_MESSAGE: "DateTime64(6, 'UTC')",
}
# The records are whole: they neither are parts nor replace others. None of the later fields is set.
_FIELD_COUNT = 52
_FIELDS = {field.name: field.type for field in SessionRecord.DESCRIPTOR.fields[:_FIELD_COUNT]}
# All three engines store a price with 9 decimals as a 64-bit integer.
_PRICE_ARROW = pa.decimal128(18, 9)


def table(rows: Sequence[Row]) -> pa.Table:
    """Converts rows to an Arrow table. Prices are already numbers."""
    return pa.table({name: _column(name, [row.get(name) for row in rows]) for name in _FIELDS})


def duckdb_columns() -> str:
    """Returns the column definitions for DuckDB."""
    types = {name: _DUCKDB[kind] for name, kind in _FIELDS.items()} | {PRICE: "DECIMAL(18, 9)"}
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def clickhouse_columns() -> str:
    """Returns the column definitions for ClickHouse. Only columns with absent values are nullable."""
    types = {name: _CLICKHOUSE[kind] for name, kind in _FIELDS.items()} | {PRICE: "Decimal64(9)"}
    for name in SOMETIMES_ABSENT:
        types[name] = f"Nullable({types[name]})"
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


def _column(name: str, values: list[object]) -> pa.Array:
    if name == PRICE:
        return pa.array([None if value is None else Decimal(str(value)) for value in values], _PRICE_ARROW)
    assert name in SOMETIMES_ABSENT or None not in values, name
    kind = pa.timestamp("us") if name in TIMES else _ARROW[_FIELDS[name]]
    return pa.array(values, kind)
