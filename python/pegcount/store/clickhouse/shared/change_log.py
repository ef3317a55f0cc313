"""The settings of a cluster: one log of changes on the first shard, which every server follows.

    refresh -> snapshot at n -> decide -> insert n + 1 -> read whose n + 1 is -> the next, or once more

A commit replaces entries, each of a kind and a key. Two servers that decide by the same snapshot insert with
the same deduplication token, of which ClickHouse keeps the first; each then reads whose commit has that
number. So no change is decided by a state that another one has replaced.
"""

import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Final, Protocol

from pegcount.core import CancelToken
from pegcount.errors import PegcountError, WriteFateUnknownError, cause_of
from pegcount.store.clickhouse.tables.programs import oldest_of, require_known
from pegcount.store.clickhouse.tables.settings_tables import (
    CHANGES,
    COMMIT_KIND,
    COMMIT_SLOT_COUNT,
    OLDEST_KIND,
)
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.row_binary import row_binary
from pegcount.store.locks import locked

_LOG = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
"""Seconds between two looks whether other servers have changed something."""
_LOOK_SECONDS_MAX: Final = 5.0
"""Seconds that one such look may take."""
_ATTEMPT_COUNT: Final = 3
"""Inserts of one commit with an unknown fate, after which its caller gets an error."""
_SETTLE_SECONDS: Final = 0.5
"""Seconds after the end of a token in which the fate of a commit is settled that had begun before."""
_NUMBER_BITS: Final = 63
_SPARE_ROW_COUNT: Final = 1_000
"""Rows that the table may have beyond twice those that count before the others are removed, and rows of
removed entries."""
_FORGOTTEN: Final = "forgotten"
"""Kind of the entry that has the number up to which the rows of removed entries are gone themselves: a server
that has read less must read all entries, or it would go by one that is not there any more."""

_NEWER: Final = Query(
    f"SELECT seq, kind, key, is_removed, content FROM {CHANGES.name} WHERE seq > {{p0:UInt64}} ORDER BY seq"
)
_WINNER: Final = Query(
    f"SELECT writer FROM {CHANGES.name} WHERE kind = {{p0:String}} AND key = {{p1:String}}"
    " AND seq = {p2:UInt64} LIMIT 1"
)


_COUNTS: Final = Query(f"SELECT count(), countIf(is_removed = 1) FROM {CHANGES.name}")
_REPEATED: Final = Query(
    f"SELECT count() - uniqExact(kind, key) FROM {CHANGES.name} WHERE seq <= {{p0:UInt64}}"
)

ONLY_KEY: Final = ""
"""Key of the entry of a kind that has one entry at most."""


class SettingsShard(Protocol):
    """What the log needs of the first shard: a part of `shard.Shard`."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def rows(self, query: Query, cancel_token: CancelToken) -> list[list[str]]:
        """Returns the rows of a small answer; see `shard.Shard.rows`."""

    def insert(
        self,
        table: str,
        block: bytes,
        cancel_token: CancelToken,
        *,
        token: str | None = None,
        row_format: str = "Native",
    ) -> None:
        """Inserts rows durably; see `shard.Shard.insert`."""

    def run(
        self, statement: str, cancel_token: CancelToken, settings: Mapping[str, str | int] | None = None
    ) -> None:
        """Runs a statement; see `shard.Shard.run`."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to one entry: it gets a content, or is removed."""

    kind: str
    key: str
    content: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as its last change left it."""

    version: int
    """The number of the commit that changed it last."""
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All entries as the commits up to the head left them."""

    head: int = 0
    """The number of the last commit, 0 for an empty log."""
    kinds: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    """By kind, the number of the last commit that changed or removed an entry of it."""

    def entries(self, kind: str) -> Mapping[str, Entry]:
        """Returns the entries of a kind by key, in the order of the keys."""
        return self.kinds.get(kind, {})

    def only_entry(self, kind: str) -> Entry | None:
        """Returns the entry of a kind that has one at most."""
        return self.entries(kind).get(ONLY_KEY)

    def version(self, kind: str) -> int:
        """Returns the number of the last commit that changed an entry of a kind; 0: none did."""
        return self.versions.get(kind, 0)

    @property
    def oldest_version(self) -> int:
        """Which version of the tables a program must know to use the cluster."""
        entry = self.only_entry(OLDEST_KIND)
        return oldest_of(None if entry is None else entry.content)

    def read_again(self, rows: Sequence[Sequence[str]]) -> "Snapshot":
        """Returns the state of which these are all rows; each kind counts as changed by the last commit."""
        found = Snapshot().after(rows)
        kinds = {*self.versions, *found.versions}
        return Snapshot(found.head, found.kinds, dict.fromkeys(kinds, found.head))

    def after(self, rows: Iterable[Sequence[str]]) -> "Snapshot":
        """Returns the state after further commits, whose rows ascend by their number."""
        head, versions = self.head, dict(self.versions)
        changed: dict[str, dict[str, Entry]] = {}
        for number, kind, key, is_removed, content in rows:
            seq = int(number)
            if seq <= self.head:
                continue
            head = max(head, seq)
            if kind == COMMIT_KIND:
                continue
            versions[kind] = seq
            entries = changed.setdefault(kind, dict(self.entries(kind)))
            if int(is_removed):
                entries.pop(key, None)
            else:
                entries[key] = Entry(seq, content)
        ordered = {kind: dict(sorted(entries.items())) for kind, entries in changed.items()}
        return Snapshot(head, {**self.kinds, **ordered}, versions)


