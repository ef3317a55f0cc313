"""The last calendar bins up to an instant."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pegcount.calendar.bin_edges import edges
from pegcount.model import Granularity
from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone

FIRST_US: Final = -US_PER_DAY
"""The earliest instant that a range may begin at, microseconds UTC."""
_SLACK_US: Final = 3 * 3_600 * US_PER_SECOND
_WIDTH_US_MAX: Final = {
    Granularity.MINUTE: 60 * US_PER_SECOND,
    Granularity.FIVE_MINUTES: 300 * US_PER_SECOND,
    Granularity.FIFTEEN_MINUTES: 900 * US_PER_SECOND,
    Granularity.THIRTY_MINUTES: 1_800 * US_PER_SECOND,
    Granularity.HOUR: 3_600 * US_PER_SECOND,
    Granularity.DAY: US_PER_DAY,
    Granularity.WEEK: 7 * US_PER_DAY,
    Granularity.MONTH: 31 * US_PER_DAY,
}
"""About the greatest width of a bin; the search goes on where the clock was set back often."""


def last_edges(zone: Zone, granularity: Granularity, now_us: int, count: int) -> NDArray[np.int64]:
    """Returns the edges of the last `count` bins that overlap the time before `now_us`, ascending.

    The bins are whole, so that the last edge may be later than now. The result has fewer bins if earlier ones
    would begin before `FIRST_US`. Shape (bins + 1,), microseconds UTC.

    >>> from pegcount.calendar import zone
    >>> utc = zone("UTC")
    >>> (last_edges(utc, Granularity.HOUR, 7_200 * US_PER_SECOND, 2) // US_PER_SECOND).tolist()
    [0, 3600, 7200]
    """
    span_us = count * _WIDTH_US_MAX[granularity]
    while True:
        from_us = max(FIRST_US, now_us - span_us - _SLACK_US)
        found = edges(zone, granularity, from_us, now_us)
        # The first one may be clipped by the search alone, but `edges` returns whole bins.
        if len(found) > count or from_us == FIRST_US:
            return found[found >= FIRST_US][-(count + 1) :]
        span_us *= 2
