"""Bin edges at changes of the UTC offset, such as the start and end of daylight saving time (DST).

Bins of minutes or hours start whenever the local clock shows a multiple of their width, and every offset
change cuts the bin that contains it. A day runs from the first instant of a local date to that of the
next existing date, so it has 23 or 25 hours if the clock changes by one hour. `pegcount.zone` converts
single local times, including those that the clock skips or repeats.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pegcount.zone import Zone


def clock_edges(zone: Zone, width_us: int, from_us: int, to_us: int) -> NDArray[np.int64]:
    """Returns the edges of all bins of `width_us` that overlap [from_us, to_us), shape (bins + 1,)."""
    runs = _runs(zone, width_us, from_us, to_us)
    last_end_us = min(runs[-1].aligned_end_us, runs[-1].offset_end_us)
    return np.concatenate([*(run.starts_us() for run in runs), [last_end_us]])


def clock_bin_count(zone: Zone, width_us: int, from_us: int, to_us: int) -> int:
    """Returns the number of bins of `clock_edges`, in time proportional to the offset changes."""
    return sum(run.bin_count for run in _runs(zone, width_us, from_us, to_us))


def whole_day_edges(zone: Zone, dates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the edges of the bins from each local date to the next; dates are days since 1970-01-01.

    The shape is (dates,), minus one edge for each date that does not exist; (0,) if no bin is left.
    """
    start_us = zone.day_starts_us(dates)
    # A date that does not exist starts at the same instant as the next date, and so adds no edge. The starts
    # ascend already; `np.unique` would take 25 ms for the 84,000 days from 1970 to 2200.
    edge_us = np.concatenate([start_us[:1], start_us[1:][np.diff(start_us) > 0]])
    return edge_us if len(edge_us) > 1 else edge_us[:0]


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive bins within one period of constant UTC offset.

    The aligned start and end are instants at which the local clock shows a multiple of the width.
    They may lie outside the period [offset_start_us, offset_end_us), which cuts the first and the
    last bin of the run.
    """

    aligned_start_us: int
    aligned_end_us: int
    width_us: int
    offset_start_us: int
    offset_end_us: int

    @property
    def bin_count(self) -> int:
        return (self.aligned_end_us - self.aligned_start_us) // self.width_us

    def starts_us(self) -> NDArray[np.int64]:
        starts_us = np.arange(self.aligned_start_us, self.aligned_end_us, self.width_us)
        starts_us[0] = max(self.aligned_start_us, self.offset_start_us)
        return starts_us


def _runs(zone: Zone, width_us: int, from_us: int, to_us: int) -> list[_Run]:
    bounds_us = zone.offset_bounds_us
    runs = []
    for i in range(bisect_right(bounds_us, from_us) - 1, bisect_left(bounds_us, to_us)):
        offset_us, start_us, end_us = zone.offsets_us[i], bounds_us[i], bounds_us[i + 1]
        aligned_start_us = (max(from_us, start_us) + offset_us) // width_us * width_us - offset_us
        aligned_end_us = -(-(min(to_us, end_us) + offset_us) // width_us) * width_us - offset_us
        runs.append(_Run(aligned_start_us, aligned_end_us, width_us, start_us, end_us))
    return runs