Decide = Callable[[Snapshot], Sequence[Change]]
"""What to change in this state; nothing, if it returns nothing. It may be asked again in a newer state, and
what it raises is raised."""


class ChangeLog:
    """The change log of one cluster. Thread-safe.

    `seen`, `head` and `entries` are from memory and never wait; after `follow`, they are at most some tenths
    of a second old while the first shard answers.
    """

    def __init__(self, shard: SettingsShard, *, epoch: int = 0, look_seconds: float = LOOK_SECONDS) -> None:
        """Reads nothing yet. `epoch` is how often a replica of the shard was promoted to take its writes."""
        self._shard = shard
        self._epoch = epoch
        self._look_seconds = look_seconds
        self._seen = Snapshot()
        self._replacing = Lock()
        """Held while `_seen` is replaced, so that an older answer never replaces a newer one."""
        self._committing = Lock()
        """Held by a commit: those of one server take turns rather than lose to each other."""
        self._closed = Event()
        self._look_token = CancelToken(0)
        """That of the present look of the follower."""
        self._follower = Thread(target=self._follow, name="change-log", daemon=True)

    @property
    def seen(self) -> Snapshot:
        """The state that was read last."""
        return self._seen

    @property
    def head(self) -> int:
        """The number of the last commit that was read."""
        return self._seen.head

    def entries(self, kind: str) -> Mapping[str, Entry]:
        """Returns the entries of a kind by key, as they were read last."""
        return self._seen.entries(kind)

    def require_known(self) -> None:
        """Raises StoreUnavailableError if programs of this version may not use the cluster any more."""
        require_known(self._seen.oldest_version)

    def follow(self, cancel_token: CancelToken) -> None:
        """Reads the log, and follows it on a thread of its own from then on. Raises as `refresh` does."""
        self.refresh(cancel_token)
        self._follower.start()

    def close(self) -> None:
        """Follows the log no more."""
        self._closed.set()
        self._look_token.cancel()
        if self._follower.is_alive():
            self._follower.join()

    def refresh(self, cancel_token: CancelToken) -> int:
        """Reads the log up to its present head, and returns that; every commit that returned is in.

        Raises StoreUnavailableError, also as `require_known` does, and CancelledError or DeadlineError on
        behalf of the token.
        """
        seen = self._seen
        rows = self._shard.rows(_NEWER.with_values(seen.head), cancel_token)
        forgotten = max((int(content) for _, kind, _, _, content in rows if kind == _FORGOTTEN), default=0)
        if forgotten > seen.head > 0:
            rows = self._shard.rows(_NEWER.with_values(0), cancel_token)
        with self._replacing:
            if forgotten > self._seen.head > 0:
                self._seen = self._seen.read_again(rows)
            elif rows:
                self._seen = self._seen.after(rows)
            self.require_known()
            return self._seen.head

    def change(self, decide: Decide, cancel_token: CancelToken) -> int:
        """Commits durably what `decide` returns for the present state, and returns the number of the commit.

        Returns the head if there is nothing to change. What was committed is in `seen` then. Raises
        StoreUnavailableError, CancelledError or DeadlineError: the change may have been made nevertheless.
        """
        with locked(self._committing, cancel_token):
            burnt = 0
            while True:
                self.refresh(cancel_token)
                seen = self._seen
                changes = decide(seen)
                if not changes:
                    return seen.head
                seq = max(seen.head, burnt) + 1
                commit = _Commit(seq, tuple(changes))
                is_committed = self._commit(commit, cancel_token)
                if is_committed:
                    with self._replacing:
                        self._seen = self._seen.after(commit.rows())
                    return seq
                if is_committed is None:
                    # The token was taken, but a crash lost the rows: the number stays unused.
                    burnt = seq

    def tidy(self, cancel_token: CancelToken) -> None:
        """Removes the rows that others have replaced, if they are many. Raises as `refresh` does."""
        count, removed = map(int, self._shard.rows(_COUNTS, cancel_token)[0])
        live = sum(map(len, self._seen.kinds.values())) + min(self.head, COMMIT_SLOT_COUNT)
        if count > 2 * live + _SPARE_ROW_COUNT:
            self._shard.run(f"OPTIMIZE TABLE {CHANGES.name} FINAL", cancel_token)
        if removed > _SPARE_ROW_COUNT:
            self._forget_removed(cancel_token)

    def _forget_removed(self, cancel_token: CancelToken) -> None:
        """Removes the rows of removed entries, of which a writer of many names could leave any number."""
        end = self.refresh(cancel_token)
        self._shard.run(f"OPTIMIZE TABLE {CHANGES.name} FINAL", cancel_token)
        repeated = int(self._shard.rows(_REPEATED.with_values(end), cancel_token)[0][0])
        if repeated:
            # Without the row of its removal, an older row of an entry would count again.
            return
        self.change(lambda _: [Change(_FORGOTTEN, ONLY_KEY, str(end))], cancel_token)
        statement = f"ALTER TABLE {CHANGES.name} DELETE WHERE is_removed = 1 AND seq <= {end}"
        self._shard.run(statement, cancel_token, {"mutations_sync": 1})

    def _commit(self, commit: "_Commit", cancel_token: CancelToken) -> bool | None:
        """Inserts a commit; returns whether its number is its own, None if it is nobody's."""
        try:
            for _ in range(_ATTEMPT_COUNT):
                # It may be made, or be on its way still: to insert it again with its token is harmless.
                with suppress(WriteFateUnknownError):
                    self._insert(commit, cancel_token)
                owner = self._owner(commit.seq, cancel_token)
                if owner is not None:
                    return owner == commit.nonce
        except PegcountError:
            if self._is_made(commit):
                return True
            raise
        return None

    def _is_made(self, commit: "_Commit") -> bool:
        """Settles the fate of a commit whose insert was given up: it may be on its way to the shard still.

        An empty commit takes its number if that is free; so it comes too late then.
        """
        cancel_token = CancelToken(_SETTLE_SECONDS)
        with suppress(PegcountError):
            with suppress(WriteFateUnknownError):
                self._insert(_Commit(commit.seq, ()), cancel_token)
            return self._owner(commit.seq, cancel_token) == commit.nonce
        return False

    def _insert(self, commit: "_Commit", cancel_token: CancelToken) -> None:
        token = f"{CHANGES.name}:{self._epoch}:{commit.seq}"
        block = commit.block()
        self._shard.insert(CHANGES.name, block, cancel_token, token=token, row_format="RowBinary")

    def _owner(self, seq: int, cancel_token: CancelToken) -> int | None:
        """Returns the random number of the commit that has a number; None: none has."""
        rows = self._shard.rows(_WINNER.with_values(COMMIT_KIND, _slot(seq), seq), cancel_token)
        return int(rows[0][0]) if rows else None

    def _follow(self) -> None:
        is_failing = False
        while not self._closed.wait(self._look_seconds):
            self._look_token = CancelToken(_LOOK_SECONDS_MAX)
            # Looked at after the token is there: `close` cancels it, or is seen here.
            if self._closed.is_set():
                return
            try:
                self.refresh(self._look_token)
                is_failing = False
            except PegcountError as error:
                if not is_failing and not self._closed.is_set():
                    _LOG.warning("cannot read the settings of the cluster: %s", cause_of(error))
                is_failing = True


@dataclass(frozen=True)
class _Commit:
    """A commit before it is made."""

    seq: int
    changes: tuple[Change, ...]
    nonce: int = field(default_factory=lambda: secrets.randbits(_NUMBER_BITS))
    """By which its writer knows it again."""

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Its entries, as `_NEWER` reads them."""
        return [
            (str(self.seq), each.kind, each.key, str(int(each.content is None)), each.content or "")
            for each in self.changes
        ]

    def block(self) -> bytes:
        """Its rows: one of its own, by which its fate is known, and its entries."""
        rows: list[tuple[int | str, ...]] = [(self.seq, self.nonce, COMMIT_KIND, _slot(self.seq), 0, "")]
        for each in self.changes:
            is_removed = int(each.content is None)
            rows.append((self.seq, self.nonce, each.kind, each.key, is_removed, each.content or ""))
        return row_binary(("UInt64", "UInt64", "String", "String", "UInt8", "String"), rows)


def _slot(seq: int) -> str:
    return str(seq % COMMIT_SLOT_COUNT)
