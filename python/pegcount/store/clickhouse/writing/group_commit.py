"""Makes the batches of one group durable on all shards.

    heads -> rules -> rows -> plan -> commits of the home days -> neighbours -> again, while something is open

The commits of a plan are made at the same time, but for one that removes what another one has: it follows.

A commit of one home day cannot see one that is made at the same time for the day beside it, and both may
have a version of one session. So each writer looks at the heads of the neighbouring days once more after its
commits, and joins what another one has put there: of two writers, the later one sees the commit of the other.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Final

from pegcount import core
from pegcount.core import CancelToken
from pegcount.errors import DeadlineError, StoreUnavailableError
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, OF_RECORDS
from pegcount.store.clickhouse.tables.schema import ClusterKeys
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.failures import RETRY_SECONDS
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.commit import Commit, DayChains, live_rows, pause, pause_after_loss

_AT_ONCE_COUNT_MAX: Final = 8
"""Days of one shard that are opened, or get a commit, at the same time."""
_OF_KEYS = "key_hash IN {keys:Array(UInt64)} AND first_day <= {last:Int32} AND last_day >= {first:Int32}"
_REPEATED = Query(
    f"SELECT key_hash FROM {LEDGER} WHERE {OF_RECORDS} AND {_OF_KEYS} GROUP BY key_hash HAVING sum(sign) > 1"
)

Batches = Sequence[tuple[core.LedgerBatch, core.RecordScope | None]]
"""Batches, each with the scope of its writer."""


RuleSource = Callable[[CancelToken], core.LedgerRules]
"""Returns the newest rules: every change that returned before is in them. Raises as `Shard` does."""


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """What a group goes by, in microseconds UTC."""

    oldest_us: Callable[[], int]
    """Versions set up before it are rejected unless their session is active. It is asked after the rules."""
    received_us: int


class GroupCommit:
    """Commits groups of batches. Thread-safe."""

    def __init__(self, cluster: Cluster, keys: ClusterKeys, rules: RuleSource, source_count_max: int) -> None:
        self._cluster = cluster
        self._hash_key = keys.hash_key
        self._rules = rules
        epochs = keys.epochs or (0,) * len(cluster.shards)
        self.chains = tuple(
            DayChains(shard, epoch) for shard, epoch in zip(cluster.shards, epochs, strict=True)
        )
        """By shard."""
        self.sources = core.SourceTotals(source_count_max)
        """What became of the records, by source."""
        self.commit_count = 0
        self.lost_count = 0
        """Commits whose number another writer took first."""
        self.joined_count = 0
        """Keys that two writers had made records of at the same time, which became one."""

    def commit(self, batches: Batches, times: GroupTimes, seconds_max: float) -> list[bytes]:
        """Returns the serialized `WriteRecordsResponse` of each batch, once all of them are durable.

        Raises StoreUnavailableError or DeadlineError if a shard makes nothing of it durable for so long, and
        otherwise as `Shard` does.
        """
        cancel_token = CancelToken(seconds_max)
        rules = self._rules(cancel_token)
        ledger = core.LedgerGroup(batches, rules, self._hash_key, len(self.chains))
        group = _Group(ledger, self._rules, times, seconds_max)
        chains_of = {chains.shard: (number, chains) for number, chains in enumerate(self.chains)}
        unsettled = set(ledger.unsettled_shards)

        def work_of(shard: Shard) -> _ShardWork:
            number, chains = chains_of[shard]
            work = _ShardWork(group, number, chains)
            if number in unsettled:
                work.run()
            return work

        for work in self._cluster.each(work_of, cancel_token) if unsettled else ():
            self.commit_count += len(work.made)
            self.lost_count += len(work.lost_days)
            self.joined_count += work.joined_count
        ledger.note_sources(self.sources, times.received_us)
        return ledger.responses()


class _Group:
    """The batches of one group, and the rules that all shards hold them to."""

    def __init__(
        self, ledger: core.LedgerGroup, source: RuleSource, times: GroupTimes, seconds_max: float
    ) -> None:
        self.ledger = ledger
        self.times = times
        self.seconds_max = seconds_max
        self._source = source
        self._lock = Lock()
        """Held while rules are read and taken, so that no shard brings older ones back."""

    def use_newest_rules(self, cancel_token: CancelToken) -> None:
        """Holds the versions to rules that were read after this call began."""
        with self._lock:
            self.ledger.use_rules(self._source(cancel_token))


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """Keys that were committed, and the heads of their days and those beside them if nobody else wrote."""

    keys: str
    first_day: int
    last_day: int
    heads: dict[int, int]

    @property
    def parameters(self) -> dict[str, str]:
        return {"keys": self.keys, "first": str(self.first_day), "last": str(self.last_day)}


class _ShardWork:
    """What one group has to do on one shard."""

    def __init__(self, group: _Group, number: int, chains: DayChains) -> None:
        self._group = group
        self._number = number
        self._chains = chains
        self._advanced_s = time.monotonic()
        """When something was made durable last: the shard has some seconds from then on."""
        self._passed_days: set[int] = set()
        """Days of versions that extend a record of another home day: writers of these days have to notice."""
        self._unseen: list[_Neighbours] = []
        """Where others may have written since the rows were read."""
        self.joined_count = 0
        self.made: list[tuple[int, int]] = []
        """Days and numbers of the commits that were made."""
        self.lost_days: list[int] = []
        """Days of those that others were faster with."""

    def run(self) -> None:
        """Commits what the group has for the shard; raises StoreUnavailableError if it takes nothing."""
        shard = self._chains.shard.name
        last = StoreUnavailableError(f"{shard} did not take a batch in time", RETRY_SECONDS)
        failure_count = loss_count = 0
        while self._is_open():
            try:
                if failure_count:
                    pause(failure_count, self._token)
                elif loss_count:
                    pause_after_loss(loss_count, self._token)
                loss_count = 0 if self._advance() else loss_count + 1
                failure_count = 0
            except StoreUnavailableError as error:
                failure_count, last = failure_count + 1, error
            except DeadlineError as error:
                if self._seconds_left <= 0:
                    raise last from error
        for day, seq in self.made:
            self._chains.settled.note(day, seq)

    @property
    def _seconds_left(self) -> float:
        return max(0.0, self._advanced_s + self._group.seconds_max - time.monotonic())

    @property
    def _token(self) -> CancelToken:
        """For the next step; it ends when the shard has made nothing durable for too long."""
        return CancelToken(self._seconds_left)

    def _is_open(self) -> bool:
        is_done = not self._passed_days and not self._unseen
        return not is_done or self._number in self._group.ledger.unsettled_shards

    def _advance(self) -> bool:
        """Takes the next step; returns False if it has to be tried again later."""
        if self._number in self._group.ledger.unsettled_shards:
            return self._commit()
        if self._passed_days:
            self._chains.bump(min(self._passed_days), self._token)
            self._passed_days.remove(min(self._passed_days))
        elif self._unseen:
            self._look_at_neighbours(self._unseen[0])
            del self._unseen[0]
        self._advanced_s = time.monotonic()
        return True

    def _commit(self) -> bool:
        seen, plan, nonce = self._planned()
        if unopened := [each.day for each in plan.commits if not seen.heads[each.day]]:
            return self._of_each_day(dict.fromkeys(unopened, ()), self._open)
        if plan.commits:
            self._unseen.append(seen)
            days = self._group.ledger.lookup(self._number).days
            self._passed_days.update(set(days) - {each.day for each in plan.commits})
        commits = {each.day: Commit(each.day, each.seq, nonce, each.rows) for each in plan.commits}

        def make(day: int) -> bool:
            if not self._chains.make(commits[day], self._token):
                self.lost_days.append(day)
                return False
            self._group.ledger.settle(self._number, day)
            seen.heads[day] = commits[day].seq
            self.made.append((day, commits[day].seq))
            return True

        return self._of_each_day({each.day: each.after for each in plan.commits}, make)

    def _open(self, day: int) -> bool:
        self._chains.open(day, self._token)
        return True

    def _of_each_day(self, after: Mapping[int, Sequence[int]], function: Callable[[int], bool]) -> bool:
        """Calls a function for days, several at once, each after those that it is to follow if they are done.

        Returns whether all are done; raises what one of them has raised, and begins none after that.
        """
        calls: dict[int, Future[bool]] = {}

        def call(day: int) -> bool:
            # What it follows is of lesser days, whose calls have begun.
            if not all(calls[other].result() for other in after[day]) or not function(day):
                return False
            self._advanced_s = time.monotonic()
            return True

        with ThreadPoolExecutor(_AT_ONCE_COUNT_MAX, "commit") as pool:
            for day in sorted(after):
                calls[day] = pool.submit(call, day)
            wait(calls.values(), return_when=FIRST_EXCEPTION)
            pool.shutdown(cancel_futures=True)
        # The first one that has raised comes before all that were not begun.
        are_done = [each.result() for each in calls.values()]
        return all(are_done)

    def _planned(self) -> tuple[_Neighbours, core.LedgerPlan, int]:
        """Returns a plan, the heads that it is for, and the nonce of its commits."""
        group, times, token = self._group, self._group.times, self._token
        others: set[int] = set()
        while True:
            lookup = group.ledger.lookup(self._number)
            first, last = lookup.first_day, lookup.last_day
            heads = self._chains.heads(first, last, others, token)
            group.use_newest_rules(token)
            seen = _Neighbours(lookup.key_hashes, first, last, heads)
            rows = self._chains.shard.select(live_rows(_OF_KEYS, seen.parameters), token)
            nonce = self._chains.nonce(heads)
            plan = group.ledger.plan(
                self._number,
                rows,
                heads,
                oldest_us=times.oldest_us(),
                received_us=times.received_us,
                nonce=nonce,
            )
            if not plan.unknown_days:
                return seen, plan, nonce
            others |= set(plan.unknown_days)

    def _look_at_neighbours(self, seen: _Neighbours) -> None:
        """Opens the keys again that another writer may have written for another day at the same time."""
        heads = self._chains.heads(seen.first_day, seen.last_day, seen.heads, self._token)
        if heads == seen.heads:
            return
        query = Query(_REPEATED.text, seen.parameters)
        if hashes := [int(row[0]) for row in self._chains.shard.rows(query, self._token)]:
            self._group.ledger.reopen(self._number, hashes)
            self.joined_count += len(hashes)
