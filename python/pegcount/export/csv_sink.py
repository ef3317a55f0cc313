"""Records as pegcount-csv, which `pegcount import` reads: a line a record, under a header."""

from typing import BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv as arrow_csv  # type: ignore[import-untyped]

from pegcount.export.columns import PRICE, SCHEMA

# Of a record as it is received, and not of the session.
_FIELDS = [field for field in SCHEMA if field.name != "received_time"]
_SCHEMA = pa.schema(
    [
        pa.field(
            field.name, pa.utf8() if field.name == PRICE or pa.types.is_timestamp(field.type) else field.type
        )
        for field in _FIELDS
    ]
)
_TEXTS = [field.name for field in _FIELDS if pa.types.is_string(field.type)]
# One line is one row, and no line may have a NUL byte.
_UNWRITABLE = "[\n\0]"


class CsvSink:
    """A CSV file. A record with a line break or a NUL character in a text is left out."""

    def __init__(self, file: BinaryIO) -> None:
        # Quotes all texts, so that blanks at their ends stay.
        self._writer = arrow_csv.CSVWriter(file, _SCHEMA)

    def write(self, records: pa.RecordBatch) -> int:
        """Adds records; see `Sink.write`."""
        writable = records.filter(_is_writable(records))
        columns = [_text(field, writable.column(field.name)) for field in _FIELDS]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
        return int(writable.num_rows)

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()


def _is_writable(records: pa.RecordBatch) -> pa.Array:
    found = pa.repeat(pa.scalar(False), records.num_rows)
    for name in _TEXTS:
        matches = pc.match_substring_regex(records.column(name), _UNWRITABLE)
        found = pc.or_(found, matches.fill_null(False))
    return pc.invert(found)


def _text(field: pa.Field, column: pa.Array) -> pa.Array:
    if field.name == PRICE:
        return _amounts(column)
    if pa.types.is_timestamp(field.type):
        return _instants(column)
    return column


def _instants(column: pa.Array) -> pa.Array:
    """2026-03-30T09:00:00.000000Z."""
    texts = column.cast(pa.timestamp("us")).cast(pa.utf8())
    return pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T"), "Z", "")


def _amounts(column: pa.Array) -> pa.Array:
    """Decimals without an exponent, which Arrow would write for small ones, nor zeros at the end."""
    units = column.view(pa.decimal128(19, 0)).cast(pa.int64())
    size = pc.abs(units)
    whole = pc.divide(size, 10**9)
    rest = pc.subtract(size, pc.multiply(whole, 10**9))
    decimals = pc.utf8_lpad(rest.cast(pa.utf8()), 9, "0")
    sign = pc.if_else(pc.less(units, 0), "-", "")
    texts = pc.binary_join_element_wise(sign, whole.cast(pa.utf8()), ".", decimals, "")
    return pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
