"""The code decks of a cluster: entries on every shard, and in the change log which version of them counts."""

import json
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final

from pegcount import core
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import CodeDeckNotFoundError, DataDamagedError, WriteFateUnknownError
from pegcount.store.clickhouse.shared.change_log import Change, ChangeLog, Entry
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.clickhouse.tables.settings_tables import DECK_ENTRIES
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.row_binary import row_binary
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.loaded_decks import LoadedDecks

DECK: Final = "deck"
"""Kind of the entry of each code deck, by its id."""

_FIELDS: Final = ("deck_version", "entry_count")
_PIECE_ENTRY_COUNT: Final = 8_192
"""Entries that are read or written as JSON at once: no other thread runs meanwhile."""
_INSERT_PIECE_COUNT: Final = 8
"""Pieces of one insert."""
_VERSION_BITS: Final = 63
_LOOK_SECONDS: Final = 0.02
"""Seconds between two looks at the token of a report that waits for a deck."""
REPLACED_SECONDS: Final = 3_600
"""Seconds for which a report may read a version that was replaced, and an upload may write one."""

_ENTRIES: Final = Query(
    "SELECT toJSONString(groupArray([code, toString(name), toString(country)])),"
    " arrayStringConcat(groupUniqArray(length(code)), ',') FROM"
    f" (SELECT DISTINCT code, name, country FROM {DECK_ENTRIES.name}"
    " WHERE deck_id = {p0:Int64} AND version = {p1:UInt64} ORDER BY code)",
    # The order of the subquery is that of the array then.
    settings={"max_threads": 1},
)
"""One row: all entries as one JSON text, and the lengths of their codes."""
_ENTRY_COUNT: Final = Query(
    f"SELECT uniqExact(code) FROM {DECK_ENTRIES.name}"
    " WHERE deck_id = {p0:Int64} AND version = {p1:UInt64}"
)
_OLD_PARTITIONS: Final = Query(
    "SELECT partition FROM system.parts WHERE database = currentDatabase() AND active"
    f" AND table = '{DECK_ENTRIES.name}' GROUP BY partition"
    " HAVING max(modification_time) < now() - {p0:Int64}"
)


@dataclass(frozen=True, slots=True)
class DeckInUse:
    """A version of a code deck, which the table `deck_entries` of each shard has."""

    deck_id: int
    version: int
    code_lengths: tuple[int, ...]
    """Numbers of digits that its codes have, each once."""
    deck: core.CodeDeck
    """The same entries in memory."""


@dataclass(frozen=True, slots=True)
class _Head:
    """The version of a deck that counts."""

    deck_id: int
    version: int
    entry_count: int


