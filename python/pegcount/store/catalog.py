"""The catalogue of a data directory: an SQLite file that names the files that count.

One transaction replaces the journal or other segments by new segments, so a crash at any
instruction leaves either the old or the new state. SQLite does not checksum its pages, so every
row carries a CRC-32, and a digest covers the checksums of all rows. Opening the catalogue
thereby detects every row that damage changed, removed or added.
"""

import os
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from pegcount.core import CodeDeck, ManifestEntry, SegmentTombstones
from pegcount.errors import DataDamagedError, StoreOpenError, StoreReadOnlyError, cause_of
from pegcount.store.directory import fsync
from pegcount.store.modes import create_private

FORMAT_VERSION = 3

_FILE = "name TEXT PRIMARY KEY, rows INTEGER, bytes INTEGER, crc32 INTEGER, summary BLOB"
_TABLES = {
    "segments": f"{_FILE}, day INTEGER, dead BLOB",
    "active": _FILE,
    "code_decks": "id INTEGER PRIMARY KEY, entry_count INTEGER, entries BLOB",
    "settings": "name TEXT PRIMARY KEY, value INTEGER",
}
_DIGEST = "digest"
# Work on a code deck, which may have megabytes, lets other threads run after each piece.
_PIECE_BYTES = 2**16
_PIECE_ENTRY_COUNT = 8_192
# Other processes, such as a backup, lock the catalogue only while they copy it into memory.
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment: its file, its UTC day in days since 1970-01-01, and its tombstones.

    In `tombstones`, bit n mod 8 of byte n / 8 is set if row n was replaced; b"" means none.
    """

    file: ManifestEntry
    day: int
    tombstones: bytes


class Catalog:
    """An open catalogue. Thread-safe."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Opens the catalogue; unless `read_only`, creates it if the directory has no segments, active
        snapshot or journal.

        Raises StoreOpenError if the file is missing, has another format or is not an SQLite
        file, and DataDamagedError if a checksum fails.
        """
        self.path = directory / "catalog.db"
        self._read_only = read_only
        self._lock = RLock()
        self._db: sqlite3.Connection | None = self._open()
        # Readers use this copy in memory, which has the last state that is known to be durable.
        self._replica = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.backup(self._replica)

    def close(self) -> None:
        """Closes the file and the copy in memory."""
        with self._lock:
            self._replica.close()
            if self._db is not None:
                self._db.close()

    @property
    def is_file_in_sync(self) -> bool:
        """Whether the file certainly has the state that this class returns.

        After a failed transaction, until the next one, the file may be one transaction ahead.
        """
        return self._db is not None

    def refresh(self) -> None:
        """Reloads the copy in memory, as another process may have committed."""
        with self._lock:
            if self._db is not None:
                self._db.backup(self._replica)

    def segments(self) -> list[SegmentEntry]:
        """Returns all segments, ordered by day."""
        rows = self._rows("segments", "day, name")
        return [SegmentEntry(ManifestEntry(*row[:5]), row[5], row[6]) for row in rows]

    def active(self) -> list[ManifestEntry]:
        """Returns the files of the active snapshot."""
        return [ManifestEntry(*row) for row in self._rows("active", "name")]

    def settings(self) -> dict[str, int]:
        """Returns all settings by name."""
        return dict(self._rows("settings", "name"))

    def setting(self, name: str) -> int | None:
        """Returns a setting, None if it is not set."""
        return self.settings().get(name)

    def put_settings(self, **values: int | None) -> None:
        """Sets settings durably; None deletes one. Raises StoreReadOnlyError if that fails."""
        with self._transaction() as db:
            for name, value in values.items():
                db.execute("DELETE FROM settings WHERE name = ?", (name,))
                if value is not None:
                    _put(db, "settings", name, value)

    def commit_segments(
        self,
        added: Sequence[SegmentEntry],
        removed: Collection[str] = (),
        tombstones: Sequence[SegmentTombstones] = (),
        active: Sequence[ManifestEntry] | None = None,
        settings: Mapping[str, int] | None = None,
    ) -> None:
        """Adds and removes segments, and sets settings, in one transaction.

        `tombstones` replace those of other segments. `active`, unless None, replaces the files
        of the active snapshot. Raises StoreReadOnlyError if the transaction cannot be made
        durable.
        """
        with self._transaction() as db:
            db.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in removed])
            for segment in added:
                _put(db, "segments", *_file_values(segment.file), segment.day, segment.tombstones)
            for replaced in tombstones:
                stored = db.execute("SELECT * FROM segments WHERE name = ?", (replaced.segment,))
                for row in stored.fetchall():
                    _put(db, "segments", *row[:6], replaced.rows)
            if active is not None:
                db.execute("DELETE FROM active")
                for file in active:
                    _put(db, "active", *_file_values(file))
            for setting, value in (settings or {}).items():
                _put(db, "settings", setting, value)

    def put_code_deck(self, deck_id: int, deck: CodeDeck) -> None:
        """Stores a code deck durably, or replaces the one with this id. Raises StoreReadOnlyError."""
        blob = _compressed(deck)
        with self._transaction() as db:
            _put(db, "code_decks", deck_id, deck.entry_count, blob)

    def code_deck(self, deck_id: int) -> CodeDeck | None:
        """Returns a code deck, None if it does not exist."""
        with self._lock:
            rows = self._checked_rows(self._replica, "code_decks", "id", deck_id)
        return CodeDeck.from_json(zlib.decompress(rows[0][2])) if rows else None

    def code_decks(self) -> dict[int, int]:
        """Returns the number of entries of each code deck by its id."""
        # Opening has verified the rows; to do it again would read all decks.
        with self._lock:
            return dict(self._replica.execute("SELECT id, entry_count FROM code_decks ORDER BY id"))

    def copy_to(self, path: Path) -> None:
        """Writes a consistent copy of the catalogue, durably."""
        path.unlink(missing_ok=True)
        create_private(path)
        with self._lock, closing(sqlite3.connect(path)) as copy:
            self._replica.backup(copy)
        fsync(path)

    def _open(self) -> sqlite3.Connection:
        try:
            db = self._connect()
            try:
                self._prepare(db)
                self._verify(db)
            except BaseException:
                db.close()
                raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # The message of SQLite quotes a damaged schema, which may not be valid UTF-8.
            raise StoreOpenError(f"{self.path} cannot be opened: {error}") from error
        return db

    def _connect(self) -> sqlite3.Connection:
        if not self._read_only:
            # SQLite would let others read it. Its journal gets the mode of the catalogue.
            # SQLite also says why a file cannot be created.
            with suppress(OSError):
                create_private(self.path)
        target = f"{self.path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}"
        return sqlite3.connect(
            target, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None, uri=True
        )

    def _prepare(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT_VERSION:
            raise StoreOpenError(
                f"{self.path} has format {version}, newer than the format {FORMAT_VERSION} of this program"
            )
        if 0 < version < FORMAT_VERSION:
            raise StoreOpenError(
                f"{self.path} has format {version}, of before the first release; import its files again"
            )
        # Transactions are small and rare: a rollback journal, empty between them, is fast enough.
        db.execute("PRAGMA journal_mode = TRUNCATE")
        db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            self._create(db)

    def _create(self, db: sqlite3.Connection) -> None:
        leftovers = [name for name in ("segments", "active", "journal") if (self.path.parent / name).exists()]
        if leftovers or self._read_only:
            # A new catalogue would treat these files as left over from a crash, and delete them.
            found = f", but there is {leftovers[0]} beside it" if leftovers else ""
            raise StoreOpenError(f"{self.path} is missing or empty{found}")
        db.execute("BEGIN IMMEDIATE")
        for name, columns in _TABLES.items():
            db.execute(f"CREATE TABLE {name} ({columns}, row_crc32 INTEGER)")
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        _put(db, "settings", _DIGEST, _digest(db))
        db.execute("COMMIT")

    def _verify(self, db: sqlite3.Connection) -> None:
        # One transaction reads all tables, as another process may commit in between.
        with self._sqlite_errors_as_damage(), _read_transaction(db):
            if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise DataDamagedError(f"{self.path.name}: SQLite finds it damaged", file=self.path.name)
            for table in _TABLES:
                self._checked_rows(db, table, "1")
            stored = db.execute("SELECT value FROM settings WHERE name = ?", (_DIGEST,)).fetchone()
            if stored is None or stored[0] != _digest(db):
                raise DataDamagedError(f"{self.path.name}: rows are missing or changed", file=self.path.name)

    def _rows(self, table: str, order: str) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._checked_rows(self._replica, table, order)

    def _checked_rows(
        self, db: sqlite3.Connection, table: str, order: str, row_id: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Returns the rows of a table, or the one with an id; raises DataDamagedError if a checksum fails."""
        chosen, values_of_chosen = ("", ()) if row_id is None else ("WHERE id = ?", (row_id,))
        rows = db.execute(f"SELECT * FROM {table} {chosen} ORDER BY {order}", values_of_chosen).fetchall()
        for *values, crc32 in rows:
            if _crc32(table, values) != crc32:
                raise DataDamagedError(
                    f"{self.path.name}: a row of {table} fails its checksum", file=self.path.name
                )
        return [tuple(values) for *values, _ in rows]

    @contextmanager
    def _sqlite_errors_as_damage(self) -> Iterator[None]:
        """Converts the errors that SQLite raises for a damaged file to DataDamagedError."""
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DataDamagedError(f"{self.path.name}: {error}", file=self.path.name) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits at the end of its block; rolls back if the block raises.

        After a failed write, the next transaction first replaces the file by a new one,
        because the operating system may have dropped dirty pages and reports that only once.
        Until then the old file has the state before or after the failed transaction. Raises
        StoreReadOnlyError if the transaction cannot be made durable.
        """
        with self._lock:
            try:
                db = self._db = self._db or self._replace_file()
                with _write_transaction(db):
                    yield db
                    _put(db, "settings", _DIGEST, _digest(db))
                db.backup(self._replica)
            except (sqlite3.OperationalError, OSError) as error:
                if self._db is not None:
                    self._db.close()
                self._db = None
                raise StoreReadOnlyError(f"{self.path.name}: {cause_of(error)}") from error

    def _replace_file(self) -> sqlite3.Connection:
        """Replaces the file after a failed write by a copy of the last durable state, and opens that."""
        # Rolls back the old file: SQLite would apply its rollback journal to the new file.
        self._open().close()
        fresh = self.path.with_suffix(".tmp")
        self.copy_to(fresh)
        os.replace(fresh, self.path)
        fsync(self.path.parent)
        return self._open()


@contextmanager
def _read_transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


@contextmanager
def _write_transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _put(db: sqlite3.Connection, table: str, *values: Any) -> None:
    row = (*values, _crc32(table, values))
    db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def _digest(db: sqlite3.Connection) -> int:
    """Returns the CRC-32 of the checksums of all rows except its own."""
    checksums = []
    for table in _TABLES:
        condition = f" WHERE name != '{_DIGEST}'" if table == "settings" else ""
        checksums += [(table, crc32) for (crc32,) in db.execute(f"SELECT row_crc32 FROM {table}{condition}")]
    return zlib.crc32(repr(sorted(checksums)).encode())


def _crc32(table: str, values: Sequence[Any]) -> int:
    """Returns the CRC-32 of the `repr` of a row. That of a code deck is calculated in pieces."""
    crc32 = 0
    for piece in _repr_pieces((table, *values)):
        crc32 = zlib.crc32(piece.encode(), crc32)
    return crc32


def _repr_pieces(row: tuple[Any, ...]) -> Iterator[str]:
    """Yields the `repr` of a tuple of two values or more, so that no piece holds the GIL for long."""
    for i, value in enumerate(row):
        yield ", " if i else "("
        if isinstance(value, bytes) and len(value) > _PIECE_BYTES:
            yield from _bytes_repr_pieces(value)
        else:
            yield repr(value)
    yield ")"


def _bytes_repr_pieces(value: bytes) -> Iterator[str]:
    # `repr` picks double quotes for bytes with single quotes alone, and escapes the quotes that it picked.
    quote = '"' if b"'" in value and b'"' not in value else "'"
    other_quote = b"'" if quote == '"' else b'"'
    yield f"b{quote}"
    for start in range(0, len(value), _PIECE_BYTES):
        # The other quote makes `repr` pick the same quotes for each piece.
        yield repr(value[start : start + _PIECE_BYTES] + other_quote)[2:-2]
    yield quote


def _compressed(deck: CodeDeck) -> bytes:
    """Returns `zlib.compress` of a deck as JSON, in pieces, so that none of them holds the GIL for long."""
    compressor = zlib.compressobj()
    starts = range(0, deck.entry_count, _PIECE_ENTRY_COUNT)
    pieces = [compressor.compress(deck.json_piece(start, _PIECE_ENTRY_COUNT)) for start in starts]
    return b"".join([*pieces, compressor.flush()])


def _file_values(file: ManifestEntry) -> tuple[str, int, int, int, bytes]:
    return (file.name, file.rows, file.size, file.crc32, file.summary)
