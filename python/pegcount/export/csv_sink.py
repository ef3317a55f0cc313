"""Export to pegcount-csv, the format that `pegcount import` reads: a header, then one line per record."""

from typing import BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv as arrow_csv  # type: ignore[import-untyped]

from pegcount.export.columns import PRICES, SCHEMA

# An import sets `received_time` anew.
_FIELDS = [field for field in SCHEMA if field.name != "received_time"]
_SCHEMA = pa.schema(
    [
        pa.field(
            field.name, pa.utf8() if field.name in PRICES or pa.types.is_timestamp(field.type) else field.type
        )
        for field in _FIELDS
    ]
)
_TEXTS = [field.name for field in _FIELDS if pa.types.is_string(field.type)]
# `pegcount import` takes each line as a row, and rejects lines that contain NUL.
_UNWRITABLE = "[\n\0]"


class CsvSink:
    """A CSV file. Records with a line break or a NUL character in a text are left out."""

    def __init__(self, file: BinaryIO) -> None:
        # The writer quotes all texts, which preserves leading and trailing blanks.
        self._writer = arrow_csv.CSVWriter(file, _SCHEMA)

    def write(self, records: pa.RecordBatch) -> int:
        """Writes records; see `Sink.write`."""
        writable = records.filter(_is_writable(records))
        columns = [_text(field, writable.column(field.name)) for field in _FIELDS]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_SCHEMA))
        return int(writable.num_rows)

    def close(self) -> None:
        """Flushes the buffered rows."""
        self._writer.close()


def _is_writable(records: pa.RecordBatch) -> pa.Array:
    found = pa.repeat(pa.scalar(False), records.num_rows)
    for name in _TEXTS:
        matches = pc.match_substring_regex(records.column(name), _UNWRITABLE)
        found = pc.or_(found, matches.fill_null(False))
    return pc.invert(found)


def _text(field: pa.Field, column: pa.Array) -> pa.Array:
    if field.name in PRICES:
        return _amount_texts(column)
    if pa.types.is_timestamp(field.type):
        return _instant_texts(column)
    return column


def _instant_texts(column: pa.Array) -> pa.Array:
    """Formats instants as 2026-03-30T09:00:00.000000Z."""
    texts = column.cast(pa.timestamp("us")).cast(pa.utf8())
    return pc.binary_join_element_wise(pc.replace_substring(texts, " ", "T"), "Z", "")


def _amount_texts(column: pa.Array) -> pa.Array:
    """Formats amounts without an exponent, which Arrow writes for small ones, and without trailing zeros."""
    units = column.view(pa.decimal128(19, 0)).cast(pa.int64())
    magnitude = pc.abs(units)
    whole = pc.divide(magnitude, 10**9)
    rest = pc.subtract(magnitude, pc.multiply(whole, 10**9))
    decimals = pc.utf8_lpad(rest.cast(pa.utf8()), 9, "0")
    sign = pc.if_else(pc.less(units, 0), "-", "")
    texts = pc.binary_join_element_wise(sign, whole.cast(pa.utf8()), ".", decimals, "")
    return pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