class Decks:
    """The code decks of one cluster. Thread-safe.

    Methods raise StoreUnavailableError, and CancelledError or DeadlineError on behalf of a token, or after
    `change_seconds_max` without one.
    """

    def __init__(self, cluster: Cluster, log: ChangeLog, config: Config) -> None:
        self._cluster = cluster
        self._log = log
        self._config = config
        self._loading: tuple[_Head, Future[DeckInUse]] | None = None
        """What a thread loads; `_loaded` lets one report at a time wait for it."""
        self._load_tokens: set[CancelToken] = set()
        """Those of the threads that load."""
        self._loaded = LoadedDecks[_Head, DeckInUse](self._load, config.loaded_code_deck_count_max)

    def put(self, deck_id: int, deck: core.CodeDeck) -> None:
        """Stores a code deck durably; see `Store.put_code_deck`."""
        cancel_token = CancelToken(self._config.change_seconds_max)
        head = _Head(deck_id, secrets.randbits(_VERSION_BITS), deck.entry_count)
        lengths = {len(code) for entries in _pieces(deck) for code, _, _ in entries}
        pieces = [_block(head, entries) for entries in _pieces(deck)]
        firsts = range(0, len(pieces), _INSERT_PIECE_COUNT)
        blocks = [b"".join(pieces[first : first + _INSERT_PIECE_COUNT]) for first in firsts]

        def insert(shard: Shard) -> None:
            for number, block in enumerate(blocks):
                _insert(shard, block, f"{DECK_ENTRIES.name}:{head.version}:{number}", cancel_token)

        self._cluster.each(insert, cancel_token)
        fields = {"deck_version": head.version, "entry_count": head.entry_count}
        self._log.change(lambda _: [Change(DECK, str(deck_id), packed(fields))], cancel_token)
        self._loaded.put(head, _deck(head, deck, lengths))

    def counts(self) -> Mapping[int, int]:
        """Returns the number of entries of each deck by its id; see `Store.code_decks`."""
        self._log.refresh(CancelToken(self._config.change_seconds_max))
        return {deck_id: head.entry_count for deck_id, head in self._heads().items()}

    def deck(self, deck_id: int, cancel_token: CancelToken) -> DeckInUse:
        """Returns the version of a deck that counts at present; raises CodeDeckNotFoundError.

        Raises DataDamagedError if a shard does not have all of its entries, as after it was restored.
        """
        self._log.refresh(cancel_token)
        entry = self._log.entries(DECK).get(str(deck_id))
        if entry is None:
            raise CodeDeckNotFoundError(deck_id, self._heads())
        return self._loaded.get(_head(deck_id, entry), cancel_token)

    def tidy(self, cancel_token: CancelToken, replaced_seconds: int = REPLACED_SECONDS) -> None:
        """Drops the entries of versions that do not count, and were written `replaced_seconds` ago."""
        query = _OLD_PARTITIONS.with_values(replaced_seconds)
        old = self._cluster.each(lambda shard: shard.rows(query, cancel_token), cancel_token)
        # Read after the partitions: an old version that does not count now never will.
        self._log.refresh(cancel_token)
        counting = {(head.deck_id, head.version) for head in self._heads().values()}
        for shard, rows in zip(self._cluster.shards, old, strict=True):
            for (partition,) in rows:
                deck_id, version = map(int, partition.strip("()").split(","))
                if (deck_id, version) not in counting:
                    statement = f"ALTER TABLE {DECK_ENTRIES.name} DROP PARTITION ({deck_id}, {version})"
                    shard.run(statement, cancel_token)

    def close(self) -> None:
        """Ends what is loaded at present."""
        for cancel_token in list(self._load_tokens):
            cancel_token.cancel()

    def _heads(self) -> dict[int, _Head]:
        heads = (_head(int(key), entry) for key, entry in self._log.entries(DECK).items())
        return {head.deck_id: head for head in sorted(heads, key=lambda head: head.deck_id)}

    def _load(self, head: _Head, cancel_token: CancelToken) -> DeckInUse:
        """Loads a deck on a thread of its own: if the report that asked ends before, the next one has it."""
        loading = self._loading
        if loading is None or loading[0] != head or (loading[1].done() and loading[1].exception()):
            loading = self._loading = (head, Future())
            load_token = CancelToken(self._config.change_seconds_max)
            self._load_tokens.add(load_token)
            Thread(target=self._run_load, args=(*loading, load_token), name="code-deck", daemon=True).start()
        while not wait([loading[1]], timeout=_LOOK_SECONDS).done:
            cancel_token.check()
        self._loading = None
        return loading[1].result()

    def _run_load(self, head: _Head, future: "Future[DeckInUse]", cancel_token: CancelToken) -> None:
        try:
            future.set_result(self._read(head, cancel_token))
        except BaseException as error:
            future.set_exception(error)
        finally:
            self._load_tokens.discard(cancel_token)

    def _read(self, head: _Head, cancel_token: CancelToken) -> DeckInUse:
        query = _ENTRY_COUNT.with_values(head.deck_id, head.version)
        counts = self._cluster.each(lambda shard: int(shard.rows(query, cancel_token)[0][0]), cancel_token)
        for shard, count in zip(self._cluster.shards, counts, strict=True):
            if count != head.entry_count:
                raise DataDamagedError(
                    f"{shard.name} has {count} of the {head.entry_count} entries of code deck"
                    f" {head.deck_id}; put it again"
                )
        ((text, lengths),) = self._cluster.shards[0].rows(
            _ENTRIES.with_values(head.deck_id, head.version), cancel_token
        )
        deck = core.CodeDeck.from_json(text.encode())
        return _deck(head, deck, {int(length) for length in lengths.split(",") if length})


def _deck(head: _Head, deck: core.CodeDeck, lengths: set[int]) -> DeckInUse:
    return DeckInUse(head.deck_id, head.version, tuple(sorted(lengths, reverse=True)), deck)


def _head(deck_id: int, entry: Entry) -> _Head:
    fields = unpacked(entry.content, _FIELDS)
    return _Head(deck_id, fields["deck_version"], fields["entry_count"])


def _pieces(deck: core.CodeDeck) -> Iterator[list[Any]]:
    """The entries of a deck, `[code, name, country]` each, some at a time."""
    for first in range(0, deck.entry_count, _PIECE_ENTRY_COUNT):
        piece = deck.json_piece(first, _PIECE_ENTRY_COUNT)
        # A piece begins and ends within the array of all entries, but for its first and its last one.
        begin = b"" if first == 0 else b"["
        end = b"" if first + _PIECE_ENTRY_COUNT >= deck.entry_count else b"]"
        yield json.loads(begin + piece.removeprefix(b", ") + end)


def _block(head: _Head, entries: list[Any]) -> bytes:
    rows = ((head.deck_id, head.version, *entry) for entry in entries)
    return row_binary(("Int64", "UInt64", "String", "String", "String"), rows)


def _insert(shard: Shard, block: bytes, token: str, cancel_token: CancelToken) -> None:
    """Inserts entries; once more if that was cut off."""
    try:
        shard.insert(DECK_ENTRIES.name, block, cancel_token, token=token, row_format="RowBinary")
    except WriteFateUnknownError:
        shard.insert(DECK_ENTRIES.name, block, cancel_token, token=token, row_format="RowBinary")
