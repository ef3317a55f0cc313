"""Copies of a data directory, and reading it, beside the process that owns it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pegcount import core
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.export import export_records
from pegcount.model import CodeDeckEntry, Retention
from pegcount.store import EmbeddedStore, files
from pegcount.store import snapshot as snapshot_module
from pegcount.store.catalog import Catalog
from pegcount.store.snapshot import back_up, open_snapshot

from store_tests import writer
from store_tests.store_fixtures import BY_HAND, DAY_S, SETUP_S, Reopening, active, finished, names, write


def ids_of(engine: core.Store) -> list[str]:
    """Session ids of all records of a snapshot, each as often as it is held."""
    ids = IdSink()
    counts = export_records(engine, 0, 2**62, ids, 5_000)
    assert (counts.written, counts.left_out) == (len(ids.found), 0)
    return sorted(ids.found)


class IdSink:
    def __init__(self) -> None:
        self.found: list[str] = []

    def write(self, records: object) -> int:
        ids: list[str] = records.column("session_id").to_pylist()  # type: ignore[attr-defined]
        self.found += ids
        return len(ids)

    def close(self) -> None:
        pass


def fill(held: Reopening) -> list[str]:
    """Records in segments, in the journal, active, replaced after they were sealed; gives their ids."""
    write(
        held.store, finished("sealed", tenant_id=1), finished("replaced"), active("ends"), active("goes on")
    )
    held.store.put_code_deck(7, [CodeDeckEntry("49", "Germany", "DE")])
    held.flush()
    write(held.store, finished("replaced", revision=2), finished("ends", SETUP_S), finished("in the journal"))
    return ["ends", "goes on", "in the journal", "replaced", "sealed"]


@pytest.mark.parametrize("is_same_file_system", [True, False])
def test_a_backup_is_a_data_directory(
    is_same_file_system: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_link(source: Path, target: Path) -> None:
        raise OSError("another file system")

    if not is_same_file_system:
        monkeypatch.setattr(os, "link", cannot_link)
    with Reopening(tmp_path / "data", BY_HAND) as held:
        expected = fill(held)
        held.store.set_retention(Retention(days=84_000))
        made = back_up(held.directory, tmp_path / "deep/backup")
        write(held.store, finished("after it"))
    assert all(path.is_file() for path in made)
    found = [path for path in (tmp_path / "deep/backup").rglob("*") if path.is_file()]
    assert sorted(made) == sorted(found)
    links = {path.stat().st_nlink for path in made if path.suffix == ".arrow"}
    assert links == ({2} if is_same_file_system else {1})
    with closing(EmbeddedStore(tmp_path / "deep/backup", BY_HAND)) as store:
        assert sorted(names(store)) == expected
        assert (store.code_decks(), store.retention()) == ({7: 1}, Retention(days=84_000))
        # It goes its own way from here on.
        assert write(store, finished("after the restore")) == (1, 0, 0)
        store.flush()
    with closing(EmbeddedStore(tmp_path / "data", BY_HAND)) as store:
        assert sorted(names(store)) == sorted([*expected, "after it"])


def test_a_snapshot_is_read_beside_its_owner(tmp_path: Path) -> None:
    with Reopening(tmp_path, BY_HAND) as held:
        expected = fill(held)
        reader = open_snapshot(tmp_path, BY_HAND)
        write(held.store, finished("after it"))
        held.flush()
        held.maintain()
        assert ids_of(reader) == expected
        assert ids_of(open_snapshot(tmp_path, BY_HAND)) == sorted([*expected, "after it"])


def test_the_journal_goes_on_in_a_file_that_was_made_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Reopening(tmp_path / "data", BY_HAND) as held:
        write(held.store, finished("before"))
        real_sequences, real_copy = core.journal_sequences, snapshot_module._link_or_copy
        went_on: list[Path] = []

        def made_before(directory: Path) -> list[int]:
            """The next file, of a seal that has begun, is there already, and not used yet."""
            numbers = real_sequences(directory)
            return numbers if went_on else [*numbers, numbers[-1] + 1]

        def goes_on(source: Path, target: Path) -> None:
            real_copy(source, target)
            if source.parent.name == "journal" and not went_on:
                went_on.append(source)
                write(held.store, finished("in the file that was copied"))
                held.store._engine.begin_flush(True)
                write(held.store, finished("in the next file"))

        monkeypatch.setattr(core, "journal_sequences", made_before)
        monkeypatch.setattr(snapshot_module, "_link_or_copy", goes_on)
        back_up(tmp_path / "data", tmp_path / "backup")
    assert went_on
    with Reopening(tmp_path / "backup", BY_HAND) as held:
        assert names(held.store) == ["before", "in the file that was copied", "in the next file"]


def test_backups_of_a_directory_that_is_written_sealed_and_merged_all_the_while(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, str(Path(writer.__file__)), str(data), "0", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            acknowledged = []
            for number in range(8):
                acknowledged.append(int([process.stdout.readline() for _ in range(10)][-1]))
                back_up(data, tmp_path / f"backup{number}")
                found = ids_of(open_snapshot(data, writer.CONFIG))
                check_prefix(found, acknowledged[-1])
        finally:
            process.kill()
    for number, last in enumerate(acknowledged):
        with closing(EmbeddedStore(tmp_path / f"backup{number}", writer.CONFIG)) as store:
            check_prefix(names(store), last)


def check_prefix(ids: list[str], last: int) -> None:
    """Checks that all batches up to `last` are there once, and later ones as a whole, once, or not at all."""
    assert len(ids) == len(set(ids))
    per_batch: dict[int, int] = {}
    for session_id in ids:
        number = int(session_id.partition("/")[0])
        per_batch[number] = per_batch.get(number, 0) + 1
    assert set(per_batch.values()) == {writer.ROWS_PER_BATCH}
    assert sorted(per_batch) == list(range(len(per_batch)))
    assert len(per_batch) > last


def test_a_backup_that_broke_off_is_not_taken_for_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        pass

    def cut(*_: object) -> None:
        raise PowerCut

    with Reopening(tmp_path / "data", BY_HAND) as held:
        fill(held)
        monkeypatch.setattr(os, "replace", cut)
        # As if nobody were left to clean up.
        monkeypatch.setattr(snapshot_module, "_clear", cut)
        with pytest.raises(PowerCut):
            back_up(held.directory, tmp_path / "backup")
        monkeypatch.undo()
        for attempt in (EmbeddedStore, open_snapshot):
            with pytest.raises(StoreOpenError, match="missing or empty"):
                attempt(tmp_path / "backup", BY_HAND)
        with pytest.raises(StoreOpenError, match="not an empty directory"):
            back_up(held.directory, tmp_path / "backup")


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Reopening(tmp_path / "data", BY_HAND) as held:
        expected = fill(held)
        monkeypatch.setattr(shutil, "copyfile", full)
        with pytest.raises(OSError, match="No space left"):
            back_up(held.directory, tmp_path / "backup")
        monkeypatch.undo()
        back_up(held.directory, tmp_path / "backup")
    with closing(EmbeddedStore(tmp_path / "backup", BY_HAND)) as store:
        assert sorted(names(store)) == expected


def a_file(target: Path) -> None:
    target.write_text("x")


def a_full_directory(target: Path) -> None:
    target.mkdir()
    (target / "x").write_text("x")


@pytest.mark.parametrize("occupy", [a_file, a_full_directory])
def test_what_is_there_is_not_written_over(occupy: Callable[[Path], None], tmp_path: Path) -> None:
    with Reopening(tmp_path / "data", BY_HAND) as held:
        occupy(tmp_path / "backup")
        with pytest.raises(StoreOpenError, match="not an empty directory"):
            back_up(held.directory, tmp_path / "backup")
    with pytest.raises(StoreOpenError, match="does not exist"):
        back_up(tmp_path / "nothing", tmp_path / "other")


def test_a_missing_file_is_named_and_costs_its_day_alone(tmp_path: Path) -> None:
    with Reopening(tmp_path / "data", BY_HAND) as held:
        write(held.store, finished("a"), finished("b", SETUP_S + DAY_S))
        held.flush()
        missing = held.segment("2026-03-29")
        missing.unlink()
        with pytest.raises(DataDamagedError, match=r"2026-03-29/00000001\.arrow is missing"):
            back_up(held.directory, tmp_path / "backup")
        reader = open_snapshot(held.directory, BY_HAND)
    with pytest.raises(DataDamagedError, match=r"2026-03-29/00000001\.arrow"):
        ids_of(reader)
    ids = IdSink()
    next_day = (SETUP_S // DAY_S + 1) * DAY_S * 1_000_000
    export_records(reader, next_day, 2**62, ids, 7)
    assert ids.found == ["b"]


HALF_DONE = """
import os, sys
from pathlib import Path
from pegcount.store.catalog import Catalog

