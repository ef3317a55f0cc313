"""Commits to the days of one shard, each decided by what the one before it left.

    head n -> rules -> rows -> decide -> insert n + 1 -> read whose n + 1 is -> done, or once more

The commits of a home day are numbered. An insert has its changes and a marker with the number, and the number
is in its deduplication token, of which ClickHouse keeps the first. Two writers that decide by the same head
thus insert with the same token, and the marker tells whose changes are stored. Head, rules and rows are read
in this order: what is newer than the head makes the insert lose.

ClickHouse knows only the newest tokens, and may forget those of the last seconds when its power is cut, as it
does not flush them. So each insert, also one that is repeated, follows a look at the head at once: a marker
is there as long as its commit. An insert that has begun and then stands still is ended by the server, which
waits 30 s for the rest of it (`http_receive_timeout`).
"""

import logging
import math
import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

from pegcount import core
from pegcount.core import CancelToken
from pegcount.errors import StoreUnavailableError, WriteFateUnknownError
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, MARKER, OF_RECORDS
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.settled import Settled, new_nonce, settles_all

_LOG = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 0.02
_PAUSE_DOUBLING_COUNT_MAX: Final = 5
_PATIENT_LOSS_COUNT: Final = 3
"""Losses after which a writer hardly waits any longer: those that have lost less often do, and give way."""
_ROW_BLOCK_COUNT_MAX: Final = 2**20
"""Rows up to which ClickHouse takes an insert as one block, and thus as a whole or not at all."""
_LOST_SECONDS: Final = 2.0
"""Seconds for which a commit that the server has may have no marker; it shows one within milliseconds."""
_CHANCE: Final = random.Random()
"""Not the global generator, which belongs to whoever seeds it."""
_SETTINGS: Final = {
    "max_insert_block_size": _ROW_BLOCK_COUNT_MAX,
    "min_insert_block_size_rows": _ROW_BLOCK_COUNT_MAX,
    "min_insert_block_size_bytes": 0,
    "max_partitions_per_insert_block": 1,
}

_OTHERS: Final = ", ".join(name for name, _ in core.ledger_columns() if name != "sign")
_PLAIN: Final = ", ".join(
    # The core reads no dictionaries, and ClickHouse has no setting that leaves them out of an answer.
    f"CAST({name} AS String) AS {name}" if type_.startswith("LowCardinality") else name
    for name, type_ in core.ledger_columns()
    if name != "sign"
)
_HEADS: Final = (
    f"SELECT day, max(seq), argMax(writer, seq) FROM {LEDGER} WHERE state = {MARKER}"
    " AND (day BETWEEN {first:Int32} AND {last:Int32} OR day IN {others:Array(Int32)}) GROUP BY day"
)
_WINNER: Final = (
    f"SELECT writer FROM {LEDGER} WHERE state = {MARKER}"
    " AND day = {day:Int32} AND key_hash = {seq:UInt64}"
)
_NEWEST: Final = Query(
    f"SELECT day, max(seq), argMax(writer, seq) FROM {LEDGER} WHERE state = {MARKER} AND day IN"
    " (SELECT toInt32(extract(partition, '-?[0-9]+')) FROM system.parts WHERE active"
    f" AND database = currentDatabase() AND table = '{LEDGER}'"
    " AND modification_time >= now() - {seconds:UInt32}) GROUP BY day"
)
_EVER_SECONDS: Final = 10**9
_LATELY_SECONDS: Final = 900
"""Seconds within which a day was written that is looked at again; at first, each day is."""
_DAYS: Final = f"SELECT DISTINCT day FROM {LEDGER} WHERE state = {MARKER} ORDER BY day"


@dataclass(frozen=True, slots=True)
class Commit:
    """One insert into one home day."""

    day: int
    seq: int
    nonce: int
    """By which its writer knows it again."""
    rows: bytes
    """A Native block, with the marker."""


def commit_token(day: int, seq: int, epoch: int) -> str:
    """Returns the deduplication token of a commit: the same for all that could take its number."""
    return f"{day}:{epoch}:{seq}"


