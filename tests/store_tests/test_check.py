"""`check` on whole, damaged and missing files of a data directory."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from decks import deck_of
from pegcount.errors import StoreOpenError
from pegcount.store import EmbeddedStore, files
from pegcount.store.catalog import Catalog
from pegcount.store.check import CheckReport, check
from pegcount.store.snapshot import back_up

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, active, finished, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Returns a closed directory with one segment, one active snapshot and two batches in the journal."""
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("f1"), finished("f2"), active("a1"))
        harness.store.put_code_deck(7, deck_of(("49", "Germany", "DE")))
        harness.flush()
        write(harness.store, finished("f2", revision=2), finished("f3"))
        write(harness.store, finished("f4"))
    return tmp_path / "data"


def only_path(data: Path, pattern: str) -> Path:
    (path,) = data.glob(pattern)
    return path


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_an_intact_directory_is_counted(data: Path) -> None:
    assert check(data, MANUAL_MAINTENANCE) == CheckReport(
        segments=1,
        segment_bytes=only_path(data, "segments/*/*").stat().st_size,
        journal_files=1,
        journal_batches=2,
        journal_records=3,
        active_sessions=1,
        code_decks=1,
        records=5,
    )


def test_a_check_modifies_no_file(data: Path) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and path.name != "lock"}
    check(data, MANUAL_MAINTENANCE)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("pattern", ["segments/*/*", "active/*", "journal/00000002.log"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_flipped_byte_is_reported_with_its_file(pattern: str, share: float, data: Path) -> None:
    path = only_path(data, pattern)
    flip(path, int(path.stat().st_size * share))
    report = check(data, MANUAL_MAINTENANCE)
    (problem,) = report.problems
    assert path.relative_to(data).as_posix() in problem
    assert report.records is None


def test_a_changed_catalogue_row_is_reported(data: Path) -> None:
    with closing(sqlite3.connect(data / "catalog.db")) as db, db:
        db.execute("UPDATE segments SET rows = rows + 1")
    (problem,) = check(data, MANUAL_MAINTENANCE).problems
    assert "catalog.db: a row of segments fails its checksum" in problem


def test_a_catalogue_that_is_not_a_database_cannot_be_checked(data: Path) -> None:
    flip(data / "catalog.db", 0)
    with pytest.raises(StoreOpenError, match=r"catalog\.db cannot be opened"):
        check(data, MANUAL_MAINTENANCE)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
@pytest.mark.parametrize("pattern", ["segments/*/*", "active/*", "journal/*"])
def test_a_missing_or_truncated_file_is_reported(
    pattern: str, damage: Callable[[Path], None], data: Path
) -> None:
    path = only_path(data, pattern)
    damage(path)
    (problem,) = check(data, MANUAL_MAINTENANCE).problems
    assert path.relative_to(data).as_posix() in problem


def test_files_left_by_a_crash_are_leftovers_rather_than_problems(data: Path) -> None:
    left = [
        data / "journal/00000000.log",
        data / "segments/2026-03-29/00009999.arrow",
        data / "segments/2026-03-29/00009999.tmp",
    ]
    for path in left:
        path.write_bytes(b"x")
    report = check(data, MANUAL_MAINTENANCE)
    assert (sorted(report.leftovers), report.problems, report.records) == (sorted(left), [], 5)
    check_matches_a_start(data, report)


def check_matches_a_start(data: Path, report: CheckReport) -> None:
    """Asserts that a start has the records that a check counted, removes its leftovers, and nothing else."""
    before = {path for path in data.rglob("*") if path.is_file()}
    with closing(EmbeddedStore(data, MANUAL_MAINTENANCE)) as store:
        assert store.info().records == report.records
    assert {path for path in before if not path.exists()} == set(report.leftovers)


def test_an_orphan_stays_while_a_file_is_missing(data: Path) -> None:
    orphan = data / "segments/2026-03-29/00009999.arrow"
    only_path(data, "segments/*/*").rename(orphan)
    report = check(data, MANUAL_MAINTENANCE)
    assert (report.leftovers, report.kept_orphans) == ([], [orphan])
    EmbeddedStore(data, MANUAL_MAINTENANCE).close()
    assert orphan.exists()


def test_a_segment_that_is_excluded_from_reports_is_a_problem(data: Path) -> None:
    name = only_path(data, "segments/*/*").relative_to(data).as_posix()
    with closing(Catalog(data)) as catalog:
        catalog.put_settings(**{files.damage_setting(name): 1})
    report = check(data, MANUAL_MAINTENANCE)
    (problem,) = report.problems
    assert f"{name} is excluded from reports" in problem
    assert report.records is None


@pytest.mark.parametrize(("is_restored", "records"), [(True, 5), (False, 3)])
def test_a_journal_file_whose_loss_was_accepted_is_read_as_far_as_it_goes(
    is_restored: bool, records: int, data: Path
) -> None:
    path = only_path(data, "journal/*")
    whole = path.read_bytes()
    flip(path, 50)
    EmbeddedStore(data, MANUAL_MAINTENANCE, accepted_losses=[f"journal/{path.name}"]).close()
    if is_restored:
        path.write_bytes(whole)
    report = check(data, MANUAL_MAINTENANCE)
    assert (report.leftovers, report.problems, report.records) == ([], [], records)
    assert report.journal_files == (1 if is_restored else 0)
    check_matches_a_start(data, report)


def test_a_journal_file_that_is_newer_than_the_catalogue_is_a_problem_and_stays(data: Path) -> None:
    older = (data / "catalog.db").read_bytes()
    with closing(EmbeddedStore(data, MANUAL_MAINTENANCE)) as store:
        store.flush(with_active=False)
        write(store, finished("newer"))
    newest = max(data.glob("journal/*"))
    (data / "catalog.db").write_bytes(older)
    report = check(data, MANUAL_MAINTENANCE)
    assert any(f"{newest.name} is newer than catalog.db" in problem for problem in report.problems)
    assert newest not in report.leftovers
    assert report.records is None


def test_a_directory_in_use_is_not_checked_but_its_backup_is(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("f1"), active("a1"))
        with pytest.raises(StoreOpenError, match="is in use by process"):
            check(tmp_path / "data", MANUAL_MAINTENANCE)
        back_up(tmp_path / "data", tmp_path / "backup")
        report = check(tmp_path / "backup", MANUAL_MAINTENANCE)
        assert (report.records, report.journal_records, report.problems) == (2, 2, [])


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_a_path_without_a_data_directory_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(StoreOpenError):
        check(tmp_path / "x", MANUAL_MAINTENANCE)
