"""ASR session usage: sessions per bin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pegcount.v1 import reports_pb2

from pegcount_client.columns import Column, Kind
from pegcount_client.reports.answer import (
    Notice,
    ReportRange,
    logged_notices,
    range_of,
    ratios,
    summary,
    value_or_none,
)
from pegcount_client.rows import Convertible, Rows
from pegcount_client.times import instant_us, time_in_zone


@dataclass(frozen=True, slots=True)
class AsrUsageBin:
    """Sessions of one bin. It ends where the next bin starts, the last one at the end of the range."""

    start_time: datetime
    """First instant of the bin, in the zone of the report."""
    session_count: int
    """Sessions set up in the bin, active ones included."""
    sma: float | None
    """Mean of the `sma_period` day bins that end with this one. None: not asked for."""
    complete: bool
    """Whether the bin ended at or before the time of the answer."""


@dataclass(frozen=True, slots=True)
class AsrUsageTotals:
    """Sessions of all bins."""

    session_count: int
    """Sessions in the range."""
    busiest_count: int | None
    """Sessions of the busiest bin. None: no sessions."""
    busiest_start_time_text: str | None
    """First instant of the bin with most sessions, the earliest of equals, RFC 3339. None: no sessions."""
    time_zone: str
    """Zone of the report."""

    @property
    def busiest_start_time(self) -> datetime | None:
        """First instant of the bin with most sessions, in the zone of the report. Raises UnknownZoneError."""
        text = self.busiest_start_time_text
        return None if text is None else time_in_zone(text, self.time_zone)


@dataclass(frozen=True, repr=False)
class AsrUsage(Convertible):
    """Sessions per bin; frames have a row per bin."""

    range: ReportRange
    notices: tuple[Notice, ...]
    bins: Rows[AsrUsageBin]
    """Every bin of the range, ascending; empty ones with 0."""
    totals: AsrUsageTotals

    @classmethod
    def from_response(cls, response: reports_pb2.QueryAsrUsageResponse) -> "AsrUsage":
        """Returns an answer of the service as typed values, and logs its notices."""
        zone = response.range.time_zone
        totals = response.totals
        return cls(
            range=range_of(response.range),
            notices=logged_notices("asr_usage", response.notices),
            bins=Rows(AsrUsageBin, _columns(response.bins, zone)),
            totals=AsrUsageTotals(
                session_count=totals.session_count,
                busiest_count=value_or_none(totals, "busiest_count"),
                busiest_start_time_text=value_or_none(totals, "busiest_start_time"),
                time_zone=zone,
            ),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the bins."""
        return self.bins.columns

    def __repr__(self) -> str:
        sessions = f"{self.totals.session_count:,} sessions in {len(self.bins):,} bins"
        return summary("AsrUsage", self.range, sessions, self.notices)


def _columns(bins: Sequence[reports_pb2.AsrUsageBin], zone: str) -> list[Column]:
    return [
        Column("start_time", Kind.TIME, tuple(instant_us(each.start_time) for each in bins), zone),
        Column("session_count", Kind.COUNT, tuple(each.session_count for each in bins)),
        Column("sma", Kind.RATIO, ratios(bins, "sma")),
        Column("complete", Kind.FLAG, tuple(each.complete for each in bins)),
    ]
