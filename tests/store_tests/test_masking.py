"""Masking: numbers of old days leave the files of a directory in the background, by the trusted time."""

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.privacy import Masking
from pegcount.store import EmbeddedStore, scrubber, scrubbing
from pegcount.store.check import check
from pegcount.store.snapshot import back_up, open_snapshot
from waiting import wait_until

from store_tests.empty_store import harness
from store_tests.party_files import files_with
from store_tests.steps import copies_at_each_change
from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    file_size_limit,
    finished,
    rows,
    write,
)

__all__ = ["harness"]

WHOLE = "+49 30 23125-001"
SHORT = "+49 30 23***-***"
US_PER_DAY = DAY_S * 1_000_000
TWO_DAYS = Masking(2, 6)


def write_days(harness: StoreHarness) -> None:
    """Writes calls and active sessions of today, which is a day after SETUP_S, and of three days before."""
    for day in range(4):
        setup_s = SETUP_S + (day - 2) * DAY_S
        write(harness.store, finished(f"segment {day}", setup_s, orig_src_party_id=WHOLE))
        write(harness.store, active(f"snapshot {day}", setup_s, orig_src_party_id=WHOLE))
        harness.flush()
        write(harness.store, finished(f"memory {day}", setup_s, orig_src_party_id=WHOLE))
        write(harness.store, active(f"live {day}", setup_s, orig_src_party_id=WHOLE))


def numbers(store: EmbeddedStore) -> dict[str, set[str]]:
    """The calling numbers of each day of `write_days`."""
    found: dict[str, set[str]] = {}
    for row in rows(store, "session_id", "orig_src_party_id"):
        found.setdefault(row.session_id[-1], set()).add(row.orig_src_party_id)
    return found


def expected(masked_days: int) -> dict[str, set[str]]:
    return {str(day): {SHORT if day < masked_days else WHOLE} for day in range(4)}


def days_with(directory: Path) -> set[str]:
    """Days of segments that have the whole number; `active` and `journal` for these files."""
    parts = [name.split("/") for name in files_with(directory, [WHOLE])]
    return {each[1] if each[0] == "segments" else each[0] for each in parts}


def test_files_of_old_days_lose_the_number(harness: StoreHarness) -> None:
    write_days(harness)
    harness.store.set_masking(TWO_DAYS)
    assert harness.store.masking_backlog() > 0
    harness.maintain()
    assert harness.store.masking_backlog() == 0
    for _ in range(2):
        assert numbers(harness.store) == expected(2)
        assert days_with(harness.directory) - {"active"} == {"2026-03-29", "2026-03-30"}
        assert check_problems(harness) == []


def check_problems(harness: StoreHarness) -> list[str]:
    harness.store.close()
    problems = check(harness.directory, MANUAL_MAINTENANCE).problems
    harness.store = harness.open()
    return problems


def test_each_day_that_ends_is_masked_and_rewritten_once(harness: StoreHarness) -> None:
    write_days(harness)
    harness.store.set_masking(TWO_DAYS)
    for _ in range(2):
        harness.maintain()
    for masked_days in (3, 4):
        before = set(harness.files())
        harness.now_us += US_PER_DAY
        harness.maintain()
        assert numbers(harness.store) == expected(masked_days)
        kept = {name for name in before if name.startswith("segments/")} & set(harness.files())
        assert len(kept) == 3
    harness.now_us += US_PER_DAY
    before = set(harness.files())
    harness.maintain()
    assert {name for name in before if name.startswith("segments/")} <= set(harness.files())
    assert days_with(harness.directory) == set()


def test_a_clock_that_jumps_masks_nothing_until_it_is_accepted(harness: StoreHarness) -> None:
    write_days(harness)
    harness.store.set_masking(TWO_DAYS)
    harness.maintain()
    harness.clock_error_us = 400 * US_PER_DAY
    harness.maintain()
    assert numbers(harness.store) == expected(2)
    harness.reopen()
    harness.maintain()
    assert numbers(harness.store) == expected(2)
    harness.store.accept_clock()
    harness.maintain()
    assert numbers(harness.store) == expected(4)
    # The clock was wrong after all: what arrives from now on goes by the right one.
    harness.clock_error_us = 0
    harness.store.accept_clock()
    write(harness.store, finished("late 5", SETUP_S + DAY_S, orig_src_party_id=WHOLE))
    assert numbers(harness.store) == {**expected(4), "5": {WHOLE}}


