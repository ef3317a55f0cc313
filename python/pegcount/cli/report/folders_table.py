"""The table of `pegcount report folders`."""

from collections.abc import Iterator, Sequence

from pegcount.cli.report.answer_parts import notices_of, range_of, shown_columns, values_of
from pegcount.cli.report.report_table import Column, Kind, ReportTable, Row, Value
from pegcount.v1.reports_pb2 import (
    FolderAgentStats,
    FolderStatsRow,
    FolderStatsTotals,
    QueryFolderStatsRequest,
    QueryFolderStatsResponse,
)

_KEYS = (
    Column("date", "date", Kind.TEXT),
    Column("folder", "folder", Kind.TEXT),
    Column("agent_id", "agent", Kind.TEXT),
)
_FIGURES = (
    Column("call_count", "calls", Kind.COUNT),
    Column("answered_count", "answered", Kind.COUNT),
    Column("duration_ms", "duration h:mm:ss", Kind.DURATION_MS),
    Column("average_duration_seconds", "average seconds", Kind.SECONDS),
)


def folders_table(answer: QueryFolderStatsResponse, request: QueryFolderStatsRequest) -> ReportTable:
    """Returns the answer as a table; the rows of agents follow that of their folder, which includes them."""
    totals, shown = answer.totals, shown_columns(_FIGURES, answer.notices)
    return ReportTable(
        report="folders",
        subject=f"Calls of {request.company} / {request.organization}",
        range=range_of(answer.range),
        columns=_KEYS + shown,
        key_count=len(_KEYS),
        rows=tuple(row for sent in answer.rows for row in _rows(sent, shown)),
        subtotals=(),
        total_row=Row((None, None, None, *_figures(totals, shown)), level=0),
        totals=values_of(totals),
        remarks=(),
        notices=notices_of(answer.notices),
    )


def _rows(sent: FolderStatsRow, shown: Sequence[Column]) -> Iterator[Row]:
    yield Row((sent.date, sent.folder, None, *_figures(sent, shown)), level=2)
    for agent in sent.agents:
        yield Row((sent.date, sent.folder, agent.agent_id, *_figures(agent, shown)))


def _figures(
    message: FolderStatsRow | FolderAgentStats | FolderStatsTotals, shown: Sequence[Column]
) -> list[Value]:
    values = values_of(message)
    return [values[column.name] for column in shown]
