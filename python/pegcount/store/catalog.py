"""The catalogue of a data directory: an SQLite file that names the files that count.

One transaction replaces the journal or other segments by new segments, so a crash at any
instruction leaves either the old or the new state. SQLite does not checksum its pages, so every
row carries a CRC-32, and a digest covers the checksums of all rows. Opening the catalogue
thereby detects every row that damage changed, removed or added.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

from pegcount.core import ManifestEntry, RequiredFile, SegmentTombstones
from pegcount.errors import DataDamagedError, StoreOpenError, StoreReadOnlyError, cause_of
from pegcount.store.advice import lost_catalog_text, sqlite_text, unopened_text
from pegcount.store.catalog_entries import DeckEntry, DeletionRow, ScrubbedRow, SegmentEntry
from pegcount.store.catalog_rows import (
    Executor,
    Mirrored,
    checked_rows,
    create_tables,
    put_digest,
    put_row,
    read_transaction,
    require_all_entries,
    require_digest,
    stored_digest,
    verify_tables,
    write_transaction,
)
from pegcount.store.catalog_segments import change_segments, forget_segment, replace_active
from pegcount.store.catalog_tables import DIGESTED, FORMAT_VERSION, OLDEST_FORMAT_VERSION, TABLES
from pegcount.store.directory import fsync
from pegcount.store.modes import create_private

_GENERATION = "generation"
_LAST_DELETION = "last_deletion"
_FIRST_JOURNAL = "first_journal"
# Other processes, such as a backup, lock the catalogue only while they copy it into memory.
BUSY_SECONDS = 10.0
_FAILURES = (sqlite3.DatabaseError, UnicodeDecodeError, OSError, StoreOpenError, DataDamagedError)
"""What a transaction raises if the file cannot be written, or has lost its content."""
_OTHER_CONTENT = (2**62, 0)
"""Stands for a content that the file does not have."""
_CODES_OF_LOST_CONTENT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Other errors are those of the operating system, or of a lock."""


