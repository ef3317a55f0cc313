"""The table of `pegcount report usage`."""

from collections.abc import Iterable

from pegcount.cli.report.answer_parts import notices_of, range_of, values_of
from pegcount.cli.report.names import KINDS
from pegcount.cli.report.report_table import Column, Kind, Measured, Notice, ReportTable, Row, Value
from pegcount.v1.reports_pb2 import AsrUsageBin, QueryAsrUsageRequest, QueryAsrUsageResponse

_START = Column("start_time", "start", Kind.TIME)
_COUNT = Column("session_count", "sessions", Kind.COUNT)
_COMPLETE = Column("complete", "complete", Kind.FLAG)


def usage_table(
    answer: QueryAsrUsageResponse, request: QueryAsrUsageRequest, notices: Iterable[Notice]
) -> ReportTable:
    """Returns the answer as a table, with further notices; the average has a column if it was asked for."""
    span = range_of(answer.range)
    columns = [_START, _COUNT, _COMPLETE]
    if request.HasField("sma_period"):
        columns.insert(2, Column("sma", f"mean of {request.sma_period} days", Kind.MEAN))
    totals = answer.totals
    busiest = (
        "busiest bin:",
        Measured(totals.busiest_start_time, Kind.TIME),
        "with",
        Measured(totals.busiest_count, Kind.COUNT),
        "session" if totals.busiest_count == 1 else "sessions",
    )
    return ReportTable(
        report="usage",
        subject=f"{KINDS[request.kind - 1]} sessions per {span.granularity}",
        range=span,
        columns=tuple(columns),
        key_count=1,
        rows=tuple(_row(found, columns) for found in answer.bins),
        subtotals=(),
        total_row=Row(tuple(_total(column, totals.session_count) for column in columns), level=0),
        totals=values_of(totals),
        remarks=(busiest,) if totals.HasField("busiest_count") else (),
        notices=(*notices_of(answer.notices), *notices),
    )


def _row(found: AsrUsageBin, columns: list[Column]) -> Row:
    values = values_of(found)
    return Row(tuple(values[column.name] for column in columns))


def _total(column: Column, count: int) -> Value:
    return count if column is _COUNT else None
