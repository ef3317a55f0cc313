"""Origination quality: calls, ACD, ASR and CPS per bin."""

import math
from dataclasses import dataclass
from datetime import datetime

from pegcount.v1 import reports_pb2

from pegcount_client.columns import Column, Kind
from pegcount_client.reports.answer import (
    Notice,
    ReportRange,
    counts,
    logged_notices,
    range_of,
    summary,
    value_or_none,
)
from pegcount_client.rows import Convertible, Rows


@dataclass(frozen=True, slots=True)
class OriginationQualityBin:
    """Calls of one bin. The first and the last bin of a report are clipped to its range."""

    start_time: datetime
    """First instant of the bin, in the zone of the report; a clipped bin keeps its calendar start."""
    total_calls: int
    """Finished calls, last attempts."""
    answered_calls: int | None
    """Of these, the answered ones. None: the credential does not show them."""
    duration_ms: int | None
    """Milliseconds from answer to end, summed. None: the credential does not show them."""
    acd: float | None
    """Average call duration, seconds per answered call. None: none was answered, or it is hidden."""
    asr: float | None
    """Answer-seizure ratio, percent. None: no calls, or the credential does not show it."""
    cps: float | None
    """Calls per second that the clipped bin covers."""


@dataclass(frozen=True, slots=True)
class OriginationQualityTotals:
    """Calls of the whole range; ratios are of the sums."""

    total_calls: int
    """Finished calls, last attempts."""
    answered_calls: int | None
    """Of these, the answered ones. None: the credential does not show them."""
    duration_ms: int | None
    """Milliseconds from answer to end, summed. None: the credential does not show them."""
    acd: float | None
    """Seconds per answered call. None: none was answered, or the credential does not show it."""
    asr: float | None
    """Percent answered. None: no calls, or the credential does not show it."""
    cps_mean: float | None
    """Calls per second of the whole range. None: no bins."""
    cps_peak: float | None
    """Largest calls per second of a whole bin, of all bins if none is whole. None: no bins."""
    cps_sum: float | None
    """Sum of the column `cps`; a figure that others print, not a rate. None: no bins."""


@dataclass(frozen=True, repr=False)
class OriginationQuality(Convertible):
    """Calls, ACD, ASR and CPS per bin; frames have a row per bin."""

    range: ReportRange
    notices: tuple[Notice, ...]
    bins: Rows[OriginationQualityBin]
    """Every bin of the range, ascending, empty ones included."""
    totals: OriginationQualityTotals

    @classmethod
    def from_response(cls, response: reports_pb2.QueryOriginationQualityResponse) -> "OriginationQuality":
        """Returns an answer of the service as typed values, and logs its notices."""
        totals = response.totals
        return cls(
            range=range_of(response.range),
            notices=logged_notices("origination_quality", response.notices),
            bins=Rows(OriginationQualityBin, _columns(response.data, response.range.time_zone)),
            totals=OriginationQualityTotals(
                total_calls=totals.total_calls,
                answered_calls=value_or_none(totals, "answered_calls"),
                duration_ms=value_or_none(totals, "duration_ms"),
                acd=value_or_none(totals, "acd"),
                asr=value_or_none(totals, "asr"),
                cps_mean=value_or_none(totals, "cps_mean"),
                cps_peak=value_or_none(totals, "cps_peak"),
                cps_sum=value_or_none(totals, "cps_sum"),
            ),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the bins."""
        return self.bins.columns

    def __repr__(self) -> str:
        calls = f"{self.totals.total_calls:,} calls in {len(self.bins):,} bins"
        return summary("OriginationQuality", self.range, calls, self.notices)


def _columns(data: reports_pb2.OriginationQualityData, zone: str) -> list[Column]:
    # A figure that the credential does not show has no entries, however many bins there may be.
    absent, no_ratios = [None] * len(data.t), [math.nan] * len(data.t)
    return [
        Column("start_time", Kind.TIME, tuple(unix_s * 1_000_000 for unix_s in data.t), zone),
        Column("total_calls", Kind.COUNT, tuple(data.total_calls)),
        counts("answered_calls", data.answered_calls or absent),
        counts("duration_ms", data.duration_ms or absent),
        Column("acd", Kind.RATIO, tuple(data.acd or no_ratios)),
        Column("asr", Kind.RATIO, tuple(data.asr or no_ratios)),
        Column("cps", Kind.RATIO, tuple(data.cps)),
    ]
