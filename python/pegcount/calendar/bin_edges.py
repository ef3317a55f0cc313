"""Edges of calendar bins in a time zone.

Edges are microseconds UTC, int64, ascending, of shape (bins + 1,): bin i is
[edge i, edge i + 1). Without bins the shape is (0,).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pegcount.calendar.dst_edges import clock_bin_count, clock_edges, whole_day_edges
from pegcount.model import Granularity
from pegcount.zone import US_PER_SECOND, Zone

# Bins of these granularities follow the local clock; bins of the other granularities are whole days.
_CLOCK_WIDTH_US: Final[Mapping[Granularity, int]] = {
    Granularity.MINUTE: 60 * US_PER_SECOND,
    Granularity.FIVE_MINUTES: 300 * US_PER_SECOND,
    Granularity.FIFTEEN_MINUTES: 900 * US_PER_SECOND,
    Granularity.THIRTY_MINUTES: 1_800 * US_PER_SECOND,
    Granularity.HOUR: 3_600 * US_PER_SECOND,
}


def edges(zone: Zone, granularity: Granularity, from_us: int, to_us: int) -> NDArray[np.int64]:
    """Returns the edges of all bins that overlap [from_us, to_us), which must not be empty.

    The bins are whole: the first may start before `from_us`, the last may end after `to_us`. A day on
    which the clock is set forward has 23 hours.

    >>> from pegcount.calendar import zone
    >>> from pegcount.time_text import read_date
    >>> berlin = zone("Europe/Berlin")
    >>> from_us = berlin.day_start_us(read_date("2026-03-29")) + 5 * US_PER_SECOND
    >>> [first_us, end_us] = edges(berlin, Granularity.DAY, from_us, from_us + 1).tolist()
    >>> (end_us - first_us) // (3_600 * US_PER_SECOND), from_us - first_us
    (23, 5000000)
    >>> bin_count(berlin, Granularity.HOUR, first_us, end_us)
    23
    """
    width_us = _CLOCK_WIDTH_US.get(granularity)
    if width_us is not None:
        return clock_edges(zone, width_us, from_us, to_us)
    first_date, last_date = zone.local_date(from_us), zone.local_date(to_us - 1)
    return whole_day_edges(zone, _period_start_dates(granularity, first_date, last_date))


def bin_count(zone: Zone, granularity: Granularity, from_us: int, to_us: int) -> int:
    """Returns the number of bins of `edges`, without building the edges of bins shorter than a day."""
    width_us = _CLOCK_WIDTH_US.get(granularity)
    if width_us is not None:
        return clock_bin_count(zone, width_us, from_us, to_us)
    return len(edges(zone, granularity, from_us, to_us)) - 1


def day_edges(zone: Zone, first_date: int, last_date: int) -> NDArray[np.int64]:
    """Returns the edges of the DAY bins from `first_date` to `last_date`, both inclusive.

    Dates are days since 1970-01-01. A date that does not exist in the zone gets no bin. The
    result is empty if none of the dates exists or `first_date` is after `last_date`.

    >>> from pegcount.calendar import zone
    >>> from pegcount.time_text import read_date
    >>> missing = read_date("2011-12-30")
    >>> apia = zone("Pacific/Apia")
    >>> len(day_edges(apia, missing, missing)), len(day_edges(apia, missing - 1, missing + 1))
    (0, 3)
    """
    return whole_day_edges(zone, np.arange(first_date, last_date + 2))


def clip(edge_us: NDArray[np.int64], from_us: int, to_us: int) -> NDArray[np.int64]:
    """Returns the edges of the bins of [from_us, to_us), clipped to that range.

    Only the first edge and the last edge can change.
    """
    clipped_us = edge_us.copy()
    if len(clipped_us):
        clipped_us[0], clipped_us[-1] = max(clipped_us[0], from_us), min(clipped_us[-1], to_us)
    return clipped_us


def _period_start_dates(granularity: Granularity, first_date: int, last_date: int) -> NDArray[np.int64]:
    """Returns the first date of each period that overlaps the dates, and that of the next period.

    Dates are days since 1970-01-01, `first_date` and `last_date` both inclusive.
    """
    if granularity is Granularity.MONTH:
        ends = np.array([first_date, last_date]).astype("datetime64[D]").astype("datetime64[M]")
        months = np.arange(ends[0], ends[1] + 2)
        return months.astype("datetime64[D]").astype(np.int64)
    if granularity is Granularity.WEEK:
        # Weeks begin on Monday (ISO 8601); 1970-01-01 was a Thursday.
        return np.arange(first_date - (first_date + 3) % 7, last_date + 8, 7)
    return np.arange(first_date, last_date + 2)
