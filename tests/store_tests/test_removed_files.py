"""Files that another program removes, moves or replaces: no acknowledged record is lost unnoticed."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from decks import deck_of
from pegcount import core
from pegcount.config import Config
from pegcount.errors import DataDamagedError, StoreOpenError, StoreReadOnlyError
from pegcount.model import Retention
from pegcount.store import EmbeddedStore, catalog_rows, files
from pegcount.store.catalog import Catalog
from waiting import wait_until

from store_tests.steps import intercept_steps
from store_tests.store_fixtures import (
    ACKNOWLEDGED,
    MANUAL_MAINTENANCE,
    StoreHarness,
    all_files,
    batch,
    file_size_limit,
    finished,
    rows,
    session_ids,
    write,
)


def after_a_kill(harness: StoreHarness, accepted_losses: tuple[str, ...] = ()) -> list[str]:
    """Returns the session ids that a start finds which follows a kill at this moment."""
    copy = harness.directory.with_name("after a kill")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(harness.directory, copy)
    store = EmbeddedStore(copy, MANUAL_MAINTENANCE, accepted_losses=accepted_losses)
    found = sorted(session_ids(store))
    store.close()
    return found


def check_refused(harness: StoreHarness, why: str) -> None:
    for _ in range(2):
        with pytest.raises(StoreReadOnlyError, match=why):
            harness.store.write(batch(finished("unacknowledged")))
    assert harness.store.write_fault is not None


def check_writes_go_on(harness: StoreHarness) -> None:
    harness.maintain()
    harness.maintain()
    assert harness.store.write_fault is None
    assert write(harness.store, finished("later")) == (1, 0, 0)
    everything = sorted([*ACKNOWLEDGED, "later"])
    assert sorted(session_ids(harness.store)) == everything
    assert without_refused(after_a_kill(harness)) == everything
    harness.reopen()
    assert without_refused(session_ids(harness.store)) == everything


def without_refused(found: list[str]) -> list[str]:
    """A restart may find a batch that was refused: it was in the journal before the loss was seen."""
    return sorted(set(found) - {"unacknowledged"})


def remove(path: Path) -> None:
    path.unlink()


def replace_by_a_copy(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    os.replace(path.with_suffix(".copy"), path)


def empty(path: Path) -> None:
    wait_for_the_next_tick(path)
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    wait_for_the_next_tick(path)
    path.write_bytes(b"x" * 20_000)


def wait_for_the_next_tick(path: Path) -> None:
    """Waits until a change of a file changes its modification time: a file system may tick every 10 ms."""
    wait_until(lambda: time.time_ns() - path.stat().st_mtime_ns >= 20_000_000)


@pytest.mark.parametrize("damage", [empty, overwrite])
@pytest.mark.parametrize("is_flush_first", [False, True])
def test_a_catalogue_that_is_overwritten_where_it_is_is_written_anew(
    is_flush_first: bool, damage: Callable[[Path], None], harness: StoreHarness
) -> None:
    damage(harness.directory / "catalog.db")
    if is_flush_first:
        harness.flush_without_active_snapshot()
    else:
        check_refused(harness, "catalog.db was changed")
    check_writes_go_on(harness)


@pytest.mark.parametrize("is_flush_first", [False, True])
def test_an_older_catalogue_that_overwrites_the_present_one_is_written_anew(
    is_flush_first: bool, harness: StoreHarness
) -> None:
    path = harness.directory / "catalog.db"
    older = path.read_bytes()
    harness.flush()
    write(harness.store, finished("second"))
    wait_for_the_next_tick(path)
    path.write_bytes(older)
    if is_flush_first:
        harness.flush_without_active_snapshot()
    else:
        check_refused(harness, "catalog.db was changed")
    harness.maintain()
    harness.reopen()
    assert without_refused(session_ids(harness.store)) == sorted([*ACKNOWLEDGED, "second"])


@pytest.mark.parametrize("damage", [empty, overwrite])
@pytest.mark.parametrize("name", ["lock", "readers", "catalog.db-journal"])
def test_files_of_which_the_content_does_not_matter_stop_nothing(
    name: str, damage: Callable[[Path], None], harness: StoreHarness
) -> None:
    (harness.directory / name).touch()
    damage(harness.directory / name)
    write(harness.store, finished("later"))
    harness.flush()
    assert sorted(after_a_kill(harness)) == sorted([*ACKNOWLEDGED, "later"])
    check_writes_go_on_without("later", harness)


def check_writes_go_on_without(session_id: str, harness: StoreHarness) -> None:
    harness.maintain()
    assert harness.store.write_fault is None
    harness.reopen()
    assert session_id in session_ids(harness.store)


@pytest.mark.parametrize("damage", [empty, overwrite])
def test_a_journal_file_that_takes_no_more_batches_must_keep_its_content(
    damage: Callable[[Path], None], harness: StoreHarness
) -> None:
    harness.reopen()
    write(harness.store, finished("newer"))
    older, _ = harness.journal()
    damage(older)
    check_refused(harness, f"journal/{older.name} was changed")
    harness.maintain()
    assert harness.store.write_fault is None
    assert without_refused(after_a_kill(harness)) == sorted([*ACKNOWLEDGED, "newer"])


@pytest.mark.parametrize("name", ["catalog.db", "lock"])
def test_what_replaces_a_file_while_the_journal_is_replayed_is_noticed(
    name: str, harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.store.close()
    open_engine = files.open_engine

    def replace_and_open(*arguments: Any) -> core.Engine:
        replace_by_a_copy(harness.directory / name)
        return open_engine(*arguments)

    monkeypatch.setattr(files, "open_engine", replace_and_open)
    harness.store = harness.open()
    monkeypatch.undo()
    if name == "lock":
        check_refused(harness, "lock was replaced")
    else:
        # The catalogue is written anew before it names the journal file of the first batch.
        write(harness.store, finished("first"))
        assert after_a_kill(harness) == sorted([*ACKNOWLEDGED, "first"])
    harness.maintain()
    harness.reopen()
    assert set(session_ids(harness.store)) >= set(ACKNOWLEDGED)


def test_what_replaces_a_journal_file_before_its_first_batch_is_noticed(harness: StoreHarness) -> None:
    replaced: list[str] = []

    def on_step(step: str) -> None:
        if step == "after add_journal" and not replaced:
            replaced.append(harness.journal()[-1].name)
            replace_by_a_copy(harness.journal()[-1])

    with intercept_steps(harness, on_step), pytest.raises(StoreReadOnlyError, match=r"\.log was replaced"):
        harness.store.write(batch(finished("unacknowledged")))
    check_refused(harness, f"journal/{replaced[0]} was replaced")
    check_writes_go_on(harness)


def test_a_journal_file_that_the_catalogue_may_name_stays_until_another_one_is_named(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that is reported as failed may be on disk: a start after a kill must find its file."""
    add_journal = Catalog.add_journal

    def add_and_fail(catalog: Catalog, sequence: int, predecessor: int) -> None:
        add_journal(catalog, sequence, predecessor)
        raise StoreReadOnlyError("reported as failed")

    harness.reopen()
    monkeypatch.setattr(Catalog, "add_journal", add_and_fail)
    for why in ("reported as failed", "not even begun", "not even begun"):
        with pytest.raises(StoreReadOnlyError, match=why):
            harness.store.write(batch(finished("unacknowledged")))
        monkeypatch.setattr(Catalog, "add_journal", fail_to_add)
        assert after_a_kill(harness) == ACKNOWLEDGED
    monkeypatch.undo()
    check_writes_go_on(harness)


