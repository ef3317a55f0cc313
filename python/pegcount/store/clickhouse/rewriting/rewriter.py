"""Rewrites records that are stored: removes those of a deletion, and takes numbers of parties out.

    rule in the change log -> an empty commit of each day -> rows, piece by piece -> a commit of each piece

The empty commit makes every writer lose that decided by older rules, so what it finds afterwards is all that
the rule does not hold for yet. A piece is committed as a batch is: whoever changes a record of it meanwhile
makes the commit lose, and the piece is read again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pegcount import core
from pegcount.core import CancelToken
from pegcount.model import Deletion
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, OF_RECORDS
from pegcount.store.clickhouse.wire.bound_values import BoundValues
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.commit import Commit, DayChains, live_rows, pause_after_loss
from pegcount.store.clickhouse.writing.group_commit import RuleSource
from pegcount.zone import US_PER_DAY

_HASH_END: Final = 2**64
_LAST_DAY: Final = 2**31 - 2

_COUNT: Final = f"SELECT day, sum(sign) FROM {LEDGER} WHERE {OF_RECORDS} AND %s GROUP BY day ORDER BY day"
_HOME_DAYS: Final = Query(
    f"SELECT DISTINCT day FROM {LEDGER} WHERE {OF_RECORDS}"
    " AND first_day <= {last:Int32} AND last_day >= {first:Int32}"
)
_PIECE: Final = "day = {day:Int32} AND key_hash BETWEEN {low:UInt64} AND {high:UInt64}"


@dataclass(frozen=True, slots=True)
class Condition:
    """Which records are looked at, in SQL with bound values, and on which days they are set up."""

    text: str = "1"
    parameters: Mapping[str, str] = field(default_factory=dict)
    first_day: int = -_LAST_DAY
    last_day: int = _LAST_DAY
    """Inclusive."""


ALL: Final = Condition()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a pass did."""

    removed: int
    """Records that the deletion covered."""
    changed: int
    """Records out of which numbers were taken, or in which they were masked."""


def condition_of(deletion: Deletion) -> Condition:
    """Returns which records a deletion covers: exactly those."""
    bound = BoundValues()
    texts, first_day, last_day = ["1"], -_LAST_DAY, _LAST_DAY
    if deletion.source is not None:
        texts.append(f"source = {bound.text(deletion.source)}")
    if deletion.from_us is not None:
        texts.append(f"setup_time >= {bound.integer(deletion.from_us)}")
        first_day = deletion.from_us // US_PER_DAY
    if deletion.to_us is not None:
        texts.append(f"setup_time < {bound.integer(deletion.to_us)}")
        last_day = (deletion.to_us - 1) // US_PER_DAY
    if deletion.session_ids:
        texts.append(f"session_id IN {bound.texts(deletion.session_ids)}")
    return Condition(" AND ".join(texts), bound.parameters, first_day, last_day)


def with_versions_in(from_day: int, end_day: int) -> Condition:
    """Returns the condition for records that may have a version of a UTC day in [from_day, end_day)."""
    bound = BoundValues()
    text = f"first_day < {bound.integer(end_day)} AND last_day >= {bound.integer(from_day)}"
    return Condition(text, bound.parameters, from_day, end_day - 1)


