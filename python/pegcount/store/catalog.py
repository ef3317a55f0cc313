"""The catalogue of a data directory: what its files are, in one SQLite file.

One transaction puts new segments in place of the journal or of other segments, so a
crash at any instruction leaves either the old or the new state. SQLite checks no page
of its own, so every row carries a CRC-32, and one more is stored of all of these: a row
that is changed, lost or added by damage is found when the catalogue opens.
"""

import json
import os
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from pegcount.core import ManifestEntry, SegmentTombstones
from pegcount.errors import DataDamagedError, StoreOpenError, StoreReadOnlyError
from pegcount.model import CodeDeckEntry
from pegcount.store.directory import fsync

FORMAT_VERSION = 3

_FILE = "name TEXT PRIMARY KEY, rows INTEGER, bytes INTEGER, crc32 INTEGER, summary BLOB"
_TABLES = {
    "segments": f"{_FILE}, day INTEGER, dead BLOB",
    "active": _FILE,
    "code_decks": "id INTEGER PRIMARY KEY, entry_count INTEGER, entries BLOB",
    "settings": "name TEXT PRIMARY KEY, value INTEGER",
}
_DIGEST = "digest"
# Another process reads the catalogue only for the moment that a backup takes.
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A sealed segment: its file, UTC day in days since 1970-01-01, and replaced rows."""

    file: ManifestEntry
    day: int
    tombstones: bytes


class Catalog:
    """One open catalogue. Safe to use from many threads."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Opens or makes it; `read_only` never makes or changes it.

        Raises StoreOpenError for another format or no SQLite file, DataDamagedError where
        a row is not what was written.
        """
        self.path = directory / "catalog.db"
        self._read_only = read_only
        self._lock = RLock()
        self._db: sqlite3.Connection | None = self._open()
        # All reading is from this copy: it is what was last known to be durable.
        self._memory = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.backup(self._memory)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._memory.close()
            if self._db is not None:
                self._db.close()

    @property
    def is_certain(self) -> bool:
        """Whether the file is known to have what is read from here, and not perhaps one transaction more."""
        return self._db is not None

    def refresh(self) -> None:
        """Reads again what another process may have written."""
        with self._lock:
            if self._db is not None:
                self._db.backup(self._memory)

    def segments(self) -> list[SegmentEntry]:
        """All sealed segments, by day."""
        rows = self._rows("segments", "day, name")
        return [SegmentEntry(ManifestEntry(*row[:5]), row[5], row[6]) for row in rows]

    def active(self) -> list[ManifestEntry]:
        """The files with a copy of the active sessions."""
        return [ManifestEntry(*row) for row in self._rows("active", "name")]

    def settings(self) -> dict[str, int]:
        """All settings, by name."""
        return dict(self._rows("settings", "name"))

    def setting(self, name: str) -> int | None:
        """A setting, None where it is not set."""
        return self.settings().get(name)

    def put_settings(self, **values: int | None) -> None:
        """Sets settings, or takes them away where None."""
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
        """Makes new segments visible in place of others, in one step, with settings that go with it.

        `tombstones` are replaced rows of other segments. With `active` the copy of the active
        sessions is replaced. Raises StoreReadOnlyError where that cannot be made durable.
        """
        with self._transaction() as db:
            db.executemany("DELETE FROM segments WHERE name = ?", [(name,) for name in removed])
            for segment in added:
                _put(db, "segments", *_file_values(segment.file), segment.day, segment.tombstones)
            for of_segment in tombstones:
                stored = db.execute("SELECT * FROM segments WHERE name = ?", (of_segment.segment,))
                for row in stored.fetchall():
                    _put(db, "segments", *row[:6], of_segment.rows)
            if active is not None:
                db.execute("DELETE FROM active")
                for file in active:
                    _put(db, "active", *_file_values(file))
            for setting, value in (settings or {}).items():
                _put(db, "settings", setting, value)

    def put_code_deck(self, deck_id: int, entries: Sequence[CodeDeckEntry]) -> None:
        """Stores a code deck in place of any other of the same id."""
        blob = zlib.compress(json.dumps([(e.code, e.name, e.country) for e in entries]).encode())
        with self._transaction() as db:
            _put(db, "code_decks", deck_id, len(entries), blob)

    def code_deck(self, deck_id: int) -> list[CodeDeckEntry] | None:
        """The entries of a code deck, None where there is none."""
        blobs = {row[0]: row[2] for row in self._rows("code_decks", "id")}
        if deck_id not in blobs:
            return None
        return [CodeDeckEntry(*entry) for entry in json.loads(zlib.decompress(blobs[deck_id]))]

    def code_decks(self) -> dict[int, int]:
        """Number of entries of each code deck, by id."""
        return {row[0]: row[1] for row in self._rows("code_decks", "id")}

    def copy_to(self, path: Path) -> None:
        """Writes a copy of the catalogue, durably, as it is at one instant."""
        path.unlink(missing_ok=True)
        with self._lock, closing(sqlite3.connect(path)) as copy:
            self._memory.backup(copy)
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
            # What SQLite says of a damaged schema quotes it, which need not be text any more.
            raise StoreOpenError(f"{self.path} cannot be opened: {error}") from error
        return db

    def _connect(self) -> sqlite3.Connection:
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
        # The few transactions are small and far apart: a rollback journal leaves nothing beside the file.
        db.execute("PRAGMA journal_mode = TRUNCATE")
        db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            self._create(db)

    def _create(self, db: sqlite3.Connection) -> None:
        leftovers = [name for name in ("segments", "active", "journal") if (self.path.parent / name).exists()]
        if leftovers or self._read_only:
            # To a new catalogue all of them would be what a crash left behind.
            found = f", but there is {leftovers[0]} beside it" if leftovers else ""
            raise StoreOpenError(f"{self.path} is missing or empty{found}")
        db.execute("BEGIN IMMEDIATE")
        for name, columns in _TABLES.items():
            db.execute(f"CREATE TABLE {name} ({columns}, row_crc32 INTEGER)")
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        _put(db, "settings", _DIGEST, _digest(db))
        db.execute("COMMIT")

    def _verify(self, db: sqlite3.Connection) -> None:
        # In one transaction, as another process may be about to commit.
        with self._sqlite_errors_as_damage(), _read_transaction(db):
            if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise DataDamagedError(f"{self.path}: SQLite finds it damaged", file=self.path)
            for table in _TABLES:
                self._checked_rows(db, table, "1")
            stored = db.execute("SELECT value FROM settings WHERE name = ?", (_DIGEST,)).fetchone()
            if stored is None or stored[0] != _digest(db):
                raise DataDamagedError(f"{self.path}: rows are missing or changed", file=self.path)

    def _rows(self, table: str, order: str) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._checked_rows(self._memory, table, order)

    def _checked_rows(self, db: sqlite3.Connection, table: str, order: str) -> list[tuple[Any, ...]]:
        """All rows of a table; DataDamagedError where one is not what was written."""
        rows = db.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()
        for *values, crc32 in rows:
            if _crc32(table, values) != crc32:
                raise DataDamagedError(f"{self.path}: a row of {table} fails its checksum", file=self.path)
        return [tuple(values) for *values, _ in rows]

    @contextmanager
    def _sqlite_errors_as_damage(self) -> Iterator[None]:
        """Turns what SQLite says of a damaged file into DataDamagedError."""
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DataDamagedError(f"{self.path}: {error}", file=self.path) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits where its block ends well; leaves nothing of it where it does not.

        After a failure to write, the next transaction begins with a new file: the
        operating system may have dropped pages that it could not write, and would not
        tell again. Until then the old file has the state before or after. Raises
        StoreReadOnlyError where nothing can be made durable.
        """
        with self._lock:
            try:
                db = self._db = self._db or self._replace_file()
                with _write_transaction(db):
                    yield db
                    _put(db, "settings", _DIGEST, _digest(db))
                db.backup(self._memory)
            except (sqlite3.OperationalError, OSError) as error:
                if self._db is not None:
                    self._db.close()
                self._db = None
                raise StoreReadOnlyError(f"{self.path}: {error}") from error

    def _replace_file(self) -> sqlite3.Connection:
        """A new file in place of the one that could not be written."""
        # Rolls the old one back: its rollback journal must not be taken for that of the new one.
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
    """CRC-32 of the checksums of all rows but its own."""
    sums = []
    for table in _TABLES:
        others = f" WHERE name != '{_DIGEST}'" if table == "settings" else ""
        sums += [(table, crc32) for (crc32,) in db.execute(f"SELECT row_crc32 FROM {table}{others}")]
    return zlib.crc32(repr(sorted(sums)).encode())


def _crc32(table: str, values: Sequence[Any]) -> int:
    return zlib.crc32(repr((table, *values)).encode())


def _file_values(file: ManifestEntry) -> tuple[str, int, int, int, bytes]:
    return (file.name, file.rows, file.size, file.crc32, file.summary)
