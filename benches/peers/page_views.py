"""Page views in the proportions of ClickBench's table: 31 days, 6,500 counters, two flags.

Generated in chunks, so that memory does not limit their number; deterministic for their count.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pegcount.zone import US_PER_DAY, US_PER_SECOND

from peers.dimensions import zipf

SEED = 43
FROM_US = 1_372_636_800 * US_PER_SECOND
"""2013-07-01T00:00:00Z."""
DAYS = 31
NOW_US = FROM_US + (DAYS + 1) * US_PER_DAY
COUNTERS = 6_500
COUNTER = 62
COUNTER_SHARE = 0.0074
REFRESH_SHARE, NOT_COUNTED_SHARE = 0.09, 0.07
BEGIN_US, END_US = FROM_US + 13 * US_PER_DAY, FROM_US + 15 * US_PER_DAY
"""14 and 15 July."""
CHUNK_ROWS = 250_000
MINUTE_US = 60 * US_PER_SECOND
ROW = np.dtype(
    [
        ("number", np.int64),
        ("us", np.int64),
        ("counter", np.uint16),
        ("refresh", np.bool_),
        ("skipped", np.bool_),
    ]
)
Counts = NDArray[np.int64]
"""Page views by minute of the two days."""


class Subject(Protocol):
    """An engine that answers the question."""

    def ask(self) -> Any:
        """Answers in the native result of the engine; timed."""

    def counts(self, asked: Any) -> Counts:
        """Converts a result of `ask` for comparison; not timed."""


def chunks(count: int) -> Iterator[NDArray[np.void]]:
    """Yields page views in the order of time."""
    shares = zipf(COUNTERS, 1.1)
    for first in range(0, count, CHUNK_ROWS):
        last = min(first + CHUNK_ROWS, count)
        chance = np.random.default_rng([SEED, count, first])
        rows = np.zeros(last - first, ROW)
        rows["number"] = np.arange(first, last)
        position = (first + np.sort(chance.random(len(rows))) * len(rows)) / count * DAYS
        # Each day has more page views around noon.
        day, part = np.divmod(position, 1)
        rows["us"] = FROM_US + ((day + part - 0.1 * np.sin(2 * np.pi * part) / np.pi) * US_PER_DAY).astype(
            np.int64
        )
        rows["counter"] = np.searchsorted(shares, chance.random(len(rows)), "right").clip(max=COUNTERS - 1)
        rows["counter"][rows["counter"] == COUNTER] = 0
        rows["counter"][chance.random(len(rows)) < COUNTER_SHARE] = COUNTER
        rows["refresh"] = chance.random(len(rows)) < REFRESH_SHARE
        rows["skipped"] = chance.random(len(rows)) < NOT_COUNTED_SHARE
        yield rows
