"""The hours of the last days, by the local clock."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone

_US_PER_HOUR: Final = 3_600 * US_PER_SECOND


@dataclass(frozen=True, slots=True)
class DaysBefore:
    """Now, the same local time on each day before, and bins of an hour or less between them."""

    same_us: tuple[int, ...]
    """Now, and the same local time 1, 2 … days before, in microseconds UTC. Each begins the day that ends at
    the one before it, which so has 23 to 25 hours where the clock changes."""
    edge_us: NDArray[np.int64]
    """Edges of the bins: these instants, and those that are whole hours before one of them."""


def days_before(zone: Zone, now_us: int, day_count: int) -> DaysBefore:
    """Returns the last days, today included, each up to the present local time.

    A local time that the clock skips on a day is as much later; of one that it shows twice, the first counts.

    >>> from pegcount.calendar import zone
    >>> from pegcount.time_text import REQUEST, read_time
    >>> now_us = read_time("2026-03-30T00:30:00+02:00", REQUEST).us  # The day before had 23 hours.
    >>> days = days_before(zone("Europe/Berlin"), now_us, 2)
    >>> [(end - start) // 3_600_000_000 for end, start in zip(days.same_us, days.same_us[1:])]
    [23, 24]
    >>> len(days.edge_us)
    48
    """
    local_us = now_us + zone.offset_s_at(now_us) * US_PER_SECOND
    same_us = [now_us]
    for day in range(1, day_count + 1):
        same_us.append(zone.instants_us(local_us - day * US_PER_DAY)[0])
    edges = set(same_us)
    for end_us, start_us in pairwise(same_us):
        edges.update(range(end_us, start_us, -_US_PER_HOUR))
    return DaysBefore(tuple(same_us), np.array(sorted(edges), dtype=np.int64))
