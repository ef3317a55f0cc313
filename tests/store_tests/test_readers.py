"""Readers of a directory that its owner flushes and compacts meanwhile: replaced files wait for them."""

import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.errors import StoreReadOnlyError
from pegcount.model import Retention
from pegcount.store import EmbeddedStore
from pegcount.store.catalog import Catalog
from pegcount.store.readers import reading
from pegcount.store.replaced_files import ReplacedFiles
from pegcount.store.snapshot import back_up, open_snapshot
from waiting import wait_until

from store_tests.store_fixtures import (
    MANUAL_MAINTENANCE,
    StoreHarness,
    active,
    batch,
    finished,
    session_ids,
    write,
)
from store_tests.test_snapshot import snapshot_session_ids

_READ_COUNT = 50
_TIGHT = Config(seal_row_count=1, seal_age_seconds=0.0, active_copy_row_count=10**6, maintenance_seconds=0.0)
"""A store that flushes, copies its active sessions and compacts without a pause."""


def flush_and_compact(harness: StoreHarness) -> None:
    """Replaces the active snapshot and the journal, then segments."""
    for number in range(2):
        write(harness.store, finished(f"more {number}"))
        harness.flush()
    harness.maintain()


def compaction_leaves_one_segment(harness: StoreHarness) -> bool:
    return len(list(harness.directory.glob("segments/*/*"))) == 1


