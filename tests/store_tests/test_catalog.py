"""The catalogue: atomic commits, damage detection, and files that it refuses to open."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import seeds
from pegcount.core import ManifestEntry, SegmentTombstones
from pegcount.data_scope import CredentialLimits, DataScope
from pegcount.errors import DataDamagedError, StoreOpenError, StoreReadOnlyError
from pegcount.model import CredentialRow
from pegcount.privacy import AuditEntry
from pegcount.store import catalog as catalog_module
from pegcount.store.advice import sqlite_text
from pegcount.store.audit_rows import AuditRows
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_entries import DeckEntry, ErasureRow, ScrubbedRow, SegmentEntry
from pegcount.store.catalog_rows import put_row
from pegcount.store.catalog_tables import FORMAT_VERSION
from pegcount.store.credential_rows import CredentialRows

from store_tests.store_fixtures import file_size_limit


def segment(number: int, day: int = 20_541, tombstones: bytes = b"") -> SegmentEntry:
    file = ManifestEntry(f"segments/2026-03-29/{number:08}.arrow", 3, 1_000, 2**32 - 1, b"\x00\xff")
    return SegmentEntry(file, day, tombstones)


def deck(number: int, entry_count: int = 3) -> DeckEntry:
    return DeckEntry(entry_count, f"decks/{number:08}.json.zlib", 100, 2**32 - 1)


def active_snapshot(number: int) -> ManifestEntry:
    return ManifestEntry(f"active/{number:08}.arrow", 1, 500, 7, b"")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with contextlib.closing(Catalog(tmp_path)) as opened:
        yield opened


def open_catalog(directory: Path) -> "contextlib.closing[Catalog]":
    return contextlib.closing(Catalog(directory))


@contextlib.contextmanager
def with_its_connection(directory: Path) -> Iterator[tuple[Catalog, sqlite3.Connection]]:
    """Opens a catalogue together with its own connection to the file, whose settings are not in the file."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def record(*arguments: Any, **more: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **more))
        return opened[-1]

    with mock.patch.object(sqlite3, "connect", record):
        catalog = Catalog(directory)
    with contextlib.closing(catalog):
        yield catalog, opened[0]


def asked(directory: Path, question: str, *values: object) -> tuple[Any, ...]:
    """Returns the first row that any other tool of SQLite reads from the file of a catalogue."""
    with contextlib.closing(sqlite3.connect(directory / "catalog.db")) as db:
        row: tuple[Any, ...] = db.execute(question, values).fetchone()
        return row


def change(directory: Path, statement: str, *values: object) -> None:
    """Changes one row directly in the SQLite file, bypassing the checksums of the catalogue."""
    with contextlib.closing(sqlite3.connect(directory / "catalog.db")) as db, db:
        assert db.execute(statement, values).rowcount == 1


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    """With synchronous=FULL (2), SQLite flushes at each commit, so that commits survive a power cut."""
    with with_its_connection(tmp_path) as (_, connection):
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)


def test_a_commit_replaces_segments_and_moves_the_journal_start(catalog: Catalog, tmp_path: Path) -> None:
    assert (catalog.segments(), catalog.active(), catalog.setting("first_journal")) == ([], [], None)
    catalog.commit_segments(
        [segment(1), segment(4)],
        active=[active_snapshot(1), active_snapshot(2)],
        first_journal=2,
    )
    catalog.commit_segments(
        [segment(2, day=20_540), segment(3)],
        [segment(4).file.name],
        [SegmentTombstones(segment(1).file.name, b"\x05")],
    )
    with open_catalog(tmp_path) as reopened:
        for opened in (catalog, reopened):
            assert opened.segments() == [segment(2, day=20_540), segment(1, tombstones=b"\x05"), segment(3)]
            assert opened.active() == [active_snapshot(1), active_snapshot(2)]
            assert opened.setting("first_journal") == 2


