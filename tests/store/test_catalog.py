"""The catalogue: what it keeps, in one step or not at all, and what it refuses to open."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.model import CodeDeckEntry
from pegcount.store.catalog import FORMAT_VERSION, Catalog, FileRow, SegmentRow

ENTRIES = [
    CodeDeckEntry("49", "Germany", "DE"),
    CodeDeckEntry("4930", "Berlin", ""),
    CodeDeckEntry("1", "", "é"),
]


def segment(number: int, day: int = 20_541, dead: bytes = b"") -> SegmentRow:
    file = FileRow(f"segments/2026-03-29/{number:08}.arrow", 3, 1_000, 2**32 - 1)
    return SegmentRow(file, day, dead)


def snapshot(number: int) -> FileRow:
    return FileRow(f"active/{number:08}.arrow", 1, 500, 7)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with contextlib.closing(Catalog(tmp_path)) as opened:
        yield opened


def reopened(directory: Path) -> "contextlib.closing[Catalog]":
    return contextlib.closing(Catalog(directory))


def test_every_commit_reaches_the_disk(catalog: Catalog) -> None:
    """SQLite keeps what it committed through a power cut if the log is flushed at each commit (FULL, 2)."""
    assert catalog._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert catalog._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_journal_keeps_batches_in_order(catalog: Catalog, tmp_path: Path) -> None:
    batches = [(3, b"first"), (1, b""), (2, b"\x00\xff"), (2, b"first")]
    for received_us, batch in batches:
        catalog.append_journal(batch, received_us)
    assert list(catalog.journal()) == batches
    with reopened(tmp_path) as again:
        assert list(again.journal()) == batches


def test_a_seal_takes_the_place_of_the_journal(catalog: Catalog, tmp_path: Path) -> None:
    assert (catalog.segments(), catalog.active_snapshot(), catalog.next_sequence()) == ([], None, 1)
    catalog.append_journal(b"batch", 1)
    catalog.commit_seal([segment(1)], snapshot(1), [])
    catalog.append_journal(b"later", 2)
    catalog.commit_seal([segment(2, day=20_540), segment(3)], None, [(segment(1).file.name, b"\x05")])
    catalog.append_journal(b"last", 3)
    with reopened(tmp_path) as again:
        for opened in (catalog, again):
            assert opened.segments() == [segment(2, day=20_540), segment(1, dead=b"\x05"), segment(3)]
            assert opened.active_snapshot() is None
            assert list(opened.journal()) == [(3, b"last")]
            assert opened.next_sequence() == 4


def test_a_snapshot_alone_keeps_its_number(catalog: Catalog) -> None:
    catalog.commit_seal([], snapshot(7), [])
    assert catalog.active_snapshot() == snapshot(7)
    assert catalog.next_sequence() == 8


def test_a_seal_that_fails_midway_changes_nothing(catalog: Catalog, tmp_path: Path) -> None:
    catalog.commit_seal([segment(1)], snapshot(1), [])
    catalog.append_journal(b"batch", 1)
    with pytest.raises(sqlite3.IntegrityError):
        catalog.commit_seal([segment(2), segment(1)], None, [(segment(1).file.name, b"\x01")])
    # And the catalogue goes on.
    catalog.append_journal(b"more", 2)
    with reopened(tmp_path) as again:
        assert again.segments() == [segment(1)]
        assert again.active_snapshot() == snapshot(1)
        assert list(again.journal()) == [(1, b"batch"), (2, b"more")]


def test_code_decks_survive_and_are_replaced_as_a_whole(catalog: Catalog, tmp_path: Path) -> None:
    catalog.put_code_deck(2**63 - 1, ENTRIES)
    catalog.put_code_deck(1, ENTRIES)
    catalog.put_code_deck(1, ENTRIES[:1])
    with reopened(tmp_path) as again:
        for opened in (catalog, again):
            assert opened.code_decks() == {1: 1, 2**63 - 1: 3}
            assert opened.code_deck(1) == ENTRIES[:1]
            assert opened.code_deck(2**63 - 1) == ENTRIES
            assert opened.code_deck(2) is None


@pytest.mark.parametrize(
    ("table", "column", "what"),
    [("journal", "batch", "journal row 2"), ("code_decks", "entries", "code deck 2")],
)
@pytest.mark.parametrize("damage", [lambda blob: blob[1:], lambda blob: bytes([blob[0] ^ 1]) + blob[1:]])
def test_a_damaged_row_is_told_with_its_file(
    table: str, column: str, what: str, damage: Callable[[bytes], bytes], catalog: Catalog, tmp_path: Path
) -> None:
    for i in (1, 2):
        catalog.append_journal(b"batch", i)
        catalog.put_code_deck(i, ENTRIES)
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.db")) as db, db:
        (blob,) = db.execute(f"SELECT {column} FROM {table} WHERE id = 2").fetchone()
        db.execute(f"UPDATE {table} SET {column} = ? WHERE id = 2", (damage(blob),))
    assert catalog.code_deck(1) == ENTRIES
    check_damaged(catalog, tmp_path, f"{what} fails its checksum")


@pytest.mark.parametrize("table", ["journal", "segments", "active_snapshot", "code_decks"])
def test_a_damaged_page_is_told_with_its_file(table: str, tmp_path: Path) -> None:
    with reopened(tmp_path) as catalog:
        catalog.append_journal(b"batch", 1)
        catalog.put_code_deck(2, ENTRIES)
        (page,) = catalog._db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
        (page_bytes,) = catalog._db.execute("PRAGMA page_size").fetchone()
    content = bytearray((tmp_path / "catalog.db").read_bytes())
    content[(page - 1) * page_bytes : page * page_bytes] = b"\xff" * page_bytes
    (tmp_path / "catalog.db").write_bytes(content)
    with reopened(tmp_path) as catalog:
        check_damaged(catalog, tmp_path, "database disk image is malformed")


def check_damaged(catalog: Catalog, directory: Path, what: str) -> None:
    with pytest.raises(DataDamagedError) as raised:
        assert [*catalog.journal(), catalog.segments(), catalog.active_snapshot(), catalog.code_deck(2)]
    path = directory / "catalog.db"
    assert str(raised.value) == f"{path}: {what}"
    assert raised.value.metadata == {"file": str(path)}


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
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


def test_the_format_of_this_program(catalog: Catalog) -> None:
    assert FORMAT_VERSION == 1
    assert catalog._db.execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"no database" * 100, "file is not a database"), (b"SQLite format 3\x00" + b"\xff" * 4_080, "")],
)
def test_what_is_no_database(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(content)
    with pytest.raises(StoreOpenError, match=f"catalog.db cannot be opened: {why}"):
        Catalog(tmp_path)


def test_a_directory_in_place_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").mkdir()
    with pytest.raises(StoreOpenError, match=r"catalog\.db cannot be opened: unable to open"):
        Catalog(tmp_path)


@pytest.mark.parametrize("folder", ["segments", "active"])
@pytest.mark.parametrize("is_there_but_empty", [False, True])
def test_segments_without_their_catalogue_are_not_taken_for_leftovers(
    folder: str, is_there_but_empty: bool, tmp_path: Path
) -> None:
    """A new catalogue names no file, so the store would remove them all."""
    (tmp_path / folder).mkdir()
    if is_there_but_empty:
        (tmp_path / "catalog.db").touch()
    with pytest.raises(StoreOpenError, match="is missing or empty, but there are segments beside it"):
        Catalog(tmp_path)
