"""Brings the catalogue of an older format up to date, in one transaction.

Format 3 stored code decks as rows, and did not name the journal files: it knew the first one that was needed.
Summaries of segments did not say for how many integer fields they have statistics before format 5. Before
format 6, no records could be deleted; before format 7, there were no credentials. Before
format 8, these had neither a data scope nor limits, and there was no erasure, masking or audit. Before
format 9, records had 55 fields; an earlier program cannot read a segment with more, and must refuse the
directory.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from pegcount import core
from pegcount.errors import StoreOpenError
from pegcount.store import deck_files
from pegcount.store.advice import sqlite_text
from pegcount.store.catalog_rows import (
    checked_rows,
    create_tables,
    put_digest,
    put_row,
    verify_tables,
    write_transaction,
)
from pegcount.store.catalog_tables import DIGESTED, FORMAT_VERSION, OLDEST_FORMAT_VERSION, TABLES
from pegcount.store.directory import journal_name

_LOG = logging.getLogger(__name__)

_TABLES_OF_FORMAT_3 = ("segments", "active", "code_decks", "settings")
_TABLES_OF_FORMAT = {
    3: _TABLES_OF_FORMAT_3,
    4: (*_TABLES_OF_FORMAT_3, "journals"),
    5: (*_TABLES_OF_FORMAT_3, "journals"),
    6: (*_TABLES_OF_FORMAT_3, "journals", "deletions"),
    7: (*_TABLES_OF_FORMAT_3, "journals", "deletions", "credentials"),
    8: tuple(TABLES),
}
_HEADER_BYTES_OF_JOURNAL = 32
_BYTES_OF_SETUP_RANGE = 16
_INTEGER_FIELDS_BEFORE_FORMAT_5 = 23


def migrate(directory: Path) -> int | None:
    """Brings the catalogue of a directory to the present format; returns its former format.

    Returns None, and changes nothing, if it has the present format or none that this program migrates. The
    caller must own the directory. Raises DataDamagedError if a checksum fails, StoreOpenError if the
    transaction cannot be made durable: the catalogue then has its former format.
    """
    path = directory / "catalog.db"
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            return _migrate(db, directory)
    except (sqlite3.Error, OSError) as error:
        cause = sqlite_text(error, path) if isinstance(error, sqlite3.Error) else error
        raise StoreOpenError(f"{path} cannot be brought to format {FORMAT_VERSION}: {cause}") from error


def _migrate(db: sqlite3.Connection, directory: Path) -> int | None:
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        # Opening the catalogue says what is wrong with it.
        return None
    if not OLDEST_FORMAT_VERSION <= version < FORMAT_VERSION:
        return None
    db.execute("PRAGMA synchronous = FULL")
    tables = _TABLES_OF_FORMAT[version]
    verify_tables(db, "catalog.db", tables, [name for name in tables if name in DIGESTED])
    with write_transaction(db):
        if version == 3:
            _migrate_format_3(db, directory)
        if version <= 4:
            _migrate_format_4(db)
        if version == 7:
            _migrate_format_7(db)
        held = _TABLES_OF_FORMAT[max(version, 4)]
        create_tables(db, {name: columns for name, columns in TABLES.items() if name not in held})
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        put_digest(db, DIGESTED)
    _LOG.info("%s was brought from format %d to format %d", directory, version, FORMAT_VERSION)
    return int(version)


def _migrate_format_3(db: sqlite3.Connection, directory: Path) -> None:
    decks = checked_rows(db, "catalog.db", "code_decks", "id")
    db.execute("DROP TABLE code_decks")
    create_tables(db, {name: TABLES[name] for name in ("code_decks", "journals")})
    put_row(db, "settings", "generation", 1)
    for number, (deck_id, entry_count, blob) in enumerate(decks, start=1):
        entry = deck_files.write_compressed(directory, number, entry_count, blob)
        put_row(db, "code_decks", deck_id, entry.entry_count, entry.name, entry.size, entry.crc32)
    ((first,),) = db.execute("SELECT coalesce(max(value), 0) FROM settings WHERE name = 'first_journal'")
    found = {
        sequence for sequence in core.journal_sequences(directory) if _may_have_frames(directory, sequence)
    }
    # The flush that sets `first_journal` creates this file before.
    for sequence in found | ({first} - {0}):
        if sequence >= first:
            put_row(db, "journals", sequence, 0)


def _migrate_format_4(db: sqlite3.Connection) -> None:
    count = _INTEGER_FIELDS_BEFORE_FORMAT_5.to_bytes(8, "little")
    for table in ("segments", "active"):
        for name, rows, size, crc32, summary, *more in checked_rows(db, "catalog.db", table, "name"):
            setup_range, statistics = summary[:_BYTES_OF_SETUP_RANGE], summary[_BYTES_OF_SETUP_RANGE:]
            put_row(db, table, name, rows, size, crc32, setup_range + count + statistics, *more)


def _migrate_format_7(db: sqlite3.Connection) -> None:
    credentials = checked_rows(db, "catalog.db", "credentials", "id")
    db.execute("DROP TABLE credentials")
    create_tables(db, {"credentials": TABLES["credentials"]})
    for row in credentials:
        put_row(db, "credentials", *row, None, None)


def _may_have_frames(directory: Path, sequence: int) -> bool:
    """Whether a journal file is more than the remainder of a creation that a crash interrupted."""
    path = directory / journal_name(sequence)
    content = path.read_bytes()
    return len(content) >= _HEADER_BYTES_OF_JOURNAL and any(content[:_HEADER_BYTES_OF_JOURNAL])