def test_an_empty_active_snapshot_replaces_the_previous_one(catalog: Catalog) -> None:
    catalog.commit_segments([], active=[active_snapshot(7)])
    catalog.commit_segments([segment(8)])
    assert catalog.active() == [active_snapshot(7)]
    catalog.commit_segments([], active=[])
    assert catalog.active() == []


def test_a_failed_commit_is_rolled_back(catalog: Catalog, tmp_path: Path) -> None:
    catalog.commit_segments([segment(1)], active=[active_snapshot(1)], first_journal=2)
    too_many = ManifestEntry("segments/2026-03-29/00000009.arrow", 2**63, 1, 1, b"")
    with pytest.raises(OverflowError):
        catalog.commit_segments(
            [segment(2), SegmentEntry(too_many, 20_541, b"")], [segment(1).file.name], active=[]
        )
    catalog.put_settings(retention_days=3)
    with open_catalog(tmp_path) as reopened:
        assert reopened.segments() == [segment(1)]
        assert reopened.active() == [active_snapshot(1)]
        assert (reopened.setting("first_journal"), reopened.setting("retention_days")) == (2, 3)


def test_settings_survive_reopening_and_can_be_removed(catalog: Catalog, tmp_path: Path) -> None:
    catalog.put_settings(a=1, b=2**63 - 1, c=0)
    catalog.put_settings(a=None, c=-1, d=None)
    with open_catalog(tmp_path) as reopened:
        for opened in (catalog, reopened):
            assert [opened.setting(name) for name in "abcd"] == [None, 2**63 - 1, -1, None]


def test_code_decks_survive_reopening_and_are_replaced(catalog: Catalog, tmp_path: Path) -> None:
    catalog.put_code_deck(2**63 - 1, deck(1))
    catalog.put_code_deck(1, deck(2))
    catalog.put_code_deck(1, deck(3, entry_count=1))
    with open_catalog(tmp_path) as reopened:
        for opened in (catalog, reopened):
            assert opened.code_decks() == {1: deck(3, entry_count=1), 2**63 - 1: deck(1)}


def test_a_flush_ends_the_need_for_the_journal_before_it(catalog: Catalog, tmp_path: Path) -> None:
    for sequence in (1, 2, 4):
        catalog.add_journal(sequence, sequence - 1)
    catalog.accept_loss_of_journal(2)
    assert catalog.journals() == {1: False, 2: True, 4: False}
    catalog.commit_segments([], first_journal=2)
    with open_catalog(tmp_path) as reopened:
        assert catalog.journals() == reopened.journals() == {2: True, 4: False}


def test_a_generation_is_durable_before_it_is_used(catalog: Catalog, tmp_path: Path) -> None:
    assert (catalog.generation, catalog.begin_generation(), catalog.begin_generation()) == (1, 2, 3)
    catalog.commit_segments([segment(1)])
    catalog.put_code_deck(1, deck(1))
    with open_catalog(tmp_path) as reopened:
        assert catalog.generation == reopened.generation == 3


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_removed_file_is_restored(is_replaced: bool, catalog: Catalog, tmp_path: Path) -> None:
    catalog.put_settings(a=1)
    (tmp_path / "catalog.db").unlink()
    if is_replaced:
        Catalog(tmp_path).close()
    catalog.restore_missing_file()
    catalog.put_settings(b=2)
    with open_catalog(tmp_path) as reopened:
        assert (reopened.setting("a"), reopened.setting("b")) == (1, 2)


