"""Retention in a cluster: drops the records of days that are not retained any more.

A day is dropped as a partition if all its records go, and otherwise by rows that cancel those that go. The
number of its last commit stays behind, so that the chain of its commits goes on if it is written again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from pegcount import core
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.store.clickhouse.rewriting.purge import partition
from pegcount.store.clickhouse.rewriting.rewriter import Condition, Rewriter
from pegcount.store.clickhouse.shared.change_log import ONLY_KEY, Change, ChangeLog, Snapshot
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.clickhouse.shared.settings import RETENTION, Settings
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, OF_RECORDS
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.commit import DayChains
from pegcount.store.retention import first_retained_day, oldest_us
from pegcount.zone import US_PER_DAY, US_PER_SECOND

_LOG = logging.getLogger(__name__)

RETAINED: Final = "retained"
"""Kind of the entry with the first day that was retained when days were last dropped; its key is empty."""
_EPOCH: Final = date(1970, 1, 1).toordinal()
_FIELDS: Final = ("first_day",)
_EMPTY_SECONDS: Final = 3_600
"""Seconds after which the number of the last commit of an empty day is forgotten: no insert is as late."""
_PARTITION: Final = "toInt32(extract(partition, '-?[0-9]+'))"
_DAYS: Final = Query(
    f"SELECT {_PARTITION} AS day, sum(bytes_on_disk) FROM system.parts WHERE active"
    f" AND database = currentDatabase() AND table = '{LEDGER}' GROUP BY day"
)
_DAYS_OF_RECORDS: Final = Query(
    f"SELECT day FROM {LEDGER} WHERE {OF_RECORDS} GROUP BY day HAVING sum(sign) > 0"
)
_EMPTY_DAYS: Final = Query(
    f"SELECT {_PARTITION} AS day FROM system.parts WHERE active AND database = currentDatabase()"
    f" AND table = '{LEDGER}' AND day < {{first:Int32}} GROUP BY day"
    f" HAVING max(modification_time) < now() - {_EMPTY_SECONDS}"
)
_ROW_COUNT: Final = Query(f"SELECT count() FROM {LEDGER} WHERE day = {{day:Int32}} AND {OF_RECORDS}")
_DUE: Final = (
    "SELECT day, sumIf(sign, %s) AS gone, sumIf(sign, state = 1 AND %s) AS active,"
    f" sum(sign) - gone AS staying FROM {LEDGER}"
    f" WHERE {OF_RECORDS} AND (day < %s OR setup_time < %s) GROUP BY day HAVING gone > 0"
)
_FINISHED: Final = "setup_time < {before_us:Int64} AND state = 0"
_STAYING: Final = Query(
    f"SELECT sum(sign) FROM {LEDGER} WHERE day = {{day:Int32}} AND {OF_RECORDS} AND NOT ({_FINISHED})"
)
_EVERYTHING: Final = core.DeletionRule(None, None, None, None, None)


@dataclass(frozen=True, slots=True)
class _Due:
    """What of a home day of one shard is not retained any more."""

    day: int
    active: int
    """Active sessions that go."""
    staying: int
    """Records that stay."""


@dataclass(frozen=True, slots=True)
class _Limit:
    """Which records go: those before a day, but for active sessions with recent news."""

    first_day: int
    abandoned_us: int

    @property
    def first_us(self) -> int:
        """The first retained setup time."""
        return self.first_day * US_PER_DAY

    def query(self) -> Query:
        """Returns the query for what is due."""
        bound = BoundValues()
        gone = self._text(bound, "(state = 0 OR received_time <= %s)")
        text = _DUE % (gone, gone, bound.integer(self.first_day), bound.integer(self.first_us))
        return Query(text, bound.parameters)

    def condition(self, *, of_active: bool) -> Condition:
        """Returns the condition for active sessions that go, or for all records."""
        bound = BoundValues()
        state = "(state = 1 AND received_time <= %s)" if of_active else "(state = 0 OR received_time <= %s)"
        return Condition(self._text(bound, state), bound.parameters, last_day=self.first_day - 1)

    def _text(self, bound: BoundValues, state: str) -> str:
        return f"setup_time < {bound.integer(self.first_us)} AND {state % bound.integer(self.abandoned_us)}"


class Expiry:
    """Applies the limits of retention. Thread-safe; raises as `Shard` does."""

    def __init__(
        self,
        cluster: Cluster,
        chains: Sequence[DayChains],
        log: ChangeLog,
        settings: Settings,
        rewriter: Rewriter,
        config: Config,
        trusted_us: Callable[[], int],
    ) -> None:
        """`trusted_us` returns the time by which days end."""
        self._cluster = cluster
        self._chains = {each.shard: each for each in chains}
        self._log = log
        self._settings = settings
        self._rewriter = rewriter
        self._config = config
        self._trusted_us = trusted_us
        self.dropped_day_count = 0

    def first_retained_day(self) -> int | None:
        """Returns the first UTC day that the present limits have left, if one was found; never waits."""
        return _retained_day(self._log.seen)

    def oldest_us(self) -> int:
        """Returns the earliest setup time of new records, in microseconds UTC; never waits."""
        seen = self._log.seen
        return oldest_us(self._settings.known_retention(), _retained_day(seen), self._trusted_us())

    def apply(self, cancel_token: CancelToken) -> None:
        """Drops what is not retained any more."""
        retention = self._settings.known_retention()
        if retention.days is None and retention.bytes is None:
            return
        sizes = self._sizes(cancel_token)
        if retention.bytes is not None:
            held = self._days_of_records(cancel_token)
            sizes = {day: size for day, size in sizes.items() if day in held}
        now_us = self._trusted_us()
        first_day = first_retained_day(retention, list(sizes.items()), now_us)
        if first_day is None or not any(day < first_day for day in sizes):
            return
        limit = _Limit(first_day, now_us - self._config.active_ttl_seconds * US_PER_SECOND)
        due = self._due(limit, cancel_token)
        if any(due.values()):
            self.note_first_day(first_day, cancel_token)
            self._drop(limit, due, cancel_token)
        else:
            self._cluster.each(lambda shard: _forget_empty_days(shard, first_day, cancel_token), cancel_token)

    def _drop(self, limit: _Limit, due: Mapping[Shard, Sequence[_Due]], cancel_token: CancelToken) -> None:
        all_due = [each for of_shard in due.values() for each in of_shard]
        # Active sessions go first: without them, no writer adds anything to the days before the limit.
        if any(each.active for each in all_due):
            self._rewriter.rewrite(limit.condition(of_active=True), _EVERYTHING, cancel_token)

        def is_whole(each: _Due) -> bool:
            return each.day < limit.first_day and not each.staying

        def drop_days(shard: Shard) -> list[int]:
            days = [each.day for each in due[shard] if is_whole(each)]
            return [day for day in days if self._drop_day(shard, day, limit, cancel_token)]

        dropped = {day for days in self._cluster.each(drop_days, cancel_token) for day in days}
        if not all(map(is_whole, all_due)):
            self._rewriter.rewrite(limit.condition(of_active=False), _EVERYTHING, cancel_token)
        if dropped:
            self.dropped_day_count += len(dropped)
            first = date.fromordinal(_EPOCH + limit.first_day)
            _LOG.info("dropped %d days before %s, which are not retained", len(dropped), first)

    def _drop_day(self, shard: Shard, day: int, limit: _Limit, cancel_token: CancelToken) -> bool:
        """Drops a home day; returns False if something of it stays."""
        chains = self._chains[shard]
        while True:
            # Whoever has read the head before loses, and finds the day dropped when it reads it again.
            chains.bump(day, cancel_token)
            parameters = {"day": str(day), "before_us": str(limit.first_us)}
            if int(shard.rows(Query(_STAYING.text, parameters), cancel_token)[0][0]):
                return False
            seq = chains.head(day, cancel_token)
            shard.run(f"ALTER TABLE {LEDGER} DROP PARTITION {partition(day)}", cancel_token)
            # The server has forgotten the numbers of this day: an insert that is late must not take one.
            if chains.restore(day, seq, cancel_token):
                return True

    def _due(self, limit: _Limit, cancel_token: CancelToken) -> dict[Shard, list[_Due]]:
        query = limit.query()
        answers = self._cluster.each(lambda shard: shard.rows(query, cancel_token), cancel_token)
        return {
            shard: [_Due(int(day), int(active), int(staying)) for day, _, active, staying in rows]
            for shard, rows in zip(self._cluster.shards, answers, strict=True)
        }

    def note_first_day(self, first_day: int, cancel_token: CancelToken) -> None:
        """Has all writers reject records before the day, from now on."""

        def decide(seen: Snapshot) -> Sequence[Change]:
            if first_day <= (_retained_day(seen) or 0):
                return []
            return [Change(RETAINED, ONLY_KEY, packed({"first_day": first_day}))]

        self._log.change(decide, cancel_token)

    def _sizes(self, cancel_token: CancelToken) -> dict[int, int]:
        """Bytes of all shards by home day."""
        sizes: dict[int, int] = {}
        for rows in self._cluster.each(lambda shard: shard.rows(_DAYS, cancel_token), cancel_token):
            for day, size in rows:
                sizes[int(day)] = sizes.get(int(day), 0) + int(size)
        return sizes

    def _days_of_records(self, cancel_token: CancelToken) -> set[int]:
        query = _DAYS_OF_RECORDS
        answers = self._cluster.each(lambda shard: shard.rows(query, cancel_token), cancel_token)
        return {int(day) for rows in answers for (day,) in rows}


def _forget_empty_days(shard: Shard, first_day: int, cancel_token: CancelToken) -> None:
    for (day,) in shard.rows(Query(_EMPTY_DAYS.text, {"first": str(first_day)}), cancel_token):
        if shard.rows(Query(_ROW_COUNT.text, {"day": day}), cancel_token) == [["0"]]:
            shard.run(f"ALTER TABLE {LEDGER} DROP PARTITION {partition(int(day))}", cancel_token)


def _retained_day(seen: Snapshot) -> int | None:
    """The first day that is retained by the present limits, as far as it was found."""
    entry = seen.only_entry(RETAINED)
    # Under other limits, dropped days may be written again.
    if entry is None or entry.version < seen.version(RETENTION):
        return None
    return int(unpacked(entry.content, _FIELDS)["first_day"])
