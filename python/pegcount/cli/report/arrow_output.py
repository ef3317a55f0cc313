"""A report as a file with typed columns: Parquet or Arrow IPC."""

import json
from pathlib import Path
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from pegcount.cli.atomic_file import atomic_file
from pegcount.cli.report.figures import title
from pegcount.cli.report.report_table import Column, Kind, ReportTable, Value
from pegcount.time_text import RFC_3339, read_time

_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.ID: pa.int64(),
    Kind.COUNT: pa.int64(),
    Kind.MEAN: pa.float64(),
    Kind.PERCENT: pa.float64(),
    Kind.SECONDS: pa.float64(),
    Kind.RATE: pa.float64(),
    Kind.DURATION_MS: pa.int64(),
    Kind.DURATION_S: pa.int64(),
    Kind.MILLISECONDS: pa.int64(),
    Kind.DURATION_US: pa.int64(),
    Kind.ERLANGS: pa.float64(),
    Kind.CHANGE: pa.float64(),
    Kind.AMOUNT: pa.string(),
    Kind.FLAG: pa.bool_(),
}


def write_parquet(file: Path, table: ReportTable) -> None:
    """Writes a report as Parquet; raises OSError, and leaves an older file then."""
    with atomic_file(file) as out:
        pq.write_table(arrow_table(table), out, compression="zstd")


def write_arrow(file: Path, table: ReportTable) -> None:
    """Writes a report as an Arrow IPC file; raises OSError, and leaves an older file then."""
    found = arrow_table(table)
    with atomic_file(file) as out, pa.ipc.new_file(out, found.schema) as writer:
        writer.write_table(found)


def arrow_table(table: ReportTable) -> pa.Table:
    """Returns the rows, then the subtotals, with a column `level` that is null in rows.

    Values that the answer lacks are null. The metadata of the schema has `title`, `totals` and `notices`.
    """
    rows = [*table.rows, *table.subtotals]
    fields = [pa.field(column.name, _type(column, table)) for column in table.columns]
    arrays = [
        pa.array([_exact(row.values[place], column) for row in rows], field.type)
        for place, (column, field) in enumerate(zip(table.columns, fields, strict=True))
    ]
    if table.subtotals:
        fields.append(pa.field("level", pa.int32()))
        levels = [None] * len(table.rows) + [row.level for row in table.subtotals]
        arrays.append(pa.array(levels, pa.int32()))
    metadata = {
        "title": title(table),
        "totals": json.dumps(dict(table.totals)),
        "notices": json.dumps([notice.text for notice in table.notices], ensure_ascii=False),
    }
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata))


def _type(column: Column, table: ReportTable) -> pa.DataType:
    if column.kind is Kind.TIME:
        return pa.timestamp("us", tz=table.range.time_zone)
    return _TYPES[column.kind]


def _exact(value: Value, column: Column) -> Value:
    if column.kind is Kind.TIME and isinstance(value, str):
        return read_time(value, RFC_3339).us
    return value