def create_filled_catalog(directory: Path) -> None:
    """Creates a catalogue with rows in each table."""
    with open_catalog(directory) as catalog:
        catalog.commit_segments(
            [segment(1), segment(2)],
            active=[active_snapshot(1), active_snapshot(2)],
            first_journal=2,
            scrubbed=[ScrubbedRow(segment(1).file.name, 1, None), ScrubbedRow(segment(2).file.name, 1, 6)],
        )
        with catalog.transaction() as db:
            for number in (1, 2):
                put_row(db, "erasures", *ErasureRow(number, b"\x00\xff" * 8, 1, 5, 0, 1))
        catalog.put_code_deck(1, deck(1))
        catalog.put_code_deck(2, deck(2))
        catalog.add_journal(2, 1)
        catalog.add_journal(3, 2)
        catalog.put_settings(retention_days=3)
        plain = CredentialRow("cr_a", "a", (1,), (), (), 0)
        narrow = replace(plain, data_scope=DataScope(tenant_id=(2,)), limits=CredentialLimits(1))
        CredentialRows(catalog).put([narrow, replace(narrow, id="cr_b")], ())
        audit = AuditRows(catalog, entry_count_max=2)
        for method in ("SetRetention", "SetMasking", "SetMasking"):
            audit.append(AuditEntry(5, method, "cr_1", "operator", "{}"))


CHANGES = {
    # Without its data scope, a credential would reach all records.
    "credentials": ["data_scope = NULL", "limits = NULL", "scopes = '[4]'"],
    "erasures": ["digests = x'00'", "party_count = 2", "create_us = 6", "records = 1", "is_complete = 0"],
    "scrubbed": ["name = 'segments/x'", "erasure_id = 2", "keep_digits = NULL"],
    "segments": ["rows = 4", "bytes = 1", "crc32 = 0", "summary = x'00'", "day = day + 1", "dead = x'01'"],
    "active": ["name = 'active/00000009.arrow'", "rows = 4", "bytes = 1", "crc32 = 0", "summary = x'00'"],
    "code_decks": ["id = 7", "entry_count = 4", "name = 'decks/9'", "bytes = 1", "row_crc32 = row_crc32 + 1"],
    "journals": ["sequence = 7", "is_lost = 1"],
    "audit": ["time_us = 6", "method = 'SetRetention'", "caller_id = NULL", "request = ''", "outcome = 'OK'"],
    "settings": ["name = 'retention_bytes'", "value = NULL", "value = 5", "row_crc32 = NULL"],
}


@pytest.mark.parametrize(
    ("table", "assignment"), [(table, each) for table, several in CHANGES.items() for each in several]
)
def test_a_changed_row_is_reported_as_damage(table: str, assignment: str, tmp_path: Path) -> None:
    create_filled_catalog(tmp_path)
    row = "name = 'retention_days'" if table == "settings" else "rowid = 2"
    change(tmp_path, f"UPDATE {table} SET {assignment} WHERE {row}")
    check_reported_as_damaged(tmp_path, f"a row of {table} fails its checksum")


@pytest.mark.parametrize("table", sorted(CHANGES.keys() - {"audit"}))
def test_a_deleted_row_is_reported_as_damage(table: str, tmp_path: Path) -> None:
    create_filled_catalog(tmp_path)
    row = {"settings": "name = 'first_journal'", "journals": "rowid = 2"}.get(table, "rowid = 1")
    change(tmp_path, f"DELETE FROM {table} WHERE {row}")
    check_reported_as_damaged(tmp_path, "rows are missing or changed")


@pytest.mark.parametrize("condition", ["entry_id = 2", "entry_id = 3"])
def test_a_deleted_audit_entry_is_reported_as_damage(condition: str, tmp_path: Path) -> None:
    create_filled_catalog(tmp_path)
    change(tmp_path, f"DELETE FROM audit WHERE {condition}")
    check_reported_as_damaged(tmp_path, "audit entries are missing")


def test_an_audit_entry_that_was_due_to_go_is_not_brought_back(tmp_path: Path) -> None:
    create_filled_catalog(tmp_path)
    row = asked(tmp_path, "SELECT * FROM audit WHERE entry_id = 2")
    change(tmp_path, "INSERT INTO audit VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", *row[1:])
    check_reported_as_damaged(tmp_path, "a row of audit fails its checksum")