class Catalog:
    """An open catalogue. Thread-safe."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Opens the catalogue; unless `read_only`, creates it if the directory has no segments, active
        snapshot or journal. `catalog_migration.migrate` brings an older format up to date before.

        Raises StoreOpenError if the file is missing, has another format or is not an SQLite
        file, and DataDamagedError if a checksum fails.
        """
        self.path = directory / "catalog.db"
        self._read_only = read_only
        self._is_file_missing = False
        self._is_written = False
        self._identity: tuple[int, int] | None = None
        self._content: tuple[int, int] | None = None
        self.on_file_change: Callable[[], None] = lambda: None
        """Called when `required_file` has changed."""
        self._lock = RLock()
        self._db: sqlite3.Connection | None = self._open()
        # Methods that read use this copy in memory, which has the last state that is known to be durable.
        self._replica = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.backup(self._replica)
        require_digest(self._replica, self.path.name, DIGESTED)
        self._content = self._content_now() if read_only else self._written_content()

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

    @property
    def required_file(self) -> RequiredFile:
        """The file that was opened, and what was written last; see `core.Engine.require_files`."""
        return RequiredFile(
            self.path.name, self._identity or (0, 0), None if self._is_written else self._content
        )

    def segments(self) -> list[SegmentEntry]:
        """Returns all segments, ordered by day."""
        rows = self.rows("segments", "day, name")
        return [SegmentEntry(ManifestEntry(*row[:5]), row[5], row[6]) for row in rows]

    def active(self) -> list[ManifestEntry]:
        """Returns the files of the active snapshot."""
        return [ManifestEntry(*row) for row in self.rows("active", "name")]

    def journals(self) -> dict[int, bool]:
        """Returns the numbers of the journal files that must exist; True stands for an accepted loss."""
        return {sequence: bool(is_lost) for sequence, is_lost in self.rows("journals", "sequence")}

    def code_decks(self) -> dict[int, DeckEntry]:
        """Returns the code decks by id."""
        return {deck_id: DeckEntry(*values) for deck_id, *values in self.rows("code_decks", "id")}

    def deletions(self) -> list[DeletionRow]:
        """Returns the deletions that still apply, by number."""
        return [DeletionRow(*row) for row in self.rows("deletions", "rule_id")]

    @property
    def last_deletion(self) -> int:
        """The greatest number that a deletion ever had, 0 if none."""
        return self.settings().get(_LAST_DELETION, 0)

    def remove_deletion(self, rule_id: int) -> None:
        """Ends a deletion durably. Raises StoreReadOnlyError."""
        with self.transaction() as db:
            db.execute("DELETE FROM deletions WHERE rule_id = ?", (rule_id,))

    def credentials(self) -> list[tuple[Any, ...]]:
        """Returns the credentials, by id, as `credential_rows` writes them."""
        return self.rows("credentials", "id")

    def put_credentials(self, rows: Iterable[Sequence[Any]], dropped_ids: Iterable[str]) -> None:
        """Stores some credentials durably, and drops others. Raises StoreReadOnlyError."""
        with self.transaction() as db:
            db.executemany("DELETE FROM credentials WHERE id = ?", [(each,) for each in dropped_ids])
            for row in rows:
                put_row(db, "credentials", *row)

    @property
    def generation(self) -> int:
        """A number that grows before files are written; see `begin_generation`."""
        return self.settings().get(_GENERATION, 0)

    def begin_generation(self) -> int:
        """Raises the generation, durably, before files are written that get its number; returns it.

        The number of a file is at least the generation times `files.NUMBERS_PER_GENERATION`. A file of a
        later generation than the catalogue's therefore shows that the catalogue is older than its directory,
        even if it is one transaction older. Raises StoreReadOnlyError.
        """
        with self.transaction() as db:
            ((generation,),) = db.execute(
                "SELECT value FROM settings WHERE name = ?", (_GENERATION,)
            ).fetchall()
            put_row(db, "settings", _GENERATION, generation + 1)
        return self.generation

    def settings(self) -> dict[str, int]:
        """Returns all settings that are numbers, by name."""
        return {name: value for name, value in self.rows("settings", "name") if isinstance(value, int)}

    def blob_settings(self) -> dict[str, bytes]:
        """Returns all settings that are bytes, by name, in the order of the names."""
        return {name: value for name, value in self.rows("settings", "name") if isinstance(value, bytes)}

    def setting(self, name: str) -> int | None:
        """Returns a setting, None if it is not set."""
        return self.settings().get(name)

    def put_settings(self, **values: int | bytes | None) -> None:
        """Sets settings durably; None deletes one. Raises StoreReadOnlyError if that fails."""
        with self.transaction() as db:
            for name, value in values.items():
                db.execute("DELETE FROM settings WHERE name = ?", (name,))
                if value is not None:
                    put_row(db, "settings", name, value)

    def commit_segments(
        self,
        added: Sequence[SegmentEntry],
        removed: Collection[str] = (),
        tombstones: Sequence[SegmentTombstones] = (),
        active: Sequence[ManifestEntry] | None = None,
        settings: Mapping[str, int] | None = None,
        first_journal: int | None = None,
        deletion: DeletionRow | None = None,
        scrubbed: Iterable[ScrubbedRow] = (),
    ) -> None:
        """Adds and removes segments, sets settings, and adds a deletion, in one transaction.

        `tombstones` replace those of other segments. `active`, unless None, replaces the files
        of the active snapshot. Journal files before `first_journal` need not exist any more. `scrubbed` says
        what was scrubbed from segments. Raises StoreReadOnlyError if the transaction cannot be made durable.
        """
        with self.transaction() as db:
            change_segments(db, added, removed, tombstones, scrubbed)
            if active is not None:
                replace_active(db, active)
            for setting, value in (settings or {}).items():
                put_row(db, "settings", setting, value)
            if first_journal is not None:
                put_row(db, "settings", _FIRST_JOURNAL, first_journal)
                db.execute("DELETE FROM journals WHERE sequence < ?", (first_journal,))
            if deletion is not None:
                put_row(db, "deletions", *deletion)
                put_row(db, "settings", _LAST_DELETION, deletion.rule_id)

    def add_journal(self, sequence: int, predecessor: int) -> None:
        """Names a new journal file, durably: it must exist from now on. Raises StoreReadOnlyError.

        Files between it and its predecessor were never used, and need not exist: a transaction that named one
        of them may have been reported as failed.
        """
        with self.transaction() as db:
            db.execute("DELETE FROM journals WHERE sequence > ? AND sequence < ?", (predecessor, sequence))
            put_row(db, "journals", sequence, 0)

    def accept_loss_of_journal(self, sequence: int) -> None:
        """Records that a journal file may be missing or damaged. Raises StoreReadOnlyError."""
        with self.transaction() as db:
            put_row(db, "journals", sequence, 1)

    def forget_file(self, name: str) -> None:
        """Names a segment or a file of the active snapshot no more. Raises StoreReadOnlyError."""
        with self.transaction() as db:
            forget_segment(db, name)
            db.execute("DELETE FROM active WHERE name = ?", (name,))

    def put_code_deck(self, deck_id: int, deck: DeckEntry) -> None:
        """Names the file of a new or changed code deck, durably. Raises StoreReadOnlyError."""
        with self.transaction() as db:
            put_row(db, "code_decks", deck_id, deck.entry_count, deck.name, deck.size, deck.crc32)

    def restore_missing_file(self) -> None:
        """Writes the file anew, with the last durable state, after another program removed or changed it.

        Raises StoreReadOnlyError if that fails.
        """
        with self._lock:
            self._is_file_missing = True
            with self.transaction():
                pass

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
            raise StoreOpenError(unopened_text(error, self.path)) from error
        return db

    def _connect(self) -> sqlite3.Connection:
        if not self._read_only:
            # SQLite would let others read it. Its journal gets the mode of the catalogue.
            # SQLite also says why a file cannot be created.
            with suppress(OSError):
                create_private(self.path)
        target = f"{self.path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}"
        before = self._identity_now()
        db = sqlite3.connect(
            target, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None, uri=True
        )
        # SQLite does not tell which file it has opened. A reader may meet the owner, which replaces the file.
        self._identity = self._identity_now()
        if self._identity != before and not self._read_only:
            db.close()
            raise StoreOpenError(f"{self.path} was replaced while it was opened")
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT_VERSION:
            raise StoreOpenError(
                f"{self.path} has format {version}, newer than the format {FORMAT_VERSION} of this program"
            )
        if 0 < version < FORMAT_VERSION:
            raise StoreOpenError(
                f"{self.path} has format {version}, of before the first release; import its files again"
                if version < OLDEST_FORMAT_VERSION
                else f"{self.path} has format {version}; `pegcount serve` makes it format {FORMAT_VERSION}"
            )
        # Transactions are small and rare: a rollback journal, empty between them, is fast enough.
        db.execute("PRAGMA journal_mode = TRUNCATE")
        db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            self._create(db)

    def _create(self, db: sqlite3.Connection) -> None:
        leftovers = [name for name in ("segments", "active", "journal") if (self.path.parent / name).exists()]
        if leftovers:
            # A new catalogue would treat these files as left over from a crash, and delete them.
            raise StoreOpenError(lost_catalog_text(self.path, leftovers))
        if self._read_only:
            raise StoreOpenError(f"{self.path} is missing or empty")
        db.execute("BEGIN IMMEDIATE")
        create_tables(db, TABLES)
        put_row(db, "settings", _GENERATION, 1)
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        put_digest(db, DIGESTED)
        db.execute("COMMIT")

    def _verify(self, db: sqlite3.Connection) -> None:
        # One transaction reads all tables, as another process may commit in between.
        with self._sqlite_errors_as_damage(), read_transaction(db):
            verify_tables(db, self.path.name, TABLES, DIGESTED)
            require_all_entries(db, self.path.name)

    def rows(self, table: str, order: str, condition: str = "", *values: Any) -> list[tuple[Any, ...]]:
        """Returns the rows of a table for which a condition, if given, holds, without their checksums."""
        with self._lock:
            return checked_rows(self._replica, self.path.name, table, order, condition, values)

    @contextmanager
    def _sqlite_errors_as_damage(self) -> Iterator[None]:
        """Converts the errors that SQLite raises for a damaged file to DataDamagedError."""
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DataDamagedError(f"{self.path.name}: {error}", file=self.path.name) from error

    @contextmanager
    def transaction(self) -> Iterator[Executor]:
        """Commits at the end of its block; rolls back if the block raises.

        Each statement runs on the file and on the copy in memory. The copy therefore never takes over what
        another program has written to the file, also during the transaction.

        After a failed write, the next transaction first replaces the file by a new one,
        because the operating system may have dropped dirty pages and reports that only once.
        Until then the old file has the state before or after the failed transaction. A file that
        another program changed is replaced before the transaction. Raises StoreReadOnlyError if the
        transaction cannot be made durable.
        """
        with self._lock, self._content_may_change():
            try:
                db = self._db = self._intact_file() or self._replace_file()
                with write_transaction(self._replica):
                    with write_transaction(db):
                        yield Mirrored(self._replica, db)
                        self._end_transaction(db)
                    self._require_in_place()
            except _FAILURES as error:
                self._is_file_missing |= _is_content_lost(error)
                self._close_file()
                cause = sqlite_text(error, self.path) if isinstance(error, sqlite3.Error) else cause_of(error)
                raise StoreReadOnlyError(f"{self.path.name}: {cause}") from error

    def _end_transaction(self, db: sqlite3.Connection) -> None:
        """Stores the digests; raises DataDamagedError if the file has other rows than the copy in memory."""
        for each in (self._replica, db):
            put_digest(each, DIGESTED)
        if stored_digest(db) != stored_digest(self._replica):
            raise DataDamagedError(f"another program changed {self.path.name}", file=self.path.name)

    @contextmanager
    def _content_may_change(self) -> Iterator[None]:
        """Requires no content of the file until the end of the block, and then what it has."""
        self._is_written = True
        self.on_file_change()
        try:
            yield
        finally:
            self._content, self._is_written = self._content_after_transaction(), False
            self.on_file_change()

    def _intact_file(self) -> sqlite3.Connection | None:
        """Returns the open file if it is in place and has the last durable state."""
        if self._db is None:
            return None
        try:
            is_unchanged = self._content is not None and self._content_now() == self._content
            if is_unchanged and stored_digest(self._db) == stored_digest(self._replica):
                return self._db
        except sqlite3.DatabaseError as error:
            if not _is_content_lost(error):
                raise
        self._is_file_missing = True
        return None

    def _require_in_place(self) -> None:
        if self._identity_now() != self._identity:
            raise StoreOpenError("another program replaced it")

    def _replace_file(self) -> sqlite3.Connection:
        """Replaces the file after a failed write by a copy of the last durable state, and opens that."""
        self._close_file()
        fresh = self.path.with_suffix(".tmp")
        self.copy_to(fresh)
        # Not before there is a copy: without its rollback journal, the old file may be damaged.
        self._resolve_rollback_journal()
        os.replace(fresh, self.path)
        self._identity = self._identity_now()
        self.on_file_change()
        fsync(self.path.parent)
        self._is_file_missing = False
        return self._open()

    def _resolve_rollback_journal(self) -> None:
        """Rolls back the old file, or drops its rollback journal: SQLite would apply it to the new file."""
        try:
            if not self._is_file_missing:
                self._open().close()
                return
        except (StoreOpenError, DataDamagedError) as error:
            if not _is_content_lost(error.__cause__):
                raise
        self.path.with_name(f"{self.path.name}-journal").unlink(missing_ok=True)

    def _close_file(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None

    def _identity_now(self) -> tuple[int, int] | None:
        """Device and inode that the path leads to."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _content_after_transaction(self) -> tuple[int, int] | None:
        if self._is_file_missing:
            return _OTHER_CONTENT
        # A failed transaction leaves either state, and the next one replaces the file.
        return self._content_now() if self._db is None else self._written_content()

    def _written_content(self) -> tuple[int, int]:
        """As `_content_now`, unless another program has changed what this process has written."""
        content = self._content_now()
        try:
            # A new connection reads the file, and not the pages that the open one keeps.
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as db:
                require_digest(db, self.path.name, DIGESTED)
                is_written = stored_digest(db) == stored_digest(self._replica)
        except (sqlite3.Error, UnicodeDecodeError, DataDamagedError):
            is_written = False
        return content if is_written and content is not None else _OTHER_CONTENT

    def _content_now(self) -> tuple[int, int] | None:
        """Bytes and modification of the open file; None if the path leads to another one."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        is_in_place = (status.st_dev, status.st_ino) == self._identity
        return (status.st_size, status.st_mtime_ns) if is_in_place else None


def _is_content_lost(error: BaseException | None) -> bool:
    """Whether the file can be read, but has another content than a catalogue that was written."""
    if isinstance(error, sqlite3.Error):
        # The errors that Python itself raises have no code.
        code = getattr(error, "sqlite_errorcode", -1)
        return code in _CODES_OF_LOST_CONTENT or "no such table" in str(error)
    return not isinstance(error, OSError)