class Rewriter:
    """Passes over the records of all shards, in parallel. Thread-safe; raises as `Shard` does."""

    def __init__(
        self, cluster: Cluster, chains: Sequence[DayChains], rules: RuleSource, piece_row_count: int
    ) -> None:
        self._cluster = cluster
        self._chains = {each.shard: each for each in chains}
        self._rules = rules
        self._piece_row_count = piece_row_count

    def rewrite(
        self,
        condition: Condition,
        deletion: core.DeletionRule | None,
        cancel_token: CancelToken,
        on_removed: Callable[[int], None] = lambda _: None,
    ) -> Rewritten:
        """Applies the rules to the records of a condition, and removes those that the deletion covers.

        `on_removed` gets the number of records that each commit removed, as soon as it is made.
        """

        def rewrite_shard(shard: Shard) -> Rewritten:
            chains = self._chains[shard]
            for day in self._days_to_bump(chains, condition, cancel_token):
                chains.bump(day, cancel_token)
            removed = changed = 0
            for day, low, high in self._pieces(chains, condition, cancel_token):
                parameters = {**condition.parameters, "day": str(day), "low": str(low), "high": str(high)}
                query = live_rows(f"{_PIECE} AND {condition.text}", parameters)
                done = self._rewrite_piece(chains, day, query, deletion, cancel_token)
                on_removed(done.removed)
                removed += done.removed
                changed += done.changed
            return Rewritten(removed, changed)

        parts = self._cluster.each(rewrite_shard, cancel_token)
        return Rewritten(sum(each.removed for each in parts), sum(each.changed for each in parts))

    def count_parties(self, party_key: bytes, digests: Sequence[bytes], cancel_token: CancelToken) -> int:
        """Returns how many records have a number with one of these digests, in any of their versions."""

        def count_shard(shard: Shard) -> int:
            chains, found = self._chains[shard], 0
            for day, low, high in self._pieces(chains, ALL, cancel_token):
                parameters = {"day": str(day), "low": str(low), "high": str(high)}
                rows = shard.select(live_rows(_PIECE, parameters), cancel_token)
                found += core.count_ledger_parties(rows, party_key, digests)
            return found

        return sum(self._cluster.each(count_shard, cancel_token))

    def stored_rows(self, row_count: int, cancel_token: CancelToken) -> Iterator[bytes]:
        """Yields all live rows, as `core.LedgerGroup.plan` takes them, about `row_count` at a time.

        Writers go on: a record that was there before the call is among them, as it was at some moment since.
        Days are read from the last one back: of two records that become one, the row of the lesser day has
        all versions before that of the other day goes. A day that is new by the end is read then.
        """
        for shard in self._cluster.shards:
            chains, read = self._chains[shard], set[int]()
            while days := set(chains.days(cancel_token)) - read:
                for day in sorted(days, reverse=True):
                    only = Condition("day = {only:Int32}", {"only": str(day)})
                    for _, low, high in self._pieces(chains, only, cancel_token, row_count):
                        parameters = {"day": str(day), "low": str(low), "high": str(high)}
                        yield shard.select(live_rows(_PIECE, parameters), cancel_token)
                read |= days

    def day_count(self, from_day: int, end_day: int, cancel_token: CancelToken) -> int:
        """Returns how many home days in [from_day, end_day) all shards together have."""
        days = self._cluster.each(lambda shard: self._chains[shard].days(cancel_token), cancel_token)
        return sum(from_day <= day < end_day for of_shard in days for day in of_shard)

    def _days_to_bump(
        self, chains: DayChains, condition: Condition, cancel_token: CancelToken
    ) -> Sequence[int]:
        """Home days to which a writer may commit that has a version of the condition and older rules.

        A version comes to the day of its setup time, or to that of a record whose days it joins. Who saw
        such a record before it became another one has lost already, as that was a commit of its day.
        """
        first, last = condition.first_day, condition.last_day
        bounds = {"first": str(first - 1), "last": str(last + 1)}
        joined = {int(row[0]) for row in chains.shard.rows(Query(_HOME_DAYS.text, bounds), cancel_token)}
        days = chains.days(cancel_token)
        return [day for day in days if first <= day <= last or day in joined]

    def _pieces(
        self,
        chains: DayChains,
        condition: Condition,
        cancel_token: CancelToken,
        row_count_max: int | None = None,
    ) -> Iterator[tuple[int, int, int]]:
        """Home days, each in ranges of key hashes with about as many records as are read at once."""
        query = Query(_COUNT % condition.text, condition.parameters)
        for day, row_count in chains.shard.rows(query, cancel_token):
            piece_count = -(-int(row_count) // (row_count_max or self._piece_row_count))
            for piece in range(piece_count):
                low = _HASH_END * piece // piece_count
                yield int(day), low, _HASH_END * (piece + 1) // piece_count - 1

    def _rewrite_piece(
        self,
        chains: DayChains,
        day: int,
        query: Query,
        deletion: core.DeletionRule | None,
        cancel_token: CancelToken,
    ) -> Rewritten:
        attempt = 0
        while True:
            head = chains.head(day, cancel_token)
            rules = self._rules(cancel_token)
            rows = chains.shard.select(query, cancel_token)
            seq, nonce = head + 1, chains.nonce({day: head})
            rewrite = core.rewrite_ledger_rows(rows, rules, deletion, day=day, seq=seq, nonce=nonce)
            done = Rewritten(rewrite.removed, rewrite.changed)
            if done == Rewritten(0, 0) or chains.make(Commit(day, seq, nonce, rewrite.rows), cancel_token):
                return done
            attempt += 1
            pause_after_loss(attempt, cancel_token)
