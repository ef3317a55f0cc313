"""Rows of an SQLite file that carry their own checksums, as SQLite does not checksum its pages.

Every row ends with a CRC-32 of its values, and the setting "digest" covers the checksums of all rows. Reading
thereby detects every row that damage changed, removed or added.
"""

import sqlite3
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from pegcount.errors import DataDamagedError

_DIGEST = "digest"
FIRST_AUDIT_ENTRY = "first_audit_entry"
LAST_AUDIT_ENTRY = "last_audit_entry"


class Executor(Protocol):
    """What executes statements: a connection, or several."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:
        """Executes a statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> sqlite3.Cursor:
        """Executes a statement with each of several parameters."""


class Mirrored:
    """Executes each statement on two connections, and returns what the first one returns."""

    def __init__(self, first: sqlite3.Connection, second: sqlite3.Connection) -> None:
        self._first = first
        self._second = second

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:
        """Executes a statement; see `Executor.execute`."""
        self._second.execute(sql, parameters).close()
        return self._first.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> sqlite3.Cursor:
        """Executes a statement several times; see `Executor.executemany`."""
        rows = list(parameters)
        self._second.executemany(sql, rows).close()
        return self._first.executemany(sql, rows)


@contextmanager
def read_transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Reads one state within its block."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


@contextmanager
def write_transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commits at the end of its block, or rolls back if that raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        # After some errors, such as a full disk, SQLite has rolled back by itself.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def create_tables(db: sqlite3.Connection, tables: Mapping[str, str]) -> None:
    """Creates tables, by name and columns, with a checksum for each row."""
    for name, columns in tables.items():
        db.execute(f"CREATE TABLE {name} ({columns}, row_crc32 INTEGER)")


def verify_tables(
    db: sqlite3.Connection, file: str, tables: Collection[str], digested: Collection[str]
) -> None:
    """Raises DataDamagedError if a row of these tables, or the digest of some, is not what was written."""
    if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
        raise DataDamagedError(f"{file}: SQLite finds it damaged", file=file)
    for table in tables:
        checked_rows(db, file, table, "1")
    require_digest(db, file, digested)


def require_digest(db: sqlite3.Connection, file: str, tables: Collection[str]) -> None:
    """Raises DataDamagedError if rows of these tables are missing, or others than were written."""
    if stored_digest(db) != _digest(db, tables):
        raise DataDamagedError(f"{file}: rows are missing or changed", file=file)


def require_all_entries(db: sqlite3.Connection, file: str) -> None:
    """Raises DataDamagedError if one of the audit entries is missing that the settings tell of."""
    found = db.execute("SELECT count(*), min(entry_id), max(entry_id) FROM audit").fetchone()
    names = (FIRST_AUDIT_ENTRY, LAST_AUDIT_ENTRY)
    numbers = db.execute("SELECT value FROM settings WHERE name IN (?, ?) ORDER BY name", names).fetchall()
    first, last = (value for (value,) in numbers) if numbers else (1, 0)
    expected = (last - first + 1, first, last) if numbers else (0, None, None)
    if found != expected:
        raise DataDamagedError(f"{file}: audit entries are missing", file=file)


def stored_digest(db: sqlite3.Connection) -> int | None:
    """Returns the digest as the last transaction stored it, None if there is none."""
    stored = db.execute("SELECT value FROM settings WHERE name = ?", (_DIGEST,)).fetchone()
    return None if stored is None else int(stored[0])


def checked_rows(
    db: sqlite3.Connection,
    file: str,
    table: str,
    order: str,
    condition: str = "",
    values: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """Returns the rows of a table for which a condition, if given, holds, without their checksums.

    Raises DataDamagedError if one fails.
    """
    where = f" WHERE {condition}" if condition else ""
    rows = db.execute(f"SELECT * FROM {table}{where} ORDER BY {order}", values).fetchall()
    for *values, crc32 in rows:
        if _crc32(table, values) != crc32:
            raise DataDamagedError(f"{file}: a row of {table} fails its checksum", file=file)
    return [tuple(values) for *values, _ in rows]


def put_row(db: Executor, table: str, *values: Any) -> None:
    """Inserts a row with its checksum, or replaces the one with its primary key."""
    row = (*values, _crc32(table, values))
    db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def put_digest(db: sqlite3.Connection, tables: Collection[str]) -> None:
    """Stores the digest of all rows of these tables, at the end of a transaction."""
    put_row(db, "settings", _DIGEST, _digest(db, tables))


def _digest(db: sqlite3.Connection, tables: Collection[str]) -> int:
    """Returns the CRC-32 of the checksums of all rows except its own."""
    checksums = []
    for table in tables:
        condition = f" WHERE name != '{_DIGEST}'" if table == "settings" else ""
        checksums += [(table, crc32) for (crc32,) in db.execute(f"SELECT row_crc32 FROM {table}{condition}")]
    return zlib.crc32(repr(sorted(checksums)).encode())


def _crc32(table: str, values: Sequence[Any]) -> int:
    return zlib.crc32(repr((table, *values)).encode())
