"""Background maintenance: when the store flushes and compacts, and that no record is lost or doubled
meanwhile."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pegcount.errors import DataDamagedError, StoreReadOnlyError
from pegcount.model import OneOf, Present, Retention
from pegcount.store import write_faults
from waiting import wait_until

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

WITHOUT_END = [Present("end_time", wanted=False)]
NEW = [OneOf("folder", ("new",))]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        yield harness


def reopen_with(harness: StoreHarness, **settings: Any) -> None:
    harness.config = replace(MANUAL_MAINTENANCE, **settings)
    harness.reopen()


def test_a_row_count_triggers_a_flush(harness: StoreHarness) -> None:
    reopen_with(harness, seal_row_count=3)
    write(harness.store, finished("f1"), finished("f2"), active("a1"), active("a2"))
    harness.store.maintain()
    assert harness.store.info().segments == 0
    write(harness.store, finished("f3"))
    harness.store.maintain()
    info = harness.store.info()
    assert (info.segments, info.unsealed_records, info.active_records) == (1, 2, 2)
    harness.reopen()
    assert session_ids(harness.store) == ["a1", "a2", "f1", "f2", "f3"]


def test_an_age_triggers_a_flush(harness: StoreHarness) -> None:
    reopen_with(harness, seal_age_seconds=0.0)
    write(harness.store, active("a1"))
    harness.store.maintain()
    # Active sessions alone do not trigger a flush by age.
    assert harness.files() == []
    write(harness.store, finished("f1"))
    harness.store.maintain()
    assert harness.store.info().segments == 1
    known = harness.files()
    harness.store.maintain()
    assert harness.files() == known


def test_a_long_journal_of_active_sessions_triggers_a_flush(harness: StoreHarness) -> None:
    reopen_with(harness, journal_bytes_max=10_000, active_copy_row_count=0)
    known, number = harness.journal(), 0
    while harness.files() == []:
        write(harness.store, active(f"a{number}"))
        harness.store.maintain()
        number += 1
    assert number > 1
    assert [Path(name).parent.name for name in harness.files()] == ["active"]
    assert len(harness.journal()) == 1
    assert set(harness.journal()).isdisjoint(known)
    harness.reopen()
    assert harness.store.info().active_records == number


def test_a_journal_that_is_long_at_opening_triggers_a_flush(harness: StoreHarness) -> None:
    for number in range(4):
        write(harness.store, active(f"a{number}"))
    reopen_with(harness, journal_bytes_max=10_000)
    harness.store.maintain()
    assert sum(path.stat().st_size for path in harness.journal()) < 100
    harness.reopen()
    assert session_ids(harness.store) == ["a0", "a1", "a2", "a3"]


def test_many_active_sessions_are_not_copied_at_each_flush(harness: StoreHarness) -> None:
    reopen_with(harness, seal_row_count=1, active_copy_row_count=1)
    write(harness.store, active("a1"), active("a2"), finished("f1"))
    harness.store.maintain()
    assert [Path(name).parent.name for name in harness.files()] == ["2026-03-29"]
    # The active sessions are in the journal alone.
    assert len(harness.journal()) == 1
    write(harness.store, finished("a1"))
    harness.store.maintain()
    assert sorted(Path(name).parent.name for name in harness.files()) == ["2026-03-29", "active"]
    harness.reopen()
    assert session_ids(harness.store) == ["a1", "a2", "f1"]


def test_a_background_thread_runs_maintenance(tmp_path: Path) -> None:
    config = replace(MANUAL_MAINTENANCE, maintenance_seconds=0.01, seal_row_count=1)
    with StoreHarness(tmp_path, config) as harness:
        write(harness.store, finished("f1"))
        wait_until(lambda: harness.store.info().segments == 1)
        # On another day, since two small segments of one day would be compacted into one.
        write(harness.store, finished("f2", SETUP_S + DAY_S))
        wait_until(lambda: harness.store.info().segments == 2)
        assert session_ids(harness.store) == ["f1", "f2"]


def test_the_background_thread_survives_a_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = replace(MANUAL_MAINTENANCE, maintenance_seconds=0.01, seal_row_count=1)
    with StoreHarness(tmp_path, config) as harness:
        (harness.directory / "segments").touch()
        write(harness.store, finished("f1"))
        wait_until(lambda: "background work failed and will be tried again" in caplog.text)
        (harness.directory / "segments").unlink()
        wait_until(lambda: harness.store.info().segments == 1)


def test_a_store_that_cannot_flush_says_why_once_memory_is_full(harness: StoreHarness) -> None:
    reopen_with(harness, unsealed_row_count_max=1)
    (harness.directory / "segments").touch()
    write(harness.store, finished("f1"))
    with pytest.raises(OSError, match="Not a directory"):
        harness.flush()
    assert harness.store.write_fault is None
    write(harness.store, finished("f2"))
    why = "2 records wait to be sealed, more than unsealed_row_count_max (1), and to seal them failed: "
    assert (harness.store.write_fault or "").startswith(f"{why}segments/")
    with pytest.raises(StoreReadOnlyError, match="to seal them failed"):
        write(harness.store, finished("f3"))
    (harness.directory / "segments").unlink()
    harness.flush()
    assert harness.store.write_fault is None
    write(harness.store, finished("f3"))


def test_background_work_that_fails_for_the_disk_logs_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(MANUAL_MAINTENANCE, maintenance_seconds=0.01, seal_row_count=1)
    with StoreHarness(tmp_path, config) as harness:
        (harness.directory / "segments").touch()
        write(harness.store, finished("f1"))
        wait_until(lambda: "background work failed" in caplog.text)
        (harness.directory / "segments").unlink()
    (failed, *_) = (record for record in caplog.records if "background work" in record.getMessage())
    assert failed.exc_info is None


def test_a_store_on_a_full_disk_says_so_before_its_first_batch(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    reopen_with(harness)
    assert harness.store.write_fault is None
    monkeypatch.setattr(write_faults, "free_bytes", lambda _: 1_000)
    assert harness.store.write_fault == (
        "the disk has 1000 bytes free, less than trial_write_bytes_min (1048576)"
    )


def test_segments_respect_the_row_limit(harness: StoreHarness) -> None:
    reopen_with(harness, segment_row_count_max=3)
    write(harness.store, *(finished(f"f{i}", SETUP_S + i) for i in range(7)), finished("g", SETUP_S + DAY_S))
    harness.flush()
    assert len(list(harness.directory.glob("segments/2026-03-29/*"))) == 3
    assert len(list(harness.directory.glob("segments/2026-03-30/*"))) == 1
    harness.store.maintain()
    harness.reopen()
    assert session_ids(harness.store) == [*(f"f{i}" for i in range(7)), "g"]


def flush_small_segments(harness: StoreHarness, count: int, setup_s: int = SETUP_S) -> list[str]:
    """Flushes `count` segments of two records each and returns their session ids."""
    ids = [[f"{setup_s}/{number}/{i}" for i in (0, 1)] for number in range(count)]
    for pair in ids:
        write(harness.store, *(finished(session_id, setup_s) for session_id in pair))
        harness.flush()
    return [session_id for pair in ids for session_id in pair]


def test_small_segments_of_a_day_are_compacted(harness: StoreHarness) -> None:
    found = flush_small_segments(harness, 5) + flush_small_segments(harness, 2, SETUP_S + DAY_S)
    assert harness.store.info().segments == 7
    harness.store.maintain()
    for _ in range(2):
        assert harness.store.info().segments == 2
        assert [Path(name).parent.name for name in harness.files()] == ["2026-03-29", "2026-03-30"]
        assert sorted(session_ids(harness.store)) == sorted(found)
        harness.reopen()
    harness.store.maintain()
    assert harness.store.info().segments == 2


def test_compaction_respects_the_row_limit(harness: StoreHarness) -> None:
    found = flush_small_segments(harness, 9)
    reopen_with(harness, segment_row_count_max=8)
    harness.store.maintain()
    # Two segments of eight rows, and one of two rows without a partner.
    assert harness.store.info().segments == 3
    assert sorted(session_ids(harness.store)) == sorted(found)


def test_tombstones_survive_compaction(harness: StoreHarness) -> None:
    found = flush_small_segments(harness, 4)
    write(harness.store, *(finished(name, revision=1, folder="new") for name in found[:2]))
    harness.flush()
    write(harness.store, finished(found[2], revision=1, folder="new"))
    harness.store.maintain()
    assert harness.store.info().segments < 5
    write(harness.store, finished(found[3], revision=1, folder="new"))
    for step in (harness.reopen, harness.maintain, harness.flush_and_reopen, harness.maintain):
        step()
        assert sorted(session_ids(harness.store)) == sorted(found)
        assert sorted(session_ids(harness.store, NEW)) == sorted(found[:4])
    again = [finished(name) for name in found] + [
        finished(name, revision=1, folder="new") for name in found[:4]
    ]
    assert write(harness.store, *again) == (0, 0, len(again))


def test_a_segment_with_many_tombstones_is_rewritten(harness: StoreHarness) -> None:
    write(harness.store, *(finished(f"f{i}") for i in range(8)))
    harness.flush()
    write(harness.store, *(finished(f"f{i}", SETUP_S + DAY_S, revision=1) for i in range(3)))
    first = harness.segment()
    harness.flush()
    harness.store.maintain()
    assert not first.exists()
    assert harness.segment().stat().st_size < 2 * harness.segment("2026-03-30").stat().st_size
    harness.reopen()
    assert sorted(session_ids(harness.store)) == [f"f{i}" for i in range(8)]


def test_a_damaged_segment_blocks_neither_compaction_nor_retention(harness: StoreHarness) -> None:
    flush_small_segments(harness, 1, SETUP_S - 9 * DAY_S)
    for number in range(6):
        # Texts that fill more pages than the ones checked when the file is opened.
        write(harness.store, *(finished(f"{number}/{i}".ljust(250, "x")) for i in range(1_000)))
        harness.flush()
    harness.store.close()
    path = min(harness.directory.glob("segments/2026-03-29/*"))
    whole = path.read_bytes()
    assert whole.count(b"0/500x") == 1
    path.write_bytes(whole.replace(b"0/500x", b"0/501x"))
    harness.reopen()
    harness.store.set_retention(Retention(days=30))
    assert len(harness.files()) == 7
    # The first of the days grows too old for a store that still takes records.
    harness.now_us += 22 * DAY_S * 1_000_000
    write(harness.store, finished("late", SETUP_S + 22 * DAY_S))
    with pytest.raises(DataDamagedError, match=path.name):
        harness.store.maintain()
    assert [Path(name).parent.name for name in harness.files()] == ["2026-03-29"] * 6
    # The second run knows that the segment is damaged and skips it.
    harness.store.maintain()
    assert len(harness.files()) == 2
    assert path.exists()


def test_a_segment_of_tombstones_alone_is_removed(harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    harness.flush()
    write(harness.store, finished("f1", SETUP_S + DAY_S, revision=1))
    harness.flush()
    harness.store.maintain()
    for _ in range(2):
        assert (harness.store.info().segments, harness.store.info().records) == (1, 1)
        assert [Path(name).parent.name for name in harness.files()] == ["2026-03-30"]
        harness.reopen()


def copy_at_each_step(harness: StoreHarness, work: Callable[[], None]) -> list[Path]:
    """Copies the directory before and after each step of `work`, as a crash there would leave it."""
    copies: list[Path] = []

    def on_step(step: str) -> None:
        copies.append(harness.directory.parent / f"{len(copies)} {step}")
        shutil.copytree(harness.directory, copies[-1])

    with intercept_steps(harness, on_step):
        work()
    return copies


WORK: dict[str, Callable[[StoreHarness], None]] = {
    "flush": StoreHarness.flush,
    "flush without active snapshot": StoreHarness.flush_without_active_snapshot,
    "compact": StoreHarness.maintain,
}


def write_mixed_records(harness: StoreHarness) -> None:
    """Writes flushed, replaced, ended and active records, in enough segments to compact."""
    flush_small_segments(harness, 3)
    write(harness.store, finished("f1"), finished("f2"), active("a1"), active("a2"))
    harness.flush()
    write(harness.store, finished("f1", revision=1, folder="new"), finished("a1"), active("a3"))
    write(harness.store, finished("f3", SETUP_S + DAY_S))


@pytest.mark.parametrize("work", WORK)
def test_a_crash_at_any_step_leaves_each_record_once(work: str, harness: StoreHarness) -> None:
    write_mixed_records(harness)
    copies = copy_at_each_step(harness, lambda: WORK[work](harness))
    assert len(copies) > 6
    check_mixed_records(harness)
    for copy in copies:
        with StoreHarness(copy, MANUAL_MAINTENANCE) as crashed:
            check_mixed_records(crashed)


def check_mixed_records(harness: StoreHarness) -> None:
    """Asserts that each record is stored once: now, and after compaction, a flush and reopening."""
    small = [f"{SETUP_S}/{number}/{i}" for number in range(3) for i in (0, 1)]
    for step in (None, harness.maintain, harness.flush, harness.reopen, harness.maintain):
        if step is not None:
            step()
        assert sorted(session_ids(harness.store)) == [*small, "a1", "a2", "a3", "f1", "f2", "f3"]
        assert session_ids(harness.store, NEW) == ["f1"]
        assert session_ids(harness.store, WITHOUT_END) == ["a2", "a3"]
        assert harness.store.info().records == 12


class InjectedError(Exception):
    """An arbitrary error that a test injects."""


FLUSH_STEPS = [
    "before begin_flush",
    "before write_flush",
    "after write_flush",
    "after write_active_snapshot",
    "before commit_segments",
]


@pytest.mark.parametrize("with_active", [True, False])
@pytest.mark.parametrize("failing", FLUSH_STEPS)
def test_a_flush_succeeds_after_failed_ones(failing: str, with_active: bool, harness: StoreHarness) -> None:
    write_mixed_records(harness)
    known = harness.files()
    with intercept_steps(harness, lambda step: fail_at(step, failing)):
        for _ in range(2):
            with pytest.raises(InjectedError):
                harness.store.flush(with_active=with_active)
            assert set(known) <= set(harness.files())
    write(harness.store, active("f3", SETUP_S + DAY_S), active("a3", answer_time=None))
    check_mixed_records(harness)
    assert harness.store.info().unsealed_records == 2


@contextlib.contextmanager
def failing_at(harness: StoreHarness, failing: str) -> Iterator[None]:
    """Fails the step of a flush in the block, which must fail for that."""
    with intercept_steps(harness, lambda step: fail_at(step, failing)), pytest.raises(InjectedError):
        yield


def fail_at(step: str, failing: str) -> None:
    if step == failing:
        raise InjectedError


@pytest.mark.parametrize("name", ["segments", "active"])
def test_a_flush_succeeds_once_its_folder_can_be_created(name: str, harness: StoreHarness) -> None:
    (harness.directory / name).touch()
    write(harness.store, finished("f1"), active("a1"))
    for _ in range(2):
        with pytest.raises(OSError, match=name):
            harness.flush()
        assert session_ids(harness.store) == ["a1", "f1"]
        write(harness.store, finished("f1", revision=1, folder="new"))
    (harness.directory / name).unlink()
    harness.flush_and_reopen()
    assert (session_ids(harness.store), session_ids(harness.store, NEW)) == (["a1", "f1"], ["f1"])
    assert harness.store.info().unsealed_records == 1


@pytest.mark.parametrize(
    "step", ["after begin_flush", "after write_flush", "before commit_segments", "before install"]
)
@pytest.mark.parametrize("with_active", [True, False])
def test_records_written_during_a_flush_count(step: str, with_active: bool, harness: StoreHarness) -> None:
    write_mixed_records(harness)
    write(harness.store, *(active(f"later {i}") for i in range(3)), finished("g1"), finished("g2"))
    with intercept_steps(harness, lambda found: write_concurrently(harness) if found == step else None):
        harness.store.flush(with_active=with_active)
    check_written_concurrently(harness)
    harness.reopen()
    check_written_concurrently(harness)
    harness.flush_and_reopen()
    check_written_concurrently(harness)


def write_concurrently(harness: StoreHarness) -> None:
    """Ends sessions, replaces flushed records and records being flushed, and reopens a finished one."""
    write(harness.store, finished("later 0"), finished("later 1", folder="new"), active("later 3"))
    write(harness.store, finished("f2", revision=1, folder="new"), finished("g1", revision=1, folder="new"))
    write(harness.store, finished("f1", revision=1, folder="new"), finished("g3"))


def check_written_concurrently(harness: StoreHarness) -> None:
    small = [f"{SETUP_S}/{number}/{i}" for number in range(3) for i in (0, 1)]
    others = ["a1", "a2", "a3", "f1", "f2", "f3", "g1", "g2", "g3", *(f"later {i}" for i in range(4))]
    assert sorted(session_ids(harness.store)) == sorted([*small, *others])
    assert sorted(session_ids(harness.store, NEW)) == ["f1", "f2", "g1", "later 1"]
    assert sorted(session_ids(harness.store, WITHOUT_END)) == ["a2", "a3", "later 2", "later 3"]


@pytest.mark.parametrize("flush", [StoreHarness.flush, StoreHarness.flush_without_active_snapshot])
def test_a_version_without_an_end_leaves_a_flushed_record_finished(
    flush: Callable[[StoreHarness], None], harness: StoreHarness
) -> None:
    write(harness.store, finished("x"))
    flush(harness)
    assert write(harness.store, active("x", revision=1, folder="new")) == (0, 1, 0)
    for _ in range(2):
        assert (session_ids(harness.store, NEW), session_ids(harness.store, WITHOUT_END)) == (["x"], [])
        flush(harness)
        harness.reopen()


@pytest.mark.parametrize("failing", [None, "before write_flush", "after write_active_snapshot"])
@pytest.mark.parametrize("is_flushed", [True, False], ids=["segment", "failed flush"])
def test_a_record_that_becomes_active_again_keeps_its_older_versions(
    is_flushed: bool, failing: str | None, harness: StoreHarness
) -> None:
    """The next flush must copy the session, as the journal has no older version of it."""
    write(harness.store, finished("x", answer_time=None, folder="new"))
    with contextlib.nullcontext() if is_flushed else failing_at(harness, "before write_flush"):
        harness.flush()
    # Its answer is after the end of the version of lower rank, which is therefore left out.
    late_us = (SETUP_S + 100) * 1_000_000
    later = active("x", revision=1, agent_id="late")
    later.answer_time.FromMicroseconds(late_us)
    assert write(harness.store, later) == (0, 1, 0)
    if failing is not None:
        with failing_at(harness, failing):
            harness.flush_without_active_snapshot()
    for _ in range(2):
        harness.flush_without_active_snapshot()
        harness.reopen_after_kill()
        assert session_ids(harness.store) == ["x"]
        assert session_ids(harness.store, [*WITHOUT_END, *NEW, OneOf("answer_time", (late_us,))]) == ["x"]
    assert write(harness.store, later) == (0, 0, 1)


@pytest.mark.parametrize("work", WORK)
def test_a_commit_of_unknown_outcome_keeps_its_files(work: str, harness: StoreHarness) -> None:
    """The transaction may be in the file although its flush failed, so the files that it names must stay."""
    write_mixed_records(harness)
    copies: list[Path] = []

    def fail_after_commit(step: str) -> None:
        if step == "after commit_segments":
            copies.append(shutil.copytree(harness.directory, harness.directory.parent / f"{len(copies)}"))
            raise StoreReadOnlyError(step)

    with intercept_steps(harness, fail_after_commit), pytest.raises(StoreReadOnlyError):
        WORK[work](harness)
    copies.append(shutil.copytree(harness.directory, harness.directory.parent / "later"))
    for copy in copies:
        with StoreHarness(copy, MANUAL_MAINTENANCE) as crashed:
            check_mixed_records(crashed)


def test_files_of_failed_flushes_are_removed_after_a_successful_one(tmp_path: Path) -> None:
    config = replace(MANUAL_MAINTENANCE, maintenance_seconds=0.01, seal_row_count=1)
    with StoreHarness(tmp_path, config) as harness:
        fails = [True, True]

        def fail_twice(step: str) -> None:
            if step == "before commit_segments" and fails:
                fails.pop()
                raise InjectedError

        with intercept_steps(harness, fail_twice):
            write(harness.store, finished("f1"), active("a1"))
            wait_until(lambda: harness.store.info().segments == 1)
        wait_until(lambda: len(harness.files()) == 2)
        assert session_ids(harness.store) == ["a1", "f1"]
