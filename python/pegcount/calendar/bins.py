"""Calendar bins in a time zone, as their edges.

Edges are microseconds UTC, int64, ascending, of shape (bins + 1,): bin i is
[edge i, edge i + 1). Where there are no bins there are no edges, shape (0,).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pegcount.model import Granularity
from pegcount.zone import US_PER_SECOND, Zone

# The granularities whose bins are cut by the clock; those of the others are whole days.
_WIDTH_US: Final[Mapping[Granularity, int]] = {
    Granularity.MINUTE: 60 * US_PER_SECOND,
    Granularity.FIVE_MINUTES: 300 * US_PER_SECOND,
    Granularity.FIFTEEN_MINUTES: 900 * US_PER_SECOND,
    Granularity.THIRTY_MINUTES: 1_800 * US_PER_SECOND,
    Granularity.HOUR: 3_600 * US_PER_SECOND,
}


def edges(zone: Zone, granularity: Granularity, from_us: int, to_us: int) -> NDArray[np.int64]:
    """Every bin that shares an instant with [from_us, to_us), whole; from_us < to_us.

    So the first bin may start before `from_us` and the last one end after `to_us`.
    """
    width_us = _WIDTH_US.get(granularity)
    if width_us is not None:
        return _clock_edges(_runs(zone, width_us, from_us, to_us))
    first_date, last_date = zone.local_date(from_us), zone.local_date(to_us - 1)
    return _whole_day_edges(zone, _period_starts(granularity, first_date, last_date))


def bin_count(zone: Zone, granularity: Granularity, from_us: int, to_us: int) -> int:
    """How many bins `edges` gives, at a cost that does not grow with the bins of a day."""
    width_us = _WIDTH_US.get(granularity)
    if width_us is not None:
        return sum(run.bin_count for run in _runs(zone, width_us, from_us, to_us))
    return len(edges(zone, granularity, from_us, to_us)) - 1


def edges_with_days_before(zone: Zone, from_us: int, to_us: int, day_count: int) -> NDArray[np.int64]:
    """The DAY bins of a range and the `day_count` DAY bins before them; from_us < to_us.

    The first bin of the range itself has the index `day_count`: where a date does not
    exist, one more date is gone back.
    """
    first, last = zone.local_date(from_us), zone.local_date(to_us - 1)
    ample = day_edges(zone, first - day_count - zone.missing_date_count_max, last)
    surplus = int(np.searchsorted(ample, zone.day_start_us(first))) - day_count
    return ample[surplus:]


def day_edges(zone: Zone, first_date: int, last_date: int) -> NDArray[np.int64]:
    """DAY bins of the local dates from the first to the last, both inclusive.

    Dates are days since 1970-01-01. One that does not exist has no bin; if it is the
    only one, or if the first is after the last, there are no bins.
    """
    return _whole_day_edges(zone, np.arange(first_date, last_date + 2))


def clip(edge_us: NDArray[np.int64], from_us: int, to_us: int) -> NDArray[np.int64]:
    """The edges of bins cut to the range that they were made for.

    Only the first and the last edge move: to `from_us` and `to_us`.
    """
    clipped_us = edge_us.copy()
    if len(clipped_us):
        clipped_us[0], clipped_us[-1] = max(clipped_us[0], from_us), min(clipped_us[-1], to_us)
    return clipped_us


@dataclass(frozen=True, slots=True)
class _Run:
    """Cells of one width and one UTC offset, next to each other.

    A cell begins where the local clock reads a multiple of the width. A bin is what lies
    of a cell within [since_us, until_us), the changes of the offset around the run.
    """

    first_us: int
    end_us: int
    width_us: int
    since_us: int
    until_us: int

    @property
    def bin_count(self) -> int:
        return (self.end_us - self.first_us) // self.width_us

    def starts_us(self) -> NDArray[np.int64]:
        """First instants of the bins."""
        starts_us = np.arange(self.first_us, self.end_us, self.width_us)
        starts_us[0] = max(self.first_us, self.since_us)
        return starts_us


def _runs(zone: Zone, width_us: int, from_us: int, to_us: int) -> list[_Run]:
    runs = []
    for i in range(bisect_right(zone.limits_us, from_us) - 1, bisect_left(zone.limits_us, to_us)):
        offset_us, since_us, until_us = zone.offsets_us[i], zone.limits_us[i], zone.limits_us[i + 1]
        first_us = (max(from_us, since_us) + offset_us) // width_us * width_us - offset_us
        end_us = -(-(min(to_us, until_us) + offset_us) // width_us) * width_us - offset_us
        runs.append(_Run(first_us, end_us, width_us, since_us, until_us))
    return runs


def _clock_edges(runs: list[_Run]) -> NDArray[np.int64]:
    last_end_us = min(runs[-1].end_us, runs[-1].until_us)
    return np.concatenate([*(run.starts_us() for run in runs), [last_end_us]])


def _period_starts(granularity: Granularity, first_date: int, last_date: int) -> NDArray[np.int64]:
    """First dates of the periods from the one with `first_date` to the one after `last_date`'s."""
    if granularity is Granularity.MONTH:
        ends = np.array([first_date, last_date]).astype("datetime64[D]").astype("datetime64[M]")
        months = np.arange(ends[0], ends[1] + 2)
        return months.astype("datetime64[D]").astype(np.int64)
    if granularity is Granularity.WEEK:
        # 1970-01-01 was a Thursday.
        return np.arange(first_date - (first_date + 3) % 7, last_date + 8, 7)
    return np.arange(first_date, last_date + 2)


def _whole_day_edges(zone: Zone, dates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Edges of the bins from each date to the next, shape (dates,) at most."""
    # A date that does not exist begins where the next one does.
    edge_us = np.unique(zone.day_starts_us(dates))
    return edge_us if len(edge_us) > 1 else edge_us[:0]
