"""Backups and read-only snapshots of a data directory that another store owns."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from decks import deck_of
from pegcount import core
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.export import export_records
from pegcount.model import Retention
from pegcount.store import EmbeddedStore, files
from pegcount.store.catalog import Catalog
from pegcount.store.file_copy import FileCopier
from pegcount.store.snapshot import back_up, open_snapshot

from store_tests import writer
from store_tests.steps import intercept_steps
from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    finished,
    session_ids,
    write,
)


def snapshot_session_ids(engine: core.Engine) -> list[str]:
    """Returns the session ids of all records of a snapshot, repeated for each copy that it counts."""
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


def write_mixed_records(harness: StoreHarness) -> list[str]:
    """Writes flushed, journaled, active and replaced records and returns their session ids."""
    write(
        harness.store,
        finished("sealed", tenant_id=1),
        finished("replaced"),
        active("ends"),
        active("goes on"),
    )
    harness.store.put_code_deck(7, deck_of(("49", "Germany", "DE")))
    harness.flush()
    write(
        harness.store, finished("replaced", revision=2), finished("ends", SETUP_S), finished("in the journal")
    )
    return ["ends", "goes on", "in the journal", "replaced", "sealed"]


def test_a_backup_can_be_opened_as_a_store(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        expected = write_mixed_records(harness)
        harness.store.set_retention(Retention(days=84_000))
        made = back_up(harness.directory, tmp_path / "deep/backup")
        write(harness.store, finished("after it"))
    assert all(path.is_file() for path in made)
    found = [path for path in (tmp_path / "deep/backup").rglob("*") if path.is_file()]
    assert sorted(made) == sorted(found)
    with closing(EmbeddedStore(tmp_path / "deep/backup", MANUAL_MAINTENANCE)) as store:
        assert sorted(session_ids(store)) == expected
        assert (store.code_decks(), store.retention()) == ({7: 1}, Retention(days=84_000))
        assert write(store, finished("after the restore")) == (1, 0, 0)
        store.flush()
    with closing(EmbeddedStore(tmp_path / "data", MANUAL_MAINTENANCE)) as store:
        assert sorted(session_ids(store)) == sorted([*expected, "after it"])


def test_a_snapshot_is_unaffected_by_later_writes(tmp_path: Path) -> None:
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        expected = write_mixed_records(harness)
        reader = open_snapshot(tmp_path, MANUAL_MAINTENANCE)
        write(harness.store, finished("after it"))
        harness.flush()
        harness.maintain()
        assert snapshot_session_ids(reader) == expected
        assert snapshot_session_ids(open_snapshot(tmp_path, MANUAL_MAINTENANCE)) == sorted(
            [*expected, "after it"]
        )


class PausedFlush:
    """A flush in a thread of its own, which pauses where its next journal file exists and takes no batch yet.

    After `go_on` it pauses once more, where the next file takes the batches, until the block ends.
    """

    def __init__(self, harness: StoreHarness) -> None:
        self._thread = threading.Thread(target=harness.flush)
        self._is_prepared, self._may_begin = threading.Event(), threading.Event()
        self._has_begun, self._may_end = threading.Event(), threading.Event()

    def on_step(self, step: str) -> None:
        if threading.current_thread() is not self._thread:
            return
        if step == "before begin_flush":
            self._is_prepared.set()
            assert self._may_begin.wait(20)
        elif step == "after begin_flush":
            self._has_begun.set()
            assert self._may_end.wait(20)

    def go_on(self) -> None:
        self._may_begin.set()
        assert self._has_begun.wait(20)

    def __enter__(self) -> None:
        self._thread.start()
        assert self._is_prepared.wait(20)

    def __exit__(self, *_: object) -> None:
        self._may_begin.set()
        self._may_end.set()
        self._thread.join(20)


def test_a_backup_has_no_gap_where_the_journal_goes_on_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        real_copy, copied = FileCopier.copy, list[str]()
        flush = PausedFlush(harness)

        def copy_then_continue(copier: FileCopier, source: Path, target: Path, mode: int) -> None:
            real_copy(copier, source, target, mode)
            copied.append(source.name)
            if len(copied) == 1:
                write(harness.store, finished("in the file before"))
                flush.go_on()
                write(harness.store, finished("in the next file"))

        monkeypatch.setattr(FileCopier, "copy", copy_then_continue)
        with intercept_steps(harness, flush.on_step):
            write(harness.store, finished("before"))
            with flush:
                journals = [path.name for path in harness.journal()]
                back_up(tmp_path / "data", tmp_path / "backup")
                assert all(path.stat().st_size > 32 for path in harness.journal())
    assert len(journals) == 2
    assert copied == journals[::-1]
    with StoreHarness(tmp_path / "backup", MANUAL_MAINTENANCE) as harness:
        assert session_ids(harness.store) == ["before", "in the file before"]


def test_backups_during_writes_flushes_and_compactions(tmp_path: Path) -> None:
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
                found = snapshot_session_ids(open_snapshot(data, writer.CONFIG))
                check_prefix(found, acknowledged[-1])
        finally:
            process.kill()
    for number, last in enumerate(acknowledged):
        with closing(EmbeddedStore(tmp_path / f"backup{number}", writer.CONFIG)) as store:
            check_prefix(session_ids(store), last)


def check_prefix(ids: list[str], last: int) -> None:
    """Asserts that batches up to `last` are present once, and later ones once as a whole or not at all."""
    assert len(ids) == len(set(ids))
    per_batch: dict[int, int] = {}
    for session_id in ids:
        number = int(session_id.partition("/")[0])
        per_batch[number] = per_batch.get(number, 0) + 1
    assert set(per_batch.values()) == {writer.ROWS_PER_BATCH}
    assert sorted(per_batch) == list(range(len(per_batch)))
    assert len(per_batch) > last


def test_an_interrupted_backup_is_not_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(BaseException):
        pass

    def raise_power_cut(*_: object) -> None:
        raise PowerCut

    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write_mixed_records(harness)
        monkeypatch.setattr(os, "replace", raise_power_cut)
        # Disables the cleanup too, as after a power cut.
        monkeypatch.setattr(Path, "iterdir", raise_power_cut)
        with pytest.raises(PowerCut):
            back_up(harness.directory, tmp_path / "backup")
        monkeypatch.undo()
        for attempt in (EmbeddedStore, open_snapshot):
            with pytest.raises(StoreOpenError, match="missing or empty"):
                attempt(tmp_path / "backup", MANUAL_MAINTENANCE)
        with pytest.raises(StoreOpenError, match="not an empty directory"):
            back_up(harness.directory, tmp_path / "backup")


def a_file(target: Path) -> None:
    target.write_text("x")


def a_full_directory(target: Path) -> None:
    target.mkdir()
    (target / "x").write_text("x")


@pytest.mark.parametrize("create_target", [a_file, a_full_directory])
def test_a_backup_does_not_overwrite_its_target(
    create_target: Callable[[Path], None], tmp_path: Path
) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        create_target(tmp_path / "backup")
        with pytest.raises(StoreOpenError, match="not an empty directory"):
            back_up(harness.directory, tmp_path / "backup")
    with pytest.raises(StoreOpenError, match="does not exist"):
        back_up(tmp_path / "nothing", tmp_path / "other")


def test_a_missing_file_is_named_and_affects_its_day_alone(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"), finished("b", SETUP_S + DAY_S))
        harness.flush()
        missing = harness.segment("2026-03-29")
        missing.unlink()
        with pytest.raises(DataDamagedError, match=r"2026-03-29/\d+\.arrow is missing"):
            back_up(harness.directory, tmp_path / "backup")
        reader = open_snapshot(harness.directory, MANUAL_MAINTENANCE)
    with pytest.raises(DataDamagedError, match=r"2026-03-29/\d+\.arrow"):
        snapshot_session_ids(reader)
    ids = IdSink()
    next_day = (SETUP_S // DAY_S + 1) * DAY_S * 1_000_000
    export_records(reader, next_day, 2**62, ids, 7)
    assert ids.found == ["b"]


CRASH_IN_TRANSACTION = """
import os, sys
from pathlib import Path
from pegcount.store.catalog import Catalog