def test_replaced_files_wait_until_no_reader_is_in(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"), active("b"))
        harness.flush()
        with reading(harness.directory):
            before = [*harness.files(), *map(str, harness.journal())]
            flush_and_compact(harness)
            assert set(before) <= {*harness.files(), *map(str, harness.journal())}
        harness.maintain()
        assert compaction_leaves_one_segment(harness)
        assert (len(harness.files()), len(harness.journal())) == (2, 1)
        assert session_ids(harness.store) == ["a", "b", "more 0", "more 1"]


def test_files_of_dropped_days_wait_too(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"))
        harness.flush()
        segment = harness.segment()
        with reading(harness.directory):
            harness.now_us += 5 * 86_400 * 1_000_000
            harness.store.set_retention(Retention(days=1))
            assert (session_ids(harness.store), segment.exists()) == ([], True)
        harness.maintain()
        assert not segment.exists()


def test_a_start_removes_no_file_that_a_reader_needs(tmp_path: Path) -> None:
    """The owner ends and starts again while a reader is in; the next file gets another number."""
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"))
        harness.flush()
        segment = harness.segment()
        content = segment.read_bytes()
        with reading(harness.directory):
            harness.now_us += 5 * 86_400 * 1_000_000
            harness.store.set_retention(Retention(days=1))
            harness.store.set_retention(Retention())
            harness.reopen()
            write(harness.store, finished("b"))
            harness.flush()
            assert segment.read_bytes() == content
        harness.maintain()
        assert (segment.exists(), session_ids(harness.store)) == (False, ["b"])
        harness.reopen()
        assert session_ids(harness.store) == ["b"]


def test_a_long_journal_that_waits_for_readers_causes_no_further_flushes(tmp_path: Path) -> None:
    config = replace(MANUAL_MAINTENANCE, journal_bytes_max=100, seal_age_seconds=3_600.0)
    with StoreHarness(tmp_path / "data", config) as harness:
        write(harness.store, finished("a"), active("b"))
        with reading(harness.directory):
            harness.maintain()
            present = harness.files()
            for _ in range(3):
                harness.maintain()
            assert harness.files() == present
        harness.maintain()
        assert len(harness.journal()) == 1


@pytest.mark.parametrize("remove", [lambda path: path.unlink(), lambda path: None])
def test_a_directory_without_the_lock_can_be_read(remove: Callable[[Path], None], tmp_path: Path) -> None:
    """An older directory has no file of the lock."""
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"))
    assert (harness.directory / "readers").stat().st_mode & 0o777 == 0o600
    remove(harness.directory / "readers")
    assert snapshot_session_ids(open_snapshot(harness.directory, MANUAL_MAINTENANCE)) == ["a"]
    back_up(harness.directory, tmp_path / "backup")


READER = """
import sys
from pathlib import Path
from pegcount.store.readers import reading

with reading(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_a_stalled_reader_is_logged_and_its_death_ends_the_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with StoreHarness(tmp_path, MANUAL_MAINTENANCE):
        now = 0.0
        waiting = ReplacedFiles(tmp_path, 600.0, lambda: now)
        replaced = [tmp_path / "a", tmp_path / "b"]
        for path in replaced:
            path.touch()
        command = [sys.executable, "-c", READER, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "in\n"
            os.kill(reader.pid, signal.SIGSTOP)
            waiting.remove(replaced)
            with caplog.at_level(logging.WARNING):
                for now in (0.0, 599.0, 600.0, 1_199.0, 1_200.0):  # noqa: B007
                    waiting.remove_waiting()
            reader.kill()
        assert [record.getMessage().rpartition(" until")[0] for record in caplog.records] == [
            f"2 replaced files have waited for {seconds} s" for seconds in (600, 1_200)
        ]
        assert all(path.exists() for path in replaced)
        waiting.remove_waiting()
        assert not any(path.exists() for path in replaced)
        waiting.close()


@contextmanager
def written_without_pause(store: EmbeddedStore) -> Iterator[list[int]]:
    """Writes numbered records, each in a batch of its own; yields the list of acknowledged numbers."""
    acknowledged, stop = list[int](), threading.Event()

    def write_all() -> None:
        while not stop.is_set():
            number = len(acknowledged)
            # Every fifth is an active session, which the active snapshot has.
            record = active(f"{number:06}") if number % 5 == 0 else finished(f"{number:06}")
            store.write(batch(record))
            acknowledged.append(number)

    writer = threading.Thread(target=write_all)
    writer.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        writer.join()


def opened(directory: Path, _: Path) -> list[str]:
    return snapshot_session_ids(open_snapshot(directory, MANUAL_MAINTENANCE))


def backed_up(directory: Path, target: Path) -> list[str]:
    back_up(directory, target)
    return snapshot_session_ids(open_snapshot(target, MANUAL_MAINTENANCE))


@pytest.mark.parametrize("read", [opened, backed_up])
def test_readers_beside_a_store_that_flushes_and_compacts_without_a_pause(
    read: Callable[[Path, Path], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read sees every batch acknowledged before it, without a gap, and reads the catalogue once."""
    reads = list[Path]()
    real_init = Catalog.__init__

    def count(catalog: Catalog, directory: Path, *, read_only: bool = False) -> None:
        reads.append(directory)
        real_init(catalog, directory, read_only=read_only)

    data = tmp_path / "data"
    with (
        closing(EmbeddedStore(data, _TIGHT, create=True, clock=lambda: 1_774_800_000_000_000)) as store,
        written_without_pause(store) as acknowledged,
    ):
        monkeypatch.setattr(Catalog, "__init__", count)
        for number in range(_READ_COUNT):
            wait_until(partial(has_more_than, acknowledged, 3 * number), look_seconds=0.001)
            known = len(acknowledged)
            found = read(data, tmp_path / f"backup{number}")
            assert len(found) >= known
            assert found == [f"{each:06}" for each in range(len(found))]
    assert reads.count(data) == _READ_COUNT


def has_more_than(acknowledged: list[int], count: int) -> bool:
    return len(acknowledged) > count


def test_a_failed_removal_is_tried_again_and_fails_no_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"), active("b"))
        harness.flush()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", fail)
            write(harness.store, finished("c"))
            harness.flush()
            with pytest.raises(OSError, match="Input/output error"):
                harness.maintain()
        harness.maintain()
        assert (len(harness.files()), len(harness.journal())) == (2, 1)
        assert session_ids(harness.store) == ["a", "b", "c"]


def test_a_journal_file_lost_while_a_reader_is_in_stops_writes_no_longer_than_its_records_are_unwritten(
    tmp_path: Path,
) -> None:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"), active("b"))
        with reading(harness.directory):
            harness.journal()[-1].unlink()
            with pytest.raises(StoreReadOnlyError, match="was removed"):
                harness.store.write(batch(finished("refused")))
            harness.maintain()
            assert harness.store.write_fault is None
            write(harness.store, finished("c"))
            present = [*harness.files(), *harness.journal()]
            for _ in range(3):
                harness.maintain()
            assert [*harness.files(), *harness.journal()] == present
        harness.reopen()
        assert {"a", "b", "c"} <= set(session_ids(harness.store))


def test_one_file_that_cannot_be_removed_stops_no_other_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def fail_for_segments(path: Path, missing_ok: bool = False) -> None:
        if path == stuck:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        unlink(path, missing_ok)

    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("a"), active("b"))
        harness.flush()
        (stuck,) = harness.directory.glob("active/*")
        monkeypatch.setattr(Path, "unlink", fail_for_segments)
        flush_and_compact_with_failures(harness)
        assert (compaction_leaves_one_segment(harness), len(harness.journal())) == (True, 1)
        assert [path.name for path in harness.directory.glob("active/*")].count(stuck.name) == 1
        monkeypatch.undo()
        harness.maintain()
        assert not stuck.exists()


def flush_and_compact_with_failures(harness: StoreHarness) -> None:
    for _ in range(2):
        with pytest.raises(OSError, match="Permission denied"):
            flush_and_compact(harness)
