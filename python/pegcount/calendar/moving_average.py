"""Warm-up days of the simple moving average (SMA).

The average over x days at day i is the mean of the counts of days i - x + 1 to i. The first day of a
range therefore needs the x - 1 days before the range, which a report scans but does not return.
"""

import numpy as np
from numpy.typing import NDArray

from pegcount.calendar.bin_edges import day_edges
from pegcount.zone import Zone


def warmup_day_count(sma_period: int | None) -> int:
    """Returns the number of warm-up days for a period in days; None is a report without an average."""
    return 0 if sma_period is None else sma_period - 1


def edges_with_days_before(zone: Zone, from_us: int, to_us: int, day_count: int) -> NDArray[np.int64]:
    """Returns the edges of the DAY bins of [from_us, to_us) and of exactly `day_count` DAY bins before them.

    The range must not be empty. Its first bin has the index `day_count`. Dates that do not exist
    in the zone do not count towards `day_count`.

    >>> from pegcount.calendar import zone
    >>> from pegcount.time_text import read_date
    >>> apia, date = zone("Pacific/Apia"), read_date("2011-12-31")  # The day before does not exist.
    >>> from_us = apia.day_start_us(date)
    >>> edge_us = edges_with_days_before(apia, from_us, from_us + 1, 1)
    >>> int(edge_us[0]) == apia.day_start_us(date - 2), int(edge_us[1]) == from_us, len(edge_us)
    (True, True, 3)
    """
    first_date, last_date = zone.local_date(from_us), zone.local_date(to_us - 1)
    # Starts early enough even if all missing dates of the zone precede the range, then drops the surplus.
    edge_us = day_edges(zone, first_date - day_count - zone.missing_date_count_max, last_date)
    surplus_count = int(np.searchsorted(edge_us, zone.day_start_us(first_date))) - day_count
    return edge_us[surplus_count:]