catalog = Catalog(Path(sys.argv[1]))
catalog._db.execute("PRAGMA cache_size = 1")
catalog._db.execute("BEGIN IMMEDIATE")
for number in range(1_000, 2_000):
    catalog._db.execute("INSERT INTO code_decks VALUES (?, 1, ?, 0)", (number, b"x" * 2_000))
os._exit(1)
"""


def test_a_catalogue_that_a_crash_left_half_written_is_read_as_before(tmp_path: Path) -> None:
    with Reopening(tmp_path / "data", BY_HAND) as held:
        expected = fill(held)
    subprocess.run([sys.executable, "-c", HALF_DONE, str(held.directory)], check=False)
    assert (held.directory / "catalog.db-journal").stat().st_size > 0
    with pytest.raises(StoreOpenError):
        Catalog(held.directory, read_only=True)
    assert ids_of(open_snapshot(held.directory, BY_HAND)) == expected


def test_reading_does_not_wait_for_the_owner_to_be_still(tmp_path: Path) -> None:
    """A seal between the look at the catalogue and the look at its files makes the reader begin again."""
    with Reopening(tmp_path, BY_HAND) as held:
        expected = fill(held)
        seals = iter([held.flush, held.flush])
        open_engine = files.open_engine

        def sealed_meanwhile(*arguments: Any) -> core.Store:
            next(seals, lambda: None)()
            return open_engine(*arguments)

        began = time.monotonic()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "open_engine", sealed_meanwhile)
            assert ids_of(open_snapshot(tmp_path, BY_HAND)) == expected
        assert next(seals, None) is None
        assert time.monotonic() - began < 10