def test_a_row_of_another_catalogue_is_reported_as_damage(tmp_path: Path) -> None:
    """The row's own checksum is right; only the digest of the table shows that it does not belong."""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        create_filled_catalog(tmp_path / name)
    with open_catalog(tmp_path / "other") as other:
        other.commit_segments([segment(3)])
    row = asked(tmp_path / "other", "SELECT * FROM segments WHERE rowid = 3")
    change(tmp_path / "mine", "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)
    check_reported_as_damaged(tmp_path / "mine", "rows are missing or changed")


def test_a_catalogue_without_its_digest_is_damaged(tmp_path: Path) -> None:
    create_filled_catalog(tmp_path)
    change(tmp_path, "DELETE FROM settings WHERE name = 'digest'")
    check_reported_as_damaged(tmp_path, "rows are missing or changed")


def test_an_open_catalogue_does_not_read_later_damage(catalog: Catalog, tmp_path: Path) -> None:
    """An open catalogue answers from memory; the next process to open the file finds the damage."""
    catalog.put_code_deck(1, deck(1))
    change(tmp_path, "UPDATE code_decks SET bytes = 0 WHERE id = 1")
    assert catalog.code_decks() == {1: deck(1)}
    check_reported_as_damaged(tmp_path, "a row of code_decks fails its checksum")


@pytest.mark.parametrize("table", CHANGES)
def test_a_damaged_page_is_reported(table: str, tmp_path: Path) -> None:
    create_filled_catalog(tmp_path)
    (page,) = asked(tmp_path, "SELECT rootpage FROM sqlite_master WHERE name = ?", table)
    (page_bytes,) = asked(tmp_path, "PRAGMA page_size")
    content = bytearray((tmp_path / "catalog.db").read_bytes())
    content[(page - 1) * page_bytes : page * page_bytes] = b"\xff" * page_bytes
    (tmp_path / "catalog.db").write_bytes(content)
    check_reported_as_damaged(tmp_path, "database disk image is malformed")


def check_reported_as_damaged(directory: Path, what: str) -> None:
    with pytest.raises(DataDamagedError) as raised:
        Catalog(directory)
    assert str(raised.value) == f"catalog.db: {what}"
    assert raised.value.metadata == {"file": "catalog.db"}


def test_a_newer_format_is_refused_and_not_modified(tmp_path: Path) -> None:
    Catalog(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.db")) as db, db:
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    before = (tmp_path / "catalog.db").read_bytes()
    with pytest.raises(StoreOpenError) as raised:
        Catalog(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path / 'catalog.db'} has format {FORMAT_VERSION + 1}, "
        f"newer than the format {FORMAT_VERSION} of this program"
    )
    assert (tmp_path / "catalog.db").read_bytes() == before


@pytest.mark.usefixtures("catalog")
def test_new_catalogues_have_the_current_format(tmp_path: Path) -> None:
    assert FORMAT_VERSION == 9
    assert asked(tmp_path, "PRAGMA user_version") == (9,)


@pytest.mark.parametrize("version", [1, 2])
def test_prerelease_formats_are_refused(version: int, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.db")) as db, db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreOpenError, match="import its files again"):
        Catalog(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no database" * 100, "file is not a database; restore a backup"),
        (b"SQLite format 3\x00" + b"\xff" * 4_080, ".*; restore a backup"),
    ],
)
def test_a_file_that_is_not_a_database_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(content)
    with pytest.raises(StoreOpenError, match=f"catalog.db cannot be opened: {why}"):
        Catalog(tmp_path)


def test_a_directory_named_like_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").mkdir()
    with pytest.raises(StoreOpenError, match=r"catalog\.db cannot be opened: unable to open"):
        Catalog(tmp_path)


@pytest.mark.parametrize("folder", ["segments", "active", "journal"])
@pytest.mark.parametrize("is_empty_file", [False, True])
def test_a_missing_catalogue_beside_data_files_is_refused(
    folder: str, is_empty_file: bool, tmp_path: Path
) -> None:
    """The store removes files that the catalogue does not list, so a new, empty catalogue would lose them
    all."""
    (tmp_path / folder).mkdir()
    if is_empty_file:
        (tmp_path / "catalog.db").touch()
    with pytest.raises(StoreOpenError, match=f"is missing or empty, but {folder}/ is there: restore"):
        Catalog(tmp_path)


def test_a_read_only_catalogue_is_neither_created_nor_changed(tmp_path: Path) -> None:
    with pytest.raises(StoreOpenError, match="unable to open"):
        Catalog(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []
    create_filled_catalog(tmp_path)
    with contextlib.closing(Catalog(tmp_path, read_only=True)) as catalog:
        assert len(catalog.segments()) == 2
        with pytest.raises(StoreReadOnlyError):
            catalog.put_settings(retention_days=4)
        assert catalog.setting("retention_days") == 3


def test_a_copy_has_the_contents_at_its_time(catalog: Catalog, tmp_path: Path) -> None:
    catalog.commit_segments([segment(1)], active=[active_snapshot(1)])
    (tmp_path / "copy").mkdir()
    catalog.copy_to(tmp_path / "copy" / "catalog.db")
    catalog.commit_segments([segment(2)])
    with open_catalog(tmp_path / "copy") as copy:
        assert (copy.segments(), copy.active()) == ([segment(1)], [active_snapshot(1)])


def test_a_locked_catalogue_is_writable_after_the_lock_is_released(tmp_path: Path) -> None:
    """Regression: another process may lock the file, with any SQLite tool, beyond our busy timeout."""
    with with_its_connection(tmp_path) as (catalog, connection):
        catalog.put_settings(a=1)
        connection.execute("PRAGMA busy_timeout = 10")
        with contextlib.closing(sqlite3.connect(tmp_path / "catalog.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreReadOnlyError):
                catalog.put_settings(a=2)
            other.rollback()
        assert catalog.setting("a") == 1
        catalog.put_settings(a=3)
        with open_catalog(tmp_path) as reopened:
            assert (catalog.setting("a"), reopened.setting("a")) == (3, 3)


@pytest.mark.parametrize("room", [0, 16_384, 20_480, 32_768, 61_440])
def test_a_full_disk_is_reported_and_later_writes_succeed(
    room: int, catalog: Catalog, tmp_path: Path
) -> None:
    chance = seeds.chance("full disk", room)
    large = {f"a setting with a long name, number {i}": chance.getrandbits(60) for i in range(3_000)}
    catalog.put_settings(a=1)
    with file_size_limit(room), pytest.raises(StoreReadOnlyError):
        catalog.put_settings(**large)
    assert catalog.setting("a") == 1
    assert not large.keys() & catalog.settings().keys()
    catalog.put_settings(**large)
    with open_catalog(tmp_path) as reopened:
        assert (catalog.settings().items() & reopened.settings().items()) >= {("a", 1), *large.items()}


def test_a_catalogue_that_another_program_holds_is_named_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "BUSY_SECONDS", 0.05)
    held = r"another program holds catalog.db \(database is locked\)"
    with (
        contextlib.closing(Catalog(tmp_path)) as catalog,
        contextlib.closing(sqlite3.connect(tmp_path / "catalog.db")) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreOpenError, match=held):
            Catalog(tmp_path)
        with pytest.raises(StoreReadOnlyError, match=held):
            catalog.put_settings(retention_days=1)


def test_a_catalogue_that_must_not_be_written_points_to_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    Catalog(tmp_path).close()
    with (
        contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db,
        pytest.raises(sqlite3.OperationalError) as raised,
    ):
        db.execute("CREATE TABLE t (a)")
    assert sqlite_text(raised.value, path) == (
        "attempt to write a readonly database; check the permissions of catalog.db and of its directory, and"
        " whether the disk is mounted read-only"
    )
