"""What the ledgers of a cluster hold: counts, sizes, and from when to when records are set up.

For each part, ClickHouse knows the least and the greatest `setup_time`, but also of rows that were taken away
again. So these are bounds, and the rows say which day within them has a record.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pegcount.core import CancelToken
from pegcount.model import StoreInfo
from pegcount.store.clickhouse.tables.ledger_table import ACTIVE, LEDGER, OF_RECORDS
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.zone import US_PER_DAY

_UNIT_US: Final = 300_000_000
"""The unit of time of the projection `apps`, which answers what follows."""
_UNITS_PER_DAY: Final = US_PER_DAY // _UNIT_US
_UNIT: Final = f"intDiv(setup_time, {_UNIT_US})"
_RECORDS: Final = f"FROM {LEDGER} WHERE {OF_RECORDS}"
_BOUNDS: Final = Query(f"SELECT count(), min(setup_time), max(setup_time) FROM {LEDGER}")
_COUNTS: Final = Query(f"SELECT state, sum(sign) {_RECORDS} GROUP BY state")
_UNITS: Final = Query(
    "SELECT count(), min(unit), max(unit)"
    f" FROM (SELECT {_UNIT} AS unit {_RECORDS} GROUP BY unit HAVING sum(sign) > 0)"
)
_PARTS: Final = Query(
    "SELECT count(), sum(bytes_on_disk) FROM system.parts"
    f" WHERE active AND database = currentDatabase() AND table = '{LEDGER}'"
)
_LAG_SECONDS: Final = 60.0
"""Seconds for which the first day is believed after its records were seen."""


@dataclass(frozen=True, slots=True)
class _SeenDay:
    day: int
    until_s: float
    """Monotonic time until which it is believed."""


class LedgerContents:
    """Thread-safe. Methods raise CancelledError or DeadlineError for the token, and what `Shard` raises."""

    def __init__(self, cluster: Cluster, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._first_day: _SeenDay | None = None

    def first_day(self, cancel_token: CancelToken) -> int | None:
        """Returns the first UTC day that has a record, None without records; see `Store.first_day`."""
        bounds = self._ranges(_BOUNDS, cancel_token)
        if bounds is None:
            return None
        low, high = bounds[0] // US_PER_DAY, bounds[1] // US_PER_DAY
        seen, now_s = self._first_day, self._monotonic()
        if seen is not None and low <= seen.day and now_s < seen.until_s:
            # A record that was written meanwhile may be set up before that day.
            earlier = self._first_day_within(low, seen.day, cancel_token)
            return seen.day if earlier is None else earlier
        found = self._search(low, high + 1, cancel_token)
        self._first_day = None if found is None else _SeenDay(found, now_s + _LAG_SECONDS)
        return found

    def latest_setup_us(self, cancel_token: CancelToken) -> int | None:
        """Returns the latest setup time, None without records; see `Store.latest_setup_us`."""
        found = self._setup_range(cancel_token)
        return None if found is None else found[1]

    def info(self, cancel_token: CancelToken) -> StoreInfo:
        """Returns counts, sizes and the range of setup times; see `Store.info`."""
        parts = self._rows(_PARTS, cancel_token)
        counts = self._rows(_COUNTS, cancel_token)
        first_us, last_us = self._setup_range(cancel_token) or (None, None)
        return StoreInfo(
            records=sum(count for _, count in counts),
            unsealed_records=0,
            active_records=sum(count for state, count in counts if state == ACTIVE),
            segments=sum(count for count, _ in parts),
            segment_bytes=sum(size for _, size in parts),
            first_setup_us=first_us,
            last_setup_us=last_us,
        )

    def _search(self, low: int, end: int, cancel_token: CancelToken) -> int | None:
        """The first day in [low, end) that has a record, most often one of the first."""
        width = 1
        while low < end:
            found = self._first_day_within(low, min(low + width, end), cancel_token)
            if found is not None:
                return found
            low, width = low + width, 2 * width
        return None

    def _first_day_within(self, low: int, end: int, cancel_token: CancelToken) -> int | None:
        if low >= end:
            return None
        bound = BoundValues()
        condition = (
            f"{_UNIT} >= {bound.integer(low * _UNITS_PER_DAY)}"
            f" AND {_UNIT} < {bound.integer(end * _UNITS_PER_DAY)}"
        )
        text = (
            f"SELECT intDiv({_UNIT}, {_UNITS_PER_DAY}) AS setup_day {_RECORDS} AND {condition}"
            " GROUP BY setup_day HAVING sum(sign) > 0 ORDER BY setup_day LIMIT 1"
        )
        return min((day for (day,) in self._rows(Query(text, bound.parameters), cancel_token)), default=None)

    def _setup_range(self, cancel_token: CancelToken) -> tuple[int, int] | None:
        """The first and the last setup time, None without records."""
        while (units := self._ranges(_UNITS, cancel_token)) is not None:
            first = self._ranges(_times_in(units[0]), cancel_token)
            last = self._ranges(_times_in(units[1]), cancel_token)
            # The records of a unit may be deleted meanwhile.
            if first is not None and last is not None:
                return first[0], last[1]
        return None

    def _ranges(self, query: Query, cancel_token: CancelToken) -> tuple[int, int] | None:
        """The least and the greatest value of all shards that count any."""
        found = [(low, high) for count, low, high in self._rows(query, cancel_token) if count]
        return (min(low for low, _ in found), max(high for _, high in found)) if found else None

    def _rows(self, query: Query, cancel_token: CancelToken) -> Sequence[Sequence[int]]:
        """The rows of all shards, which have integers."""
        answers = self._cluster.each(lambda shard: shard.rows(query, cancel_token), cancel_token)
        return [[int(value) for value in row] for rows in answers for row in rows]


def _times_in(unit: int) -> Query:
    """The range of the setup times of records in one unit of time."""
    bound = BoundValues()
    low, end = bound.integer(unit * _UNIT_US), bound.integer((unit + 1) * _UNIT_US)
    text = (
        "SELECT count(), min(setup_us), max(setup_us) FROM (SELECT setup_time AS setup_us"
        f" {_RECORDS} AND setup_time >= {low} AND setup_time < {end} GROUP BY setup_us HAVING sum(sign) > 0)"
    )
    return Query(text, bound.parameters)
