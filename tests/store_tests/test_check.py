"""What `check` says of a data directory."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pegcount.errors import StoreOpenError
from pegcount.model import CodeDeckEntry
from pegcount.store.check import CheckReport, check
from pegcount.store.snapshot import back_up

from store_tests.store_fixtures import BY_HAND, Reopening, active, finished, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A closed directory: a segment, a copy of the active sessions, two batches in the journal."""
    with Reopening(tmp_path / "data", BY_HAND) as held:
        write(held.store, finished("f1"), finished("f2"), active("a1"))
        held.store.put_code_deck(7, [CodeDeckEntry("49", "Germany", "DE")])
        held.flush()
        write(held.store, finished("f2", revision=2), finished("f3"))
        write(held.store, finished("f4"))
    return tmp_path / "data"


def only(data: Path, pattern: str) -> Path:
    (path,) = data.glob(pattern)
    return path


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_good_directory_is_counted(data: Path) -> None:
    assert check(data, BY_HAND) == CheckReport(
        segments=1,
        segment_bytes=only(data, "segments/*/*").stat().st_size,
        journal_files=1,
        journal_batches=2,
        journal_records=3,
        active_sessions=1,
        code_decks=1,
        records=5,
    )


def test_a_check_changes_nothing(data: Path) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and path.name != "lock"}
    check(data, BY_HAND)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("pattern", ["segments/*/*", "active/*", "journal/00000002.log"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_flipped_byte_is_a_problem_of_its_file(pattern: str, share: float, data: Path) -> None:
    path = only(data, pattern)
    flip(path, int(path.stat().st_size * share))
    report = check(data, BY_HAND)
    (problem,) = report.problems
    assert str(path) in problem
    assert report.records is None


def test_a_changed_row_of_the_catalogue_is_a_problem(data: Path) -> None:
    with closing(sqlite3.connect(data / "catalog.db")) as db, db:
        db.execute("UPDATE segments SET rows = rows + 1")
    (problem,) = check(data, BY_HAND).problems
    assert "catalog.db: a row of segments fails its checksum" in problem


def test_a_catalogue_that_is_no_database_cannot_be_checked(data: Path) -> None:
    flip(data / "catalog.db", 0)
    with pytest.raises(StoreOpenError, match=r"catalog\.db cannot be opened"):
        check(data, BY_HAND)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
@pytest.mark.parametrize("pattern", ["segments/*/*", "active/*"])
def test_a_missing_or_cut_file_is_a_problem(pattern: str, damage: Callable[[Path], None], data: Path) -> None:
    path = only(data, pattern)
    damage(path)
    (problem,) = check(data, BY_HAND).problems
    assert str(path) in problem


def test_what_a_crash_left_behind_is_an_orphan_and_no_problem(data: Path) -> None:
    orphans = [
        data / "journal/00000000.log",
        data / "segments/2026-03-29/00009999.arrow",
        data / "segments/2026-03-29/00009999.tmp",
    ]
    for path in orphans:
        path.write_bytes(b"x")
    report = check(data, BY_HAND)
    assert (sorted(report.orphans), report.problems, report.records) == (sorted(orphans), [], 5)


def test_a_directory_in_use_is_not_checked_but_its_backup_is(tmp_path: Path) -> None:
    with Reopening(tmp_path / "data", BY_HAND) as held:
        write(held.store, finished("f1"), active("a1"))
        with pytest.raises(StoreOpenError, match="is in use by process"):
            check(tmp_path / "data", BY_HAND)
        back_up(tmp_path / "data", tmp_path / "backup")
        report = check(tmp_path / "backup", BY_HAND)
        assert (report.records, report.journal_records, report.problems) == (2, 2, [])


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_what_is_no_data_directory_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(StoreOpenError):
        check(tmp_path / "x", BY_HAND)
