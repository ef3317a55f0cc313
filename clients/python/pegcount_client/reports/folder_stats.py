"""Folder statistics: calls and their average duration per day and folder, with agents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from pegcount.v1 import reports_pb2

from pegcount_client.columns import Column, Kind
from pegcount_client.reports.answer import (
    Notice,
    ReportRange,
    counts,
    logged_notices,
    range_of,
    ratios,
    summary,
    value_or_none,
    values_or_none,
)
from pegcount_client.rows import Convertible, Rows


@dataclass(frozen=True, slots=True)
class FolderStatsRow:
    """Calls of one day and folder."""

    date: date
    """Local day."""
    folder: str
    """Folder; "" for calls that carry none."""
    call_count: int
    """Finished calls, last attempts."""
    answered_count: int | None
    """Of these, the answered ones. None: the credential does not show them."""
    duration_ms: int | None
    """Milliseconds from answer to end, summed. None: the credential does not show them."""
    average_duration_seconds: float | None
    """Seconds per answered call. None: none was answered, or the credential does not show it."""


@dataclass(frozen=True, slots=True)
class FolderAgentRow:
    """Calls of one day, folder and agent."""

    date: date
    """Local day."""
    folder: str
    """Folder; "" for calls that carry none."""
    agent_id: str
    """Id of the agent."""
    call_count: int
    """Finished calls."""
    answered_count: int | None
    """Of these, the answered ones. None: the credential does not show them."""
    duration_ms: int | None
    """Milliseconds from answer to end, summed. None: the credential does not show them."""
    average_duration_seconds: float | None
    """Seconds per answered call. None: none was answered, or the credential does not show it."""


@dataclass(frozen=True, slots=True)
class FolderStatsTotals:
    """Calls of all rows."""

    call_count: int
    """Finished calls, last attempts."""
    answered_count: int | None
    """Of these, the answered ones. None: the credential does not show them."""
    duration_ms: int | None
    """Milliseconds from answer to end, summed. None: the credential does not show them."""
    average_duration_seconds: float | None
    """Seconds per answered call. None: none was answered, or the credential does not show it."""


@dataclass(frozen=True, repr=False)
class FolderStats(Convertible):
    """Calls per day and folder; frames have a row per day and folder, those of `agents` one per agent too."""

    range: ReportRange
    notices: tuple[Notice, ...]
    rows: Rows[FolderStatsRow]
    """One row per day and folder that has calls, by date, then folder."""
    agents: Rows[FolderAgentRow]
    """One row per day, folder and agent, of the calls that carry an agent; they need not add up to `rows`."""
    totals: FolderStatsTotals

    @classmethod
    def from_response(cls, response: reports_pb2.QueryFolderStatsResponse) -> "FolderStats":
        """Returns an answer of the service as typed values, and logs its notices."""
        totals = response.totals
        return cls(
            range=range_of(response.range),
            notices=logged_notices("folder_stats", response.notices),
            rows=Rows(FolderStatsRow, _row_columns(response.rows)),
            agents=Rows(FolderAgentRow, _agent_columns(response.rows)),
            totals=FolderStatsTotals(
                call_count=totals.call_count,
                answered_count=value_or_none(totals, "answered_count"),
                duration_ms=value_or_none(totals, "duration_ms"),
                average_duration_seconds=value_or_none(totals, "average_duration_seconds"),
            ),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows."""
        return self.rows.columns

    def __repr__(self) -> str:
        calls = f"{self.totals.call_count:,} calls in {len(self.rows):,} rows"
        return summary("FolderStats", self.range, calls, self.notices)


_Counted: TypeAlias = reports_pb2.FolderStatsRow | reports_pb2.FolderAgentStats


def _row_columns(rows: Sequence[reports_pb2.FolderStatsRow]) -> list[Column]:
    return [
        Column("date", Kind.DATE, tuple(date.fromisoformat(row.date) for row in rows)),
        Column("folder", Kind.TEXT, tuple(row.folder for row in rows)),
        *_figures(rows),
    ]


def _agent_columns(rows: Sequence[reports_pb2.FolderStatsRow]) -> list[Column]:
    agents = [agent for row in rows for agent in row.agents]
    return [
        Column("date", Kind.DATE, tuple(date.fromisoformat(row.date) for row in rows for _ in row.agents)),
        Column("folder", Kind.TEXT, tuple(row.folder for row in rows for _ in row.agents)),
        Column("agent_id", Kind.TEXT, tuple(agent.agent_id for agent in agents)),
        *_figures(agents),
    ]


def _figures(counted: Sequence[_Counted]) -> list[Column]:
    return [
        Column("call_count", Kind.COUNT, tuple(each.call_count for each in counted)),
        counts("answered_count", values_or_none(counted, "answered_count")),
        counts("duration_ms", values_or_none(counted, "duration_ms")),
        Column("average_duration_seconds", Kind.RATIO, ratios(counted, "average_duration_seconds")),
    ]
