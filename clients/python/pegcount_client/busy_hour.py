"""The busy hour (ITU-T E.490.1 and E.492), from traffic intensity per quarter of an hour.

- **TCBH**, time-consistent busy hour: the 60 minutes, from a quarter of an hour on, that have the greatest
  mean intensity over the days.
- **ADPH**, average daily peak hour: the mean over the days of each day's greatest 60 minutes. It is never
  less than the intensity of the TCBH.

Hours lie within a local day. A day counts if it has each of its 96 quarters once, whole and over; so the days
that begin or end a range in the middle do not count, nor does one on which the clock changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import islice
from typing import Final

from pegcount_client.enums import Granularity
from pegcount_client.reports.traffic import Key, Traffic

_QUARTERS: Final = 96
_QUARTER_US: Final = 900_000_000


@dataclass(frozen=True, slots=True)
class QuarterHour:
    """Traffic intensity in a quarter of an hour."""

    start: datetime
    """Its first instant, in the zone whose days count."""
    erlangs: float | None
    complete: bool = True
    """Whether it is over."""
    covered_us: int = _QUARTER_US
    """Microseconds that the range has of it."""


@dataclass(frozen=True, slots=True)
class PeakHour:
    """The busiest 60 minutes of a day."""

    date: date
    start: time
    erlangs: float


@dataclass(frozen=True, slots=True)
class BusyHour:
    """The busy hour of one group of calls. Without a whole day, the figures are None."""

    start: time | None
    """Local start of the time-consistent busy hour (TCBH), the earliest of several; None without traffic."""
    tcbh_erlangs: float | None
    """Its mean intensity over the days."""
    adph_erlangs: float | None
    """Mean of each day's greatest hour (ADPH)."""
    peaks: tuple[PeakHour, ...]
    """The greatest hour of each day that counts, the earliest of several."""
    left_out: tuple[date, ...]
    """Days that do not count, as they are not whole."""
    keys: Mapping[str, Key] = field(default_factory=dict)
    """The values of the dimensions by their names."""
    other: bool = False
    """Whether this is all groups together that `top` left out."""


def busy_hours(report: Traffic) -> tuple[BusyHour, ...]:
    """Returns the busy hour of each group of a report on ERLANG per FIFTEEN_MINUTES.

    Raises ValueError for a report with another granularity or without that figure, and UnknownZoneError.
    """
    name = next((name for name in report.metrics if name in ("erlang", "erlang_seized")), None)
    if name is None or report.range.granularity != Granularity.FIFTEEN_MINUTES:
        raise ValueError(
            "the busy hour needs erlangs per quarter of an hour;"
            ' next step: traffic(metrics=["ERLANG"], granularity="FIFTEEN_MINUTES", ...)'
        )
    width = len(report.rows) // len(report.groups) if report.groups else 0
    rows = iter(report.rows)
    found = []
    for group in report.groups:
        quarters = [
            QuarterHour(row.start_time, _number(row.figures[name]), row.complete, row.covered_us)
            for row in islice(rows, width)
            if row.start_time is not None
        ]
        found.append(busy_hour(quarters, group.keys, other=group.other))
    return tuple(found)


def busy_hour(
    quarters: Iterable[QuarterHour], keys: Mapping[str, Key] | None = None, *, other: bool = False
) -> BusyHour:
    """Returns the busy hour of some quarters of an hour, in any order; `keys` name the group."""
    days = _by_day(quarters)
    whole = {day: hours for day, found in sorted(days.items()) if (hours := _hours(found)) is not None}
    peaks = tuple(PeakHour(day, _start(hours.index(max(hours))), max(hours)) for day, hours in whole.items())
    means = [sum(of_days) / len(whole) for of_days in zip(*whole.values(), strict=True)]
    return BusyHour(
        start=_start(means.index(max(means))) if any(means) else None,
        tcbh_erlangs=max(means, default=None),
        adph_erlangs=sum(peak.erlangs for peak in peaks) / len(peaks) if peaks else None,
        peaks=peaks,
        left_out=tuple(sorted(days.keys() - whole.keys())),
        keys=dict(keys or {}),
        other=other,
    )


def _by_day(quarters: Iterable[QuarterHour]) -> dict[date, list[QuarterHour]]:
    found: dict[date, list[QuarterHour]] = {}
    for quarter in quarters:
        found.setdefault(quarter.start.date(), []).append(quarter)
    return found


def _hours(quarters: list[QuarterHour]) -> list[float] | None:
    """Returns the mean intensity of the 60 minutes from each quarter on, or None if the day is not whole."""
    values = dict(_whole(quarters))
    if len(quarters) != _QUARTERS or len(values) != _QUARTERS:
        return None
    return [sum(values[first + each] for each in range(4)) / 4 for first in range(_QUARTERS - 3)]


def _whole(quarters: list[QuarterHour]) -> Iterator[tuple[int, float]]:
    """Yields the number in the day and the intensity of each quarter that is whole and over."""
    for quarter in quarters:
        start = quarter.start
        if quarter.erlangs is not None and quarter.complete and quarter.covered_us == _QUARTER_US:
            yield start.hour * 4 + start.minute // 15, quarter.erlangs


def _start(quarter: int) -> time:
    return time(quarter // 4, quarter % 4 * 15)


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]