catalog = Catalog(Path(sys.argv[1]))
catalog._db.execute("PRAGMA cache_size = 1")
catalog._db.execute("BEGIN IMMEDIATE")
for number in range(1_000, 2_000):
    catalog._db.execute("INSERT INTO settings VALUES (?, 1, 0)", (f"{number}" * 500,))
os._exit(1)
"""


def test_a_hot_catalogue_journal_is_rolled_back(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        expected = write_mixed_records(harness)
    subprocess.run([sys.executable, "-c", CRASH_IN_TRANSACTION, str(harness.directory)], check=False)
    assert (harness.directory / "catalog.db-journal").stat().st_size > 0
    with pytest.raises(StoreOpenError):
        Catalog(harness.directory, read_only=True)
    assert snapshot_session_ids(open_snapshot(harness.directory, MANUAL_MAINTENANCE)) == expected


def test_a_snapshot_opens_the_files_of_its_catalogue_beside_a_flush(tmp_path: Path) -> None:
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE) as harness:
        expected = write_mixed_records(harness)
        open_engine, opened = files.open_engine, list[Path]()

        def flush_then_open(directory: Path, *arguments: Any) -> core.Engine:
            opened.append(directory)
            harness.flush()
            return open_engine(directory, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "open_engine", flush_then_open)
            assert snapshot_session_ids(open_snapshot(tmp_path, MANUAL_MAINTENANCE)) == expected
        assert opened == [tmp_path]