def test_the_first_whole_day_never_goes_back(harness: StoreHarness) -> None:
    write_days(harness)
    harness.store.set_masking(TWO_DAYS)
    harness.now_us += US_PER_DAY
    harness.maintain()
    assert numbers(harness.store) == expected(3)
    harness.clock_error_us = -US_PER_DAY
    harness.store.accept_clock()
    harness.store.set_masking(Masking(2, 8))
    harness.reopen()
    harness.maintain()
    late = finished("late 2", SETUP_S, orig_src_party_id="+49 30 23125-002")
    write(harness.store, late)
    assert numbers(harness.store)["2"] == {SHORT, "+49 30 2312*-***"}


def test_a_crash_at_any_step_is_made_good(harness: StoreHarness, tmp_path: Path) -> None:
    write_days(harness)
    with copies_at_each_change(harness, tmp_path) as copies:
        harness.store.set_masking(TWO_DAYS)
        harness.maintain()
    assert len(copies) > 10
    is_set = False
    for path in copies:
        with closing(
            EmbeddedStore(path, MANUAL_MAINTENANCE, clock=lambda: harness.now_us, monotonic=lambda: 0.0)
        ) as store:
            assert is_set <= (store.masking() is not None), path.name
            is_set = store.masking() is not None
            store.maintain()
            assert numbers(store) == expected(2 if is_set else 0), path.name
            if is_set:
                assert days_with(path) - {"active"} == {"2026-03-29", "2026-03-30"}
        assert check(path, MANUAL_MAINTENANCE).problems == [], path.name
    assert is_set


def test_masking_that_cannot_write_goes_on_later(harness: StoreHarness) -> None:
    write_days(harness)
    harness.store.set_masking(TWO_DAYS)
    with file_size_limit(4_000), pytest.raises((OSError, PegcountError)):
        harness.maintain()
    harness.maintain()
    assert numbers(harness.store) == expected(2)
    assert harness.store.masking_backlog() == 0


def test_the_background_masks_by_itself(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "data", Config(maintenance_seconds=0.01)) as harness:
        write_days(harness)
        harness.store.set_masking(TWO_DAYS)
        wait_until(lambda: numbers(harness.store) == expected(2), "the masking")


def test_exports_are_masked_and_backups_have_the_masking(harness: StoreHarness, tmp_path: Path) -> None:
    write_days(harness)
    harness.store.set_masking(TWO_DAYS)
    cutoff_us = SETUP_S // DAY_S * US_PER_DAY
    piece = open_snapshot(harness.directory, MANUAL_MAINTENANCE).export(0, cutoff_us, None, 1_000)
    assert piece is not None
    assert WHOLE.encode() not in piece.stream
    assert SHORT.encode() in piece.stream
    back_up(harness.directory, tmp_path / "backup")
    with closing(
        EmbeddedStore(
            tmp_path / "backup", MANUAL_MAINTENANCE, clock=lambda: harness.now_us, monotonic=lambda: 0.0
        )
    ) as store:
        assert store.masking() == TWO_DAYS
        store.maintain()
        assert numbers(store) == expected(2)


def test_a_first_masking_reads_what_was_scrubbed_a_few_times_only(harness: StoreHarness) -> None:
    for day in range(20):
        write(harness.store, finished(f"old {day}", SETUP_S - (day + 2) * DAY_S, orig_src_party_id=WHOLE))
    harness.flush()
    harness.store.set_masking(TWO_DAYS)
    with mock.patch.object(scrubber, "scrubbed_rows", wraps=scrubbing.scrubbed_rows) as read:
        harness.maintain()
    assert days_with(harness.directory) == set()
    # Once for each 16 segments, and at the ends.
    assert read.call_count < 8


def write_over_midnight(harness: StoreHarness, session_id: str) -> None:
    """Writes a session whose versions were set up a second before midnight, and one after it."""
    midnight_s = SETUP_S // DAY_S * DAY_S
    write(
        harness.store,
        finished(session_id, midnight_s - 1, orig_src_party_id=WHOLE, revision=1),
        finished(session_id, midnight_s + 1, orig_src_party_id=WHOLE, revision=2),
    )


def test_a_session_of_two_days_is_masked_at_the_latest_with_its_last_one(harness: StoreHarness) -> None:
    write_over_midnight(harness, "sealed 0")
    harness.flush()
    assert days_with(harness.directory) - {"journal"} == {"2026-03-29"}
    write_over_midnight(harness, "memory 1")
    harness.store.set_masking(TWO_DAYS)
    harness.maintain()
    # What is read or written anew goes by the first day, a file that lies there by its own.
    write_over_midnight(harness, "late 2")
    assert numbers(harness.store) == {"0": {WHOLE}, "1": {SHORT}, "2": {SHORT}}
    harness.now_us += US_PER_DAY
    harness.maintain()
    assert numbers(harness.store) == {"0": {SHORT}, "1": {SHORT}, "2": {SHORT}}
    assert days_with(harness.directory) == set()