def live_rows(condition: str, parameters: Mapping[str, str]) -> Query:
    """Returns the query for the records that satisfy a condition, as `core.LedgerGroup.plan` takes them."""
    rows = (
        f"SELECT {_OTHERS}, sum(sign) AS live FROM {LEDGER} WHERE {OF_RECORDS} AND {condition}"
        f" GROUP BY {_OTHERS} HAVING live != 0"
    )
    # A sum other than 1 is damage, which the core tells.
    return Query(f"SELECT toInt8(live) AS sign, {_PLAIN} FROM ({rows})", parameters)


class DayChains:
    """The commits of one shard. Thread-safe; raises as `Shard` does."""

    def __init__(self, shard: Shard, epoch: int) -> None:
        """`epoch` is how often a replica was promoted to take the writes of the shard."""
        self.shard = shard
        self._epoch = epoch
        self._lost: set[tuple[int, int]] = set()
        """Home days and numbers whose commits the server had and lost."""
        self.settled = Settled()
        self._has_looked = False

    def days(self, cancel_token: CancelToken) -> list[int]:
        """Returns the home days that have a commit, in days since 1970-01-01, ascending."""
        return [int(row[0]) for row in self.shard.rows(Query(_DAYS), cancel_token)]

    def heads(
        self, first_day: int, last_day: int, others: Collection[int], cancel_token: CancelToken
    ) -> dict[int, int]:
        """Returns the number of the last commit of each of these home days, 0 for a day without any."""
        listed = ",".join(map(str, sorted(others)))
        parameters = {"first": str(first_day), "last": str(last_day), "others": f"[{listed}]"}
        found = self._found(Query(_HEADS, parameters), cancel_token)
        days = {*range(first_day, last_day + 1), *others}
        return {day: self._without_lost(day, found.get(day, 0)) for day in sorted(days)}

    def head(self, day: int, cancel_token: CancelToken) -> int:
        """Returns the number of the last commit of a home day, 0 without any."""
        return self.heads(day, day, (), cancel_token)[day]

    def open(self, day: int, cancel_token: CancelToken) -> None:
        """Makes the first commit of a day, an empty one, unless somebody has made it.

        A new rule is applied to all days that have a commit. So a day gets one before a writer reads the
        rules that it holds the records of this day to.
        """
        while True:
            head = self.head(day, cancel_token)
            is_there = head > 0 and (day, head) not in self._lost
            if is_there or self._make_empty(day, head, cancel_token):
                return

    def bump(self, day: int, cancel_token: CancelToken) -> None:
        """Makes an empty commit of a day, so that whoever has read its head before cannot commit to it."""
        for attempt in count(1):
            head = self.head(day, cancel_token)
            if head == 0:
                self.open(day, cancel_token)
            elif self._make_empty(day, head, cancel_token):
                return
            pause_after_loss(attempt, cancel_token)

    def make(self, commit: Commit, cancel_token: CancelToken, head: int | None = None) -> bool:
        """Makes a commit, and returns whether it has its number; False: read the head again.

        `head` is the last number that is there while this one is free, by default the one before it. Inserts
        it again while its fate is unknown and its number is free, until the token ends.
        """
        head = commit.seq - 1 if head is None else head
        may_be_stored, stored_s = False, math.inf
        for attempt in count(1):
            try:
                is_free = self.head(commit.day, cancel_token) == head
                if is_free:
                    self._insert(commit, cancel_token)
                    may_be_stored, stored_s = True, min(stored_s, time.monotonic())
                elif not may_be_stored:
                    break
                winner = self._winner(commit, cancel_token)
                if winner is not None or not is_free or self._is_lost(commit, stored_s):
                    return winner == commit.nonce
            except WriteFateUnknownError:
                may_be_stored = True
            except StoreUnavailableError:
                if not may_be_stored:
                    raise
            pause(attempt, cancel_token)
        return False

    def restore(self, day: int, head: int, cancel_token: CancelToken) -> bool:
        """Makes the last commit of a day known again, after the server has dropped it with all of the day.

        Returns False if another commit is there, which came late.
        """
        is_made = self.make(empty_commit(day, head, new_nonce(0)), cancel_token, self._without_lost(day, 0))
        if is_made:
            self.settled.note(day, head)
        return is_made

    def nonce(self, heads: Mapping[int, int]) -> int:
        """Returns a random number for the markers of commits that follow these."""
        return new_nonce(max(head + 1 - self.settled.up_to(day, head) for day, head in heads.items()))

    def unsettled(self, cancel_token: CancelToken) -> list[tuple[int, int, bool]]:
        """Returns home days that were written lately, their last numbers, and whether these settle all."""
        seconds = _LATELY_SECONDS if self._has_looked else _EVER_SECONDS
        rows = self.shard.rows(Query(_NEWEST.text, {"seconds": str(seconds)}), cancel_token)
        for day, seq, nonce in rows:
            self.settled.note_marker(int(day), int(seq), int(nonce))
        self._has_looked = True
        return [(int(day), int(seq), settles_all(int(nonce))) for day, seq, nonce in rows]

    def mark_settled(self, day: int, head: int, cancel_token: CancelToken) -> None:
        """Makes an empty commit whose marker says that all commits of a day are settled, if none is newer."""
        if self.head(day, cancel_token) == head:
            self._make_empty(day, head, cancel_token)

    def _make_empty(self, day: int, head: int, cancel_token: CancelToken) -> bool:
        """Makes an empty commit after a head: there is nothing of it to look at."""
        nonce = new_nonce(head - self.settled.up_to(day, head))
        is_made = self.make(empty_commit(day, head + 1, nonce), cancel_token)
        if is_made:
            self.settled.note(day, head + 1)
        return is_made

    def _found(self, query: Query, cancel_token: CancelToken) -> dict[int, int]:
        """Returns the last number by day, and notes what its marker says."""
        found = {}
        for day, seq, nonce in self.shard.rows(query, cancel_token):
            found[int(day)] = int(seq)
            self.settled.note_marker(int(day), int(seq), int(nonce))
        return found

    def _without_lost(self, day: int, head: int) -> int:
        """Returns the last number after which there is none that is there, or lost."""
        while (day, head + 1) in self._lost:
            head += 1
        return head

    def _insert(self, commit: Commit, cancel_token: CancelToken) -> None:
        token = commit_token(commit.day, commit.seq, self._epoch)
        self.shard.insert(LEDGER, commit.rows, cancel_token, token=token, settings=_SETTINGS)

    def _winner(self, commit: Commit, cancel_token: CancelToken) -> int | None:
        """Returns the nonce of the commit that has a number, None if none has."""
        query = Query(_WINNER, {"day": str(commit.day), "seq": str(commit.seq)})
        rows = self.shard.rows(query, cancel_token)
        return int(rows[0][0]) if rows else None

    def _is_lost(self, commit: Commit, stored_s: float) -> bool:
        """Whether the server has taken a number for given for long, and has lost the commit that had it.

        Every writer skips it then, and the next number decides between them.
        """
        if time.monotonic() - stored_s <= _LOST_SECONDS:
            return False
        _LOG.error("%s lost commit %d of day %d", self.shard.place, commit.seq, commit.day)
        self._lost.add((commit.day, commit.seq))
        return True