def fail_to_add(_catalog: Catalog, _sequence: int, _predecessor: int) -> None:
    raise StoreReadOnlyError("not even begun")


def test_a_catalogue_that_is_emptied_during_a_transaction_is_noticed(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_digest = catalog_rows.put_digest

    def put_and_empty(db: sqlite3.Connection, tables: Mapping[str, str]) -> None:
        put_digest(db, tables)
        empty(harness.directory / "catalog.db")

    monkeypatch.setattr("pegcount.store.catalog.put_digest", put_and_empty)
    harness.store.set_retention(Retention(days=400))
    monkeypatch.undo()
    check_refused(harness, "catalog.db was changed")
    check_writes_go_on(harness)


def test_a_transaction_takes_over_nothing_of_an_older_catalogue(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = (harness.directory / "catalog.db").read_bytes()
    harness.flush()
    put_row = catalog_rows.put_row

    def overwrite_and_put(db: catalog_rows.Executor, table: str, *values: Any) -> None:
        (harness.directory / "catalog.db").write_bytes(older)
        put_row(db, table, *values)

    monkeypatch.setattr("pegcount.store.catalog.put_row", overwrite_and_put)
    with suppress(StoreReadOnlyError):
        harness.store.set_retention(Retention(days=400))
    monkeypatch.undo()
    harness.maintain()
    check_writes_go_on(harness)
    assert set(after_a_kill(harness)) >= set(ACKNOWLEDGED)


@pytest.mark.parametrize("damage", [remove, replace_by_a_copy])
@pytest.mark.parametrize("name", ["journal", "catalog.db", "lock"])
def test_a_lost_file_stops_acknowledgements_until_it_is_written_anew(
    name: str, damage: Callable[[Path], None], harness: StoreHarness
) -> None:
    damage(harness.journal()[-1] if name == "journal" else harness.directory / name)
    check_refused(harness, name)
    check_writes_go_on(harness)


def test_a_loss_is_noticed_without_a_batch(harness: StoreHarness) -> None:
    harness.journal()[-1].unlink()
    # So that its records cannot be written anew.
    with file_size_limit(16), pytest.raises((OSError, StoreReadOnlyError)):
        harness.maintain()
    assert harness.store.write_fault is not None


def test_an_emptied_journal_stops_acknowledgements(harness: StoreHarness) -> None:
    empty(harness.journal()[-1])
    with pytest.raises(StoreReadOnlyError, match="it has 0 bytes instead of"):
        harness.store.write(batch(finished("unacknowledged")))
    with pytest.raises(DataDamagedError, match="it has 0 bytes, less than its header"):
        after_a_kill(harness)
    check_refused(harness, "was changed while this process used it")
    check_writes_go_on(harness)


def test_a_moved_directory_stops_acknowledgements_until_it_is_back(harness: StoreHarness) -> None:
    elsewhere = harness.directory.with_name("elsewhere")
    harness.directory.rename(elsewhere)
    check_refused(harness, "the data directory was removed")
    harness.directory.mkdir()
    check_refused(harness, "the data directory was replaced")
    harness.directory.rmdir()
    elsewhere.rename(harness.directory)
    check_writes_go_on(harness)


def test_a_start_names_a_lost_journal_file_and_a_way_to_go_on(harness: StoreHarness) -> None:
    name = f"journal/{harness.journal()[-1].name}"
    harness.journal()[-1].unlink()
    with pytest.raises(DataDamagedError, match=f"{name} is missing: .* start with --accept-loss-of {name} "):
        after_a_kill(harness)
    assert after_a_kill(harness, (name,)) == ["active", "sealed"]
    copy = EmbeddedStore(harness.directory.with_name("after a kill"), Config())
    write(copy, finished("later"))
    assert sorted(session_ids(copy)) == ["active", "later", "sealed"]
    copy.close()


def test_a_start_says_how_to_go_on_without_a_damaged_file(harness: StoreHarness) -> None:
    journal, snapshot = harness.journal()[-1], next(harness.directory.glob("active/*"))
    harness.store.close()
    for path, lost in ((journal, "the batches from the damage on"), (snapshot, "the active sessions in it")):
        content, name = path.read_bytes(), path.relative_to(harness.directory).as_posix()
        path.chmod(0o600)
        path.write_bytes(content[:-1])
        with pytest.raises(DataDamagedError) as raised:
            harness.open()
        assert f"or start with --accept-loss-of {name} to go on without {lost}" in str(raised.value)
        path.write_bytes(content)
    harness.store = harness.open()


def test_batches_before_an_accepted_damage_are_kept(harness: StoreHarness) -> None:
    path = harness.journal()[-1]
    length = path.stat().st_size
    write(harness.store, finished("damaged"))
    with path.open("r+b") as file:
        file.seek(length + 20)
        file.write(b"\xff")
    with pytest.raises(DataDamagedError, match=f"the batch at byte {length} is not what was written"):
        after_a_kill(harness)
    assert after_a_kill(harness, (f"journal/{path.name}",)) == ACKNOWLEDGED


def test_a_start_names_a_lost_active_snapshot(harness: StoreHarness) -> None:
    (path,) = harness.directory.glob("active/*")
    path.unlink()
    with pytest.raises(DataDamagedError, match=f"active/{path.name} is missing"):
        after_a_kill(harness)
    assert after_a_kill(harness, (f"active/{path.name}",)) == ["journaled", "sealed"]


def test_a_name_that_was_lost_before_may_be_given_again(harness: StoreHarness) -> None:
    assert after_a_kill(harness, ("journal/77", "segments/2026-03-29/7.arrow")) == ACKNOWLEDGED


def test_a_file_that_is_whole_is_not_given_up(harness: StoreHarness) -> None:
    journal, segment = f"journal/{harness.journal()[-1].name}", harness.files()[-1]
    before = all_files(harness.directory)
    for name in (journal, segment):
        with pytest.raises(StoreOpenError, match=f"^{name} is whole; start without --accept-loss-of {name}$"):
            after_a_kill(harness, ("journal/77", name))
        assert all_files(harness.directory.with_name("after a kill")) == before
    assert after_a_kill(harness) == ACKNOWLEDGED


@pytest.mark.parametrize("name", ["journal/00000099.log", "segments/2026-03-29/7.arrow", "notes.txt"])
def test_a_start_says_that_the_catalogue_names_no_such_file(
    name: str, harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    after_a_kill(harness, (name,))
    assert f"nothing of {name} was given up: the catalogue names no such file" in caplog.text


OPEN = "import sys; from pathlib import Path; from pegcount.config import Config\n" + (
    "from pegcount.store import EmbeddedStore; EmbeddedStore(Path(sys.argv[1]), Config())"
)


def test_a_directory_without_its_lock_file_admits_no_second_owner(harness: StoreHarness) -> None:
    (harness.directory / "lock").unlink()
    opened = subprocess.run(
        [sys.executable, "-c", OPEN, str(harness.directory)], capture_output=True, text=True, check=False
    )
    assert "is in use by process" in opened.stderr


def test_writes_stay_refused_while_the_disk_takes_only_small_files(harness: StoreHarness) -> None:
    size = harness.journal()[-1].stat().st_size
    with file_size_limit(size):
        with pytest.raises(StoreReadOnlyError):
            harness.store.write(batch(finished("unacknowledged")))
        for _ in range(2):
            with suppress(StoreReadOnlyError):
                harness.maintain()
            assert harness.store.write_fault is not None
    check_writes_go_on(harness)


def test_decks_are_files_that_the_catalogue_names(harness: StoreHarness) -> None:
    size = (harness.directory / "catalog.db").stat().st_size
    large = deck_of(*((str(i), f"name {i}", "country") for i in range(20_000)))
    harness.store.put_code_deck(1, large)
    harness.store.put_code_deck(1, deck_of(("49", "Germany", "DE")))
    harness.store.put_code_deck(2, large)
    paths = sorted(harness.directory.glob("decks/*"))
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o400, 0o400]
    assert (harness.directory / "catalog.db").stat().st_size <= size + 16_384
    harness.reopen()
    assert harness.store.code_decks() == {1: 1, 2: 20_000}
    for damage, why in ((empty, "fails its checksum"), (remove, "is missing")):
        damage(paths[-1])
        with pytest.raises(DataDamagedError, match=why):
            rows(harness.store, "orig_rates_code_name", code_deck=2)
    assert rows(harness.store, "orig_rates_code_name", code_deck=1)
