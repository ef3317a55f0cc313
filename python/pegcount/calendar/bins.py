"""Calendar bins in a time zone, as their edges.

Edges are microseconds UTC, int64, ascending, of shape (bins + 1,): bin i is
[edge i, edge i + 1). Where there are no bins there are no edges, shape (0,).
"""

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
        return _clock_edges(width_us, _runs(zone, width_us, from_us, to_us))
    first_date, last_date = zone.local_date(from_us), zone.local_date(to_us - 1)
    return _whole_day_edges(zone, _period_starts(granularity, first_date, last_date))


def bin_count(zone: Zone, granularity: Granularity, from_us: int, to_us: int) -> int:
    """How many bins `edges` gives, at a cost that does not grow with the bins of a day."""
    width_us = _WIDTH_US.get(granularity)
    if width_us is not None:
        return int(_runs(zone, width_us, from_us, to_us).bin_count.sum())
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
    return np.clip(edge_us, from_us, to_us)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Bins of one width, in runs of one UTC offset each; shapes are (runs,).

    Cell k of a run is where the local clock divided by the width gives k, so that it
    starts at k · width - offset. A bin is what lies of a cell between two changes.
    """

    offset_us: NDArray[np.int64]
    limit_us: NDArray[np.int64]
    """The changes that runs lie between, shape (runs + 1,); the extreme int64 for none."""
    first_cell: NDArray[np.int64]
    bin_count: NDArray[np.int64]


def _runs(zone: Zone, width_us: int, from_us: int, to_us: int) -> _Runs:
    begin = int(np.searchsorted(zone.change_us, from_us, side="right"))
    end = int(np.searchsorted(zone.change_us, to_us, side="left"))
    cut_us = np.concatenate(([from_us], zone.change_us[begin:end], [to_us]))
    offset_us = zone.offset_s[begin : end + 1] * np.int64(US_PER_SECOND)
    first_cell = (cut_us[:-1] + offset_us) // width_us
    last_cell = (cut_us[1:] - 1 + offset_us) // width_us
    ever = np.iinfo(np.int64)
    limit_us = np.concatenate(([ever.min], zone.change_us, [ever.max]))[begin : end + 2]
    return _Runs(offset_us, limit_us, first_cell, last_cell + 1 - first_cell)


def _clock_edges(width_us: int, runs: _Runs) -> NDArray[np.int64]:
    first_bin = np.cumsum(runs.bin_count) - runs.bin_count
    shift_us = (runs.first_cell - first_bin) * width_us - runs.offset_us
    start_us = np.arange(runs.bin_count.sum()) * width_us + np.repeat(shift_us, runs.bin_count)
    start_us[first_bin] = np.maximum(start_us[first_bin], runs.limit_us[:-1])
    last_end_us = (runs.first_cell[-1] + runs.bin_count[-1]) * width_us - runs.offset_us[-1]
    return np.append(start_us, min(last_end_us, runs.limit_us[-1]))


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