def empty_commit(day: int, seq: int, nonce: int | None = None) -> Commit:
    """Returns a commit that changes no record."""
    nonce = nonce or new_nonce()
    rules = core.LedgerRules(bytes(16), [], None, 0, [], [])
    return Commit(
        day, seq, nonce, core.rewrite_ledger_rows(b"", rules, None, day=day, seq=seq, nonce=nonce).rows
    )


def pause(attempt: int, cancel_token: CancelToken) -> None:
    """Waits a random time, which grows with the attempts, before the next one."""
    _wait(_PAUSE_SECONDS * 2 ** min(attempt, _PAUSE_DOUBLING_COUNT_MAX), cancel_token)


def pause_after_loss(loss_count: int, cancel_token: CancelToken) -> None:
    """Waits a random time after a number was lost to another writer, so that both do not meet again.

    The times grow at first. A writer that has lost often hardly waits: it would lose to all that come anew.
    """
    _wait(_PAUSE_SECONDS * 2 ** (loss_count if loss_count <= _PATIENT_LOSS_COUNT else 0), cancel_token)


def _wait(longest: float, cancel_token: CancelToken) -> None:
    until_s = time.monotonic() + _CHANCE.uniform(0, longest)
    while (rest := until_s - time.monotonic()) > 0:
        cancel_token.check()
        time.sleep(min(rest, _PAUSE_SECONDS))
    cancel_token.check()
