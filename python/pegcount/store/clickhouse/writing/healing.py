"""Joins records that a writer which died has left apart: two rows of one key, on days that are neighbours."""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import Final

from pegcount import core
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.data_scope import DataScope
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, OF_RECORDS
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.commit import DayChains
from pegcount.store.clickhouse.writing.group_commit import GroupCommit, GroupTimes
from pegcount.v1 import records_pb2
from pegcount.zone import US_PER_DAY

_LOG = logging.getLogger(__name__)

_GRACE_SECONDS: Final = 2.0
"""Seconds in which a writer looks at the days beside those of its commits itself."""
_QUIET_SECONDS: Final = 600.0
"""Seconds without a commit after which a marker says that all commits of a day are settled."""
_NEVER_US: Final = 2**62
_NOTHING: Final = core.RecordScope(DataScope(source=("\0",)))
"""The scope of a writer that reaches no record: its versions are refused, and the rows of the keys joined."""
_OF_COMMITS: Final = (
    f"FROM {LEDGER} WHERE day = {{day:Int32}} AND seq > {{after:UInt64}} AND seq <= {{head:UInt64}}"
    f" AND {OF_RECORDS}"
)
_DAYS_OF_COMMITS: Final = f"SELECT count(), min(first_day) - 1, max(last_day) + 1 {_OF_COMMITS}"
_BESIDE: Final = f"{OF_RECORDS} AND first_day <= {{last:Int32}} AND last_day >= {{first:Int32}}"
_REPEATED: Final = (
    f"SELECT key_hash FROM {LEDGER} WHERE {_BESIDE} AND key_hash IN (SELECT key_hash {_OF_COMMITS})"
    " GROUP BY key_hash HAVING sum(sign) > 1"
)
_ROWS: Final = (
    f"SELECT source, session_id, first_day, last_day FROM {LEDGER}"
    f" WHERE {_BESIDE} AND key_hash IN {{keys:Array(UInt64)}}"
    " GROUP BY source, session_id, day, first_day, last_day HAVING sum(sign) > 0 ORDER BY ALL"
)
_Key = tuple[str, str]


class Healing:
    """Looks at commits that are not known to be settled. One thread at a time may use it."""

    def __init__(
        self, cluster: Cluster, group_commit: GroupCommit, config: Config, clock: Callable[[], int]
    ) -> None:
        """`clock` returns the present time in microseconds UTC."""
        self._cluster = cluster
        self._group_commit = group_commit
        self._config = config
        self._clock = clock
        self._since_s: dict[tuple[Shard, int], tuple[int, float]] = {}
        """By day of a shard: up to where it is settled, and since when."""

    def heal(self, cancel_token: CancelToken) -> None:
        """Joins what is left apart, by commits like those of batches; raises as `Shard` does."""
        chains_of = {each.shard: each for each in self._group_commit.chains}
        self._cluster.each(lambda shard: self._heal_shard(chains_of[shard], cancel_token), cancel_token)

    def _heal_shard(self, chains: DayChains, cancel_token: CancelToken) -> None:
        for day, head, has_marker in chains.unsettled(cancel_token):
            settled = chains.settled.up_to(day, head)
            seconds = self._seconds_at(chains.shard, day, settled)
            if settled < head and seconds >= _GRACE_SECONDS:
                self._look_at(chains, day, settled, head, cancel_token)
                chains.settled.note_up_to(day, head)
            elif settled >= head and not has_marker and seconds >= _QUIET_SECONDS:
                chains.mark_settled(day, head, cancel_token)

    def _seconds_at(self, shard: Shard, day: int, settled: int) -> float:
        """Returns for how long a day has been settled up to a number, as far as this server has seen it."""
        now_s = time.monotonic()
        before, since_s = self._since_s.get((shard, day), (-1, now_s))
        if before != settled:
            since_s = now_s
        self._since_s[shard, day] = (settled, since_s)
        return now_s - since_s

    def _look_at(
        self, chains: DayChains, day: int, settled: int, head: int, cancel_token: CancelToken
    ) -> None:
        shard, parameters = chains.shard, {"day": str(day), "after": str(settled), "head": str(head)}
        ((count, first, last),) = shard.rows(Query(_DAYS_OF_COMMITS, parameters), cancel_token)
        if count == "0":
            return
        beside = {"first": first, "last": last}
        keys = [key for (key,) in shard.rows(Query(_REPEATED, {**parameters, **beside}), cancel_token)]
        if keys:
            rows = shard.rows(Query(_ROWS, {**beside, "keys": f"[{','.join(keys)}]"}), cancel_token)
            self._join(shard, _apart(rows))

    def _join(self, shard: Shard, apart: Sequence[tuple[_Key, int]]) -> None:
        if not apart:
            return
        _LOG.warning(
            "%s has %d records that a server has left apart; they are joined", shard.place, len(apart)
        )
        request = records_pb2.WriteRecordsRequest()
        for (source, session_id), day in apart:
            record = request.records.add(source=source, session_id=session_id)
            record.setup_time.FromMicroseconds(day * US_PER_DAY)
        batch = core.LedgerBatch(request.SerializeToString(), self._config)
        times = GroupTimes(lambda: _NEVER_US, self._clock())
        self._group_commit.commit([(batch, _NOTHING)], times, self._config.ledger_commit_seconds_max)


def _apart(rows: Sequence[Sequence[str]]) -> list[tuple[_Key, int]]:
    """Returns keys with two rows that are neighbours, each with a day from which both are seen."""
    apart = []
    for key, of_key in groupby(rows, lambda row: (row[0], row[1])):
        for (*_, last), (*_, next_first, next_last) in pairwise(of_key):
            if int(next_first) <= int(last) + 1:
                apart.append((key, min(int(last), int(next_last))))
    return apart
