"""The time by which a cluster drops and masks days: that of this host, but never ahead of that of a shard."""

import time
from collections.abc import Callable
from typing import Final

from pegcount.core import CancelToken
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.zone import US_PER_SECOND

_NOW: Final = Query("SELECT toUnixTimestamp64Micro(now64(6))")


class ClusterClock:
    """A clock that is too far ahead on one host drops no day of the others. Thread-safe."""

    def __init__(self, cluster: Cluster, clock: Callable[[], int]) -> None:
        """`clock` returns the present time of this host in microseconds UTC."""
        self._cluster = cluster
        self._clock = clock
        self._seen: tuple[int, float] | None = None
        """The least time of the shards when they were asked last, and the monotonic time of that."""

    def look(self, cancel_token: CancelToken) -> None:
        """Asks the shards for their time; raises as `Shard` does."""
        asked_s = time.monotonic()
        answers = self._cluster.each(lambda shard: shard.rows(_NOW, cancel_token), cancel_token)
        self._seen = (min(int(rows[0][0]) for rows in answers), asked_s)

    def trusted_us(self) -> int:
        """Returns the time by which days end, in microseconds UTC; never waits."""
        here_us = self._clock()
        if self._seen is None:
            return here_us
        there_us, asked_s = self._seen
        return min(here_us, there_us + int((time.monotonic() - asked_s) * US_PER_SECOND))
