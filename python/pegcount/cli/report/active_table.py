"""The table of `pegcount report active`."""

from pegcount.cli.report.answer_parts import notices_of, range_of, values_of
from pegcount.cli.report.report_table import Column, Kind, Measured, Remark, ReportTable, Row
from pegcount.v1.reports_pb2 import (
    ActiveSessionRow,
    QueryActiveSessionsRequest,
    QueryActiveSessionsResponse,
)

_AGGREGATES = {
    "quantity": Column("quantity", "calls", Kind.COUNT),
    "duration": Column("duration", "duration h:mm:ss", Kind.DURATION_S),
}
_FIELDS = ActiveSessionRow.DESCRIPTOR.fields_by_name


def active_table(answer: QueryActiveSessionsResponse, request: QueryActiveSessionsRequest) -> ReportTable:
    """Returns the answer as a table: key columns, then aggregates, each in the order of the request."""
    names = list(request.return_fields)
    keys = [_key_column(name) for name in names if name not in _AGGREGATES]
    columns = [*keys, *(_AGGREGATES[name] for name in names if name in _AGGREGATES)]
    sums = [*answer.subtotals, *([answer.total] if answer.HasField("total") else [])]
    return ReportTable(
        report="active",
        subject="Calls in progress",
        range=range_of(answer.range),
        columns=tuple(columns),
        key_count=len(keys),
        rows=tuple(_row(row, columns) for row in answer.rows),
        subtotals=tuple(_row(row, columns, row.level) for row in sums),
        total_row=None,
        totals={"row_count": answer.row_count},
        remarks=_remarks(len(answer.rows), answer.row_count),
        notices=notices_of(answer.notices),
    )


def _remarks(shown: int, count: int) -> tuple[Remark, ...]:
    if shown == count:
        return ()
    return ((Measured(shown, Kind.COUNT), "of", Measured(count, Kind.COUNT), "rows"),)


def _key_column(name: str) -> Column:
    if name.endswith("_time"):
        return Column(name, _heading(name), Kind.TIME)
    field = _FIELDS.get(name)
    is_number = field is not None and field.cpp_type != field.CPPTYPE_STRING
    return Column(name, _heading(name), Kind.ID if is_number else Kind.TEXT)


def _heading(name: str) -> str:
    """Returns the name in words, so that a narrow column can break it.

    >>> _heading("orig_clients_name")
    'orig clients name'
    """
    return name.replace("_", " ")


def _row(row: ActiveSessionRow, columns: list[Column], level: int | None = None) -> Row:
    values = values_of(row)
    return Row(tuple(values[column.name] for column in columns), level)
