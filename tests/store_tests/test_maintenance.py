"""What a store does by itself: when it seals and merges, and that everything stays, once, meanwhile."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pegcount.errors import DataDamagedError, StoreReadOnlyError
from pegcount.model import OneOf, Present, Retention

from store_tests.store_fixtures import BY_HAND, DAY_S, SETUP_S, Reopening, active, finished, names, write

STILL_ACTIVE = [Present("end_time", wanted=False)]
NEW = [OneOf("folder", ("new",))]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Reopening]:
    with Reopening(tmp_path / "store", BY_HAND) as reopening:
        yield reopening


def configured(held: Reopening, **settings: Any) -> None:
    held.config = replace(BY_HAND, **settings)
    held.reopen()


def test_enough_rows_are_sealed(held: Reopening) -> None:
    configured(held, seal_row_count=3)
    write(held.store, finished("f1"), finished("f2"), active("a1"), active("a2"))
    held.store.maintain()
    assert held.store.info().segments == 0
    write(held.store, finished("f3"))
    held.store.maintain()
    info = held.store.info()
    assert (info.segments, info.unsealed_records, info.active_records) == (1, 2, 2)
    held.reopen()
    assert names(held.store) == ["a1", "a2", "f1", "f2", "f3"]


def test_rows_are_sealed_at_an_age_however_few(held: Reopening) -> None:
    configured(held, seal_age_seconds=0.0)
    write(held.store, active("a1"))
    held.store.maintain()
    # Active sessions alone are no reason.
    assert held.files() == []
    write(held.store, finished("f1"))
    held.store.maintain()
    assert held.store.info().segments == 1
    known = held.files()
    held.store.maintain()
    assert held.files() == known


def test_a_long_journal_is_sealed_and_emptied_even_of_active_sessions_alone(held: Reopening) -> None:
    configured(held, journal_bytes_max=10_000, active_copy_row_count=0)
    known, number = held.journal(), 0
    while held.files() == []:
        write(held.store, active(f"a{number}"))
        held.store.maintain()
        number += 1
    assert number > 1
    assert [Path(name).parent.name for name in held.files()] == ["active"]
    assert len(held.journal()) == 1
    assert set(held.journal()).isdisjoint(known)
    held.reopen()
    assert held.store.info().active_records == number


def test_a_journal_that_is_long_as_the_store_opens_is_emptied_too(held: Reopening) -> None:
    for number in range(4):
        write(held.store, active(f"a{number}"))
    configured(held, journal_bytes_max=10_000)
    held.store.maintain()
    assert sum(path.stat().st_size for path in held.journal()) < 100
    held.reopen()
    assert names(held.store) == ["a0", "a1", "a2", "a3"]


def test_many_active_sessions_are_not_copied_by_each_seal(held: Reopening) -> None:
    configured(held, seal_row_count=1, active_copy_row_count=1)
    write(held.store, active("a1"), active("a2"), finished("f1"))
    held.store.maintain()
    assert [Path(name).parent.name for name in held.files()] == ["2026-03-29"]
    # The journal alone has the active sessions.
    assert len(held.journal()) == 1
    write(held.store, finished("a1"))
    held.store.maintain()
    assert sorted(Path(name).parent.name for name in held.files()) == ["2026-03-29", "active"]
    held.reopen()
    assert names(held.store) == ["a1", "a2", "f1"]


def test_a_thread_does_it_now_and_then(tmp_path: Path) -> None:
    config = replace(BY_HAND, maintenance_seconds=0.01, seal_row_count=1)
    with Reopening(tmp_path, config) as held:
        write(held.store, finished("f1"))
        until(lambda: held.store.info().segments == 1)
        # Of another day: two small segments of one day would soon be one.
        write(held.store, finished("f2", SETUP_S + DAY_S))
        until(lambda: held.store.info().segments == 2)
        assert names(held.store) == ["f1", "f2"]


def test_the_thread_goes_on_after_a_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = replace(BY_HAND, maintenance_seconds=0.01, seal_row_count=1)
    with Reopening(tmp_path, config) as held:
        (held.directory / "segments").touch()
        write(held.store, finished("f1"))
        until(lambda: len(caplog.records) > 0)
        assert "background work failed and will be tried again" in caplog.text
        (held.directory / "segments").unlink()
        until(lambda: held.store.info().segments == 1)


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_segment_has_at_most_so_many_rows(held: Reopening) -> None:
    configured(held, segment_row_count_max=3)
    write(held.store, *(finished(f"f{i}", SETUP_S + i) for i in range(7)), finished("g", SETUP_S + DAY_S))
    held.flush()
    assert len(list(held.directory.glob("segments/2026-03-29/*"))) == 3
    assert len(list(held.directory.glob("segments/2026-03-30/*"))) == 1
    held.store.maintain()
    held.reopen()
    assert names(held.store) == [*(f"f{i}" for i in range(7)), "g"]


def small_segments(held: Reopening, count: int, setup_s: int = SETUP_S) -> list[str]:
    """Seals segments of two records each; gives the names of the records."""
    ids = [[f"{setup_s}/{number}/{i}" for i in (0, 1)] for number in range(count)]
    for pair in ids:
        write(held.store, *(finished(session_id, setup_s) for session_id in pair))
        held.flush()
    return [session_id for pair in ids for session_id in pair]


def test_many_small_segments_of_a_day_become_one(held: Reopening) -> None:
    found = small_segments(held, 5) + small_segments(held, 2, SETUP_S + DAY_S)
    assert held.store.info().segments == 7
    held.store.maintain()
    for _ in range(2):
        assert held.store.info().segments == 2
        assert [Path(name).parent.name for name in held.files()] == ["2026-03-29", "2026-03-30"]
        assert sorted(names(held.store)) == sorted(found)
        held.reopen()
    held.store.maintain()
    assert held.store.info().segments == 2


def test_merging_never_makes_a_segment_of_too_many_rows(held: Reopening) -> None:
    found = small_segments(held, 9)
    configured(held, segment_row_count_max=8)
    held.store.maintain()
    # Two of eight rows, and one that has none to go with.
    assert held.store.info().segments == 3
    assert sorted(names(held.store)) == sorted(found)


def test_rows_replaced_before_and_after_merging_stay_replaced(held: Reopening) -> None:
    found = small_segments(held, 4)
    write(held.store, *(finished(name, revision=1, folder="new") for name in found[:2]))
    held.flush()
    write(held.store, finished(found[2], revision=1, folder="new"))
    held.store.maintain()
    assert held.store.info().segments < 5
    write(held.store, finished(found[3], revision=1, folder="new"))
    for step in (held.reopen, held.maintain, held.flush_and_reopen, held.maintain):
        step()
        assert sorted(names(held.store)) == sorted(found)
        assert sorted(names(held.store, NEW)) == sorted(found[:4])
    again = [finished(name) for name in found] + [
        finished(name, revision=1, folder="new") for name in found[:4]
    ]
    assert write(held.store, *again) == (0, 0, len(again))


def test_a_segment_of_which_many_rows_were_replaced_is_written_anew(held: Reopening) -> None:
    write(held.store, *(finished(f"f{i}") for i in range(8)))
    held.flush()
    write(held.store, *(finished(f"f{i}", SETUP_S + DAY_S, revision=1) for i in range(3)))
    first = held.segment()
    held.flush()
    held.store.maintain()
    assert not first.exists()
    assert held.segment().stat().st_size < 2 * held.segment("2026-03-30").stat().st_size
    held.reopen()
    assert sorted(names(held.store)) == [f"f{i}" for i in range(8)]


def test_a_damaged_segment_keeps_neither_merges_nor_retention_from_their_turn(held: Reopening) -> None:
    small_segments(held, 1, SETUP_S - 9 * DAY_S)
    for number in range(6):
        # Texts that fill more than the pages that are checked as the file is opened.
        write(held.store, *(finished(f"{number}/{i}".ljust(250, "x")) for i in range(1_000)))
        held.flush()
    held.store.close()
    path = min(held.directory.glob("segments/2026-03-29/*"))
    whole = path.read_bytes()
    assert whole.count(b"0/500x") == 1
    path.write_bytes(whole.replace(b"0/500x", b"0/501x"))
    held.reopen()
    held.store._maintenance.retention = Retention(days=2)
    with pytest.raises(DataDamagedError, match=path.name):
        held.store.maintain()
    assert [Path(name).parent.name for name in held.files()] == ["2026-03-29"] * 6
    # From now on the segment is known to be damaged.
    held.store.maintain()
    assert len(held.files()) == 2
    assert path.exists()


def test_a_segment_of_which_all_rows_were_replaced_goes(held: Reopening) -> None:
    write(held.store, finished("f1"))
    held.flush()
    write(held.store, finished("f1", SETUP_S + DAY_S, revision=1))
    held.flush()
    held.store.maintain()
    for _ in range(2):
        assert (held.store.info().segments, held.store.info().records) == (1, 1)
        assert [Path(name).parent.name for name in held.files()] == ["2026-03-30"]
        held.reopen()


class Watched:
    """Passes calls on, and says when each begins and ends."""

    def __init__(self, inner: Any, see: Callable[[str], None]) -> None:
        self._inner = inner
        self._see = see

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._call(name, found) if callable(found) else found

    def _call(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            self._see(f"before {name}")
            result = function(*arguments, **more)
            self._see(f"after {name}")
            return result

        return call


@contextlib.contextmanager
def watched(held: Reopening, see: Callable[[str], None]) -> Iterator[None]:
    """Lets `see` look at each step that the background work of a store takes."""
    maintenance: Any = held.store._maintenance
    good = maintenance._engine, maintenance._catalog
    maintenance._engine, maintenance._catalog = (Watched(inner, see) for inner in good)
    yield
    maintenance._engine, maintenance._catalog = good


def copies_at_each_step(held: Reopening, work: Callable[[], None]) -> list[Path]:
    """Copies of the directory as a crash would leave it, at each step of some work."""
    copies: list[Path] = []

    def see(step: str) -> None:
        copies.append(held.directory.parent / f"{len(copies)} {step}")
        shutil.copytree(held.directory, copies[-1])

    with watched(held, see):
        work()
    return copies


WORK: dict[str, Callable[[Reopening], None]] = {
    "seal": Reopening.flush,
    "seal without the active sessions": Reopening.flush_without_the_active_sessions,
    "merge": Reopening.maintain,
}


def several_of_each(held: Reopening) -> None:
    """Records that are sealed, replaced since, ended since, and active, in segments enough to merge."""
    small_segments(held, 3)
    write(held.store, finished("f1"), finished("f2"), active("a1"), active("a2"))
    held.flush()
    write(held.store, finished("f1", revision=1, folder="new"), finished("a1"), active("a3"))
    write(held.store, finished("f3", SETUP_S + DAY_S))


@pytest.mark.parametrize("work", WORK)
def test_a_crash_at_any_step_leaves_everything_once(work: str, held: Reopening) -> None:
    several_of_each(held)
    copies = copies_at_each_step(held, lambda: WORK[work](held))
    assert len(copies) > 6
    check_several_of_each(held)
    for copy in copies:
        with Reopening(copy, BY_HAND) as crashed:
            check_several_of_each(crashed)


def check_several_of_each(held: Reopening) -> None:
    """Checks that each record is held once, now, and after a merge, a seal, and opening again."""
    small = [f"{SETUP_S}/{number}/{i}" for number in range(3) for i in (0, 1)]
    for step in (None, held.maintain, held.flush, held.reopen, held.maintain):
        if step is not None:
            step()
        assert sorted(names(held.store)) == [*small, "a1", "a2", "a3", "f1", "f2", "f3"]
        assert names(held.store, NEW) == ["f1"]
        assert names(held.store, STILL_ACTIVE) == ["a2", "a3"]
        assert held.store.info().records == 12


class FailingError(Exception):
    """Stands for whatever may go wrong."""


STEPS_OF_A_SEAL = [
    "before begin_flush",
    "before write_flush",
    "after write_flush",
    "after write_active_snapshot",
    "before commit_segments",
]


@pytest.mark.parametrize("with_active", [True, False])
@pytest.mark.parametrize("failing", STEPS_OF_A_SEAL)
def test_what_a_failed_seal_left_the_next_one_takes_up(
    failing: str, with_active: bool, held: Reopening
) -> None:
    several_of_each(held)
    known = held.files()
    with watched(held, lambda step: fail_at(step, failing)):
        for _ in range(2):
            with pytest.raises(FailingError):
                held.store._maintenance.flush(with_active=with_active)
            assert set(known) <= set(held.files())
    write(held.store, active("f3", SETUP_S + DAY_S), active("a3", answer_time=None))
    check_several_of_each(held)
    assert held.store.info().unsealed_records == 2


def fail_at(step: str, failing: str) -> None:
    if step == failing:
        raise FailingError


@pytest.mark.parametrize("name", ["segments", "active"])
def test_a_seal_that_finds_no_place_for_its_files(name: str, held: Reopening) -> None:
    (held.directory / name).touch()
    write(held.store, finished("f1"), active("a1"))
    for _ in range(2):
        with pytest.raises(OSError, match=name):
            held.flush()
        assert names(held.store) == ["a1", "f1"]
        write(held.store, finished("f1", revision=1, folder="new"))
    (held.directory / name).unlink()
    held.flush_and_reopen()
    assert (names(held.store), names(held.store, NEW)) == (["a1", "f1"], ["f1"])
    assert held.store.info().unsealed_records == 1


@pytest.mark.parametrize(
    "step", ["after begin_flush", "after write_flush", "before commit_segments", "before install"]
)
@pytest.mark.parametrize("with_active", [True, False])
def test_what_comes_while_a_seal_is_under_way_counts(step: str, with_active: bool, held: Reopening) -> None:
    several_of_each(held)
    write(held.store, *(active(f"later {i}") for i in range(3)), finished("g1"), finished("g2"))
    with watched(held, lambda found: write_meanwhile(held) if found == step else None):
        held.store._maintenance.flush(with_active=with_active)
    check_written_meanwhile(held)
    held.reopen()
    check_written_meanwhile(held)
    held.flush_and_reopen()
    check_written_meanwhile(held)


def write_meanwhile(held: Reopening) -> None:
    """Ends sessions, replaces what is sealed and what is being sealed, opens a finished one again."""
    write(held.store, finished("later 0"), finished("later 1", folder="new"), active("later 3"))
    write(held.store, finished("f2", revision=1, folder="new"), finished("g1", revision=1, folder="new"))
    write(held.store, finished("f1", revision=1, folder="new"), finished("g3"))


def check_written_meanwhile(held: Reopening) -> None:
    small = [f"{SETUP_S}/{number}/{i}" for number in range(3) for i in (0, 1)]
    others = ["a1", "a2", "a3", "f1", "f2", "f3", "g1", "g2", "g3", *(f"later {i}" for i in range(4))]
    assert sorted(names(held.store)) == sorted([*small, *others])
    assert sorted(names(held.store, NEW)) == ["f1", "f2", "g1", "later 1"]
    assert sorted(names(held.store, STILL_ACTIVE)) == ["a2", "a3", "later 2", "later 3"]


@pytest.mark.parametrize("flush", [Reopening.flush, Reopening.flush_without_the_active_sessions])
def test_a_version_without_an_end_leaves_a_sealed_record_finished(
    flush: Callable[[Reopening], None], held: Reopening
) -> None:
    write(held.store, finished("x"))
    flush(held)
    assert write(held.store, active("x", revision=1, folder="new")) == (0, 1, 0)
    for _ in range(2):
        assert (names(held.store, NEW), names(held.store, STILL_ACTIVE)) == (["x"], [])
        flush(held)
        held.reopen()


@pytest.mark.parametrize("work", WORK)
def test_a_commit_whose_end_could_not_be_told_is_made_again(work: str, held: Reopening) -> None:
    """The transaction may be in the file though its flush failed: whatever it names must stay."""
    several_of_each(held)
    copies: list[Path] = []

    def fail_after_commit(step: str) -> None:
        if step == "after commit_segments":
            copies.append(shutil.copytree(held.directory, held.directory.parent / f"{len(copies)}"))
            raise StoreReadOnlyError(step)

    with watched(held, fail_after_commit), pytest.raises(StoreReadOnlyError):
        WORK[work](held)
    copies.append(shutil.copytree(held.directory, held.directory.parent / "later"))
    for copy in copies:
        with Reopening(copy, BY_HAND) as crashed:
            check_several_of_each(crashed)


def test_files_of_failed_seals_go_once_one_succeeds(tmp_path: Path) -> None:
    config = replace(BY_HAND, maintenance_seconds=0.01, seal_row_count=1)
    with Reopening(tmp_path, config) as held:
        fails = [True, True]

        def fail_twice(step: str) -> None:
            if step == "before commit_segments" and fails:
                fails.pop()
                raise FailingError

        with watched(held, fail_twice):
            write(held.store, finished("f1"), active("a1"))
            until(lambda: held.store.info().segments == 1)
        until(lambda: len(held.files()) == 2)
        assert names(held.store) == ["a1", "f1"]
