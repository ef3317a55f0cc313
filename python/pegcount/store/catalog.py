"""The catalogue of a data directory: segments, journal and code decks in one SQLite file.

One transaction makes a seal visible and drops the journal rows that it covers, so a
crash at any instruction leaves either the old or the new state.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.model import CodeDeckEntry

FORMAT_VERSION = 1

_SCHEMA = """
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_us INTEGER NOT NULL,
    batch BLOB NOT NULL,
    crc32 INTEGER NOT NULL
);
CREATE TABLE segments (
    name TEXT PRIMARY KEY,
    day INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    crc32 INTEGER NOT NULL,
    dead BLOB NOT NULL
);
CREATE TABLE active_snapshot (
    name TEXT PRIMARY KEY,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    crc32 INTEGER NOT NULL
);
CREATE TABLE code_decks (
    id INTEGER PRIMARY KEY,
    entry_count INTEGER NOT NULL,
    entries BLOB NOT NULL,
    crc32 INTEGER NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the data directory as its writer described it."""

    name: str
    rows: int
    bytes: int
    crc32: int


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A sealed segment: its file, UTC day in days since 1970-01-01, and replaced rows."""

    file: FileRow
    day: int
    dead: bytes


class Catalog:
    """One open catalogue. Safe to use from many threads."""

    def __init__(self, directory: Path) -> None:
        """Opens or makes it; raises StoreOpenError for a newer format or no SQLite file."""
        self._path = directory / "catalog.db"
        self._lock = Lock()
        try:
            self._db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise StoreOpenError(f"{self._path} cannot be opened: {error}") from error
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StoreOpenError(f"{self._path} cannot be opened: {error}") from error
        except StoreOpenError:
            self._db.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def append_journal(self, batch: bytes, received_us: int) -> None:
        """Keeps a batch; it survives a power cut once this returns."""
        with self._lock, self._transaction():
            self._db.execute(
                "INSERT INTO journal (received_us, batch, crc32) VALUES (?, ?, ?)",
                (received_us, batch, zlib.crc32(batch)),
            )

    def journal(self) -> Iterator[tuple[int, bytes]]:
        """Receive time (microseconds UTC) and content of each batch not yet sealed, oldest first.

        Raises DataDamagedError at a row that fails its checksum.
        """
        with self._damage_told():
            for row_id, received_us, batch, crc32 in self._db.execute("SELECT * FROM journal ORDER BY id"):
                if zlib.crc32(batch) != crc32:
                    raise DataDamagedError(
                        f"{self._path}: journal row {row_id} fails its checksum", file=self._path
                    )
                yield received_us, batch

    def next_sequence(self) -> int:
        """A number greater than that of any file this directory ever named in its catalogue."""
        names = self._db.execute("SELECT name FROM segments UNION SELECT name FROM active_snapshot")
        return 1 + max((int(Path(name).stem) for (name,) in names), default=0)

    def commit_seal(
        self, segments: Sequence[SegmentRow], active: FileRow | None, dead: Sequence[tuple[str, bytes]]
    ) -> None:
        """Makes a seal visible in place of the whole journal, in one step."""
        with self._lock, self._transaction():
            for segment in segments:
                self._db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)", _segment_values(segment))
            self._db.executemany(
                "UPDATE segments SET dead = ? WHERE name = ?", [(rows, name) for name, rows in dead]
            )
            self._db.execute("DELETE FROM active_snapshot")
            if active is not None:
                values = (active.name, active.rows, active.bytes, active.crc32)
                self._db.execute("INSERT INTO active_snapshot VALUES (?, ?, ?, ?)", values)
            self._db.execute("DELETE FROM journal")

    def segments(self) -> list[SegmentRow]:
        """All sealed segments."""
        query = "SELECT name, rows, bytes, crc32, day, dead FROM segments ORDER BY day, name"
        with self._lock, self._damage_told():
            return [SegmentRow(FileRow(*row[:4]), row[4], row[5]) for row in self._db.execute(query)]

    def active_snapshot(self) -> FileRow | None:
        """The snapshot of the active sessions, None where there were none."""
        with self._lock, self._damage_told():
            row = self._db.execute("SELECT name, rows, bytes, crc32 FROM active_snapshot").fetchone()
        return None if row is None else FileRow(*row)

    def put_code_deck(self, deck_id: int, entries: Sequence[CodeDeckEntry]) -> None:
        """Keeps a code deck in place of any other of the same id."""
        blob = zlib.compress(json.dumps([(e.code, e.name, e.country) for e in entries]).encode())
        values = (deck_id, len(entries), blob, zlib.crc32(blob))
        with self._lock, self._transaction():
            self._db.execute("INSERT OR REPLACE INTO code_decks VALUES (?, ?, ?, ?)", values)

    def code_deck(self, deck_id: int) -> list[CodeDeckEntry] | None:
        """The entries of a code deck, None where there is none; DataDamagedError for a damaged one."""
        with self._lock, self._damage_told():
            row = self._db.execute(
                "SELECT entries, crc32 FROM code_decks WHERE id = ?", (deck_id,)
            ).fetchone()
        if row is None:
            return None
        if zlib.crc32(row[0]) != row[1]:
            raise DataDamagedError(f"{self._path}: code deck {deck_id} fails its checksum", file=self._path)
        return [CodeDeckEntry(*entry) for entry in json.loads(zlib.decompress(row[0]))]

    def code_decks(self) -> dict[int, int]:
        """Number of entries of each code deck, by id."""
        with self._lock, self._damage_told():
            return dict(self._db.execute("SELECT id, entry_count FROM code_decks ORDER BY id"))

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT_VERSION:
            raise StoreOpenError(
                f"{self._path} has format {version}, newer than the format {FORMAT_VERSION} of this program"
            )
        if version == 0 and any((self._path.parent / name).exists() for name in ("segments", "active")):
            # To a new catalogue all of them would be what a crash left behind.
            raise StoreOpenError(f"{self._path} is missing or empty, but there are segments beside it")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT_VERSION}; COMMIT;")

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Turns what SQLite says of a damaged file into DataDamagedError."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise DataDamagedError(f"{self._path}: {error}", file=self._path) from error

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    """Commits where its block ends well, rolls back where it does not."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, error: object, *_: object) -> None:
        self._db.execute("COMMIT" if error is None else "ROLLBACK")


def _segment_values(segment: SegmentRow) -> tuple[str, int, int, int, int, bytes]:
    file = segment.file
    return (file.name, segment.day, file.rows, file.bytes, file.crc32, segment.dead)
