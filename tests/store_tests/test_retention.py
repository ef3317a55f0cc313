"""Retention: whole UTC days are dropped, and older records are rejected until the limit is raised."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pegcount.model import Present, Retention
from pegcount.store import EmbeddedStore
from pegcount.store.catalog import Catalog
from pegcount.store.retention import first_retained_day, oldest_us
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    batch,
    finished,
    session_ids,
    write,
)

TODAY = SETUP_S // DAY_S
US = 1_000_000
DAY_US = DAY_S * US
NOON_US = TODAY * DAY_US + DAY_US // 2


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    """Returns a store with one flushed record for each of the last four days."""
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        harness.now_us = NOON_US
        for age in (3, 2, 1, 0):
            write(harness.store, finished(f"{age} days ago", SETUP_S - age * DAY_S))
        harness.flush()
        yield harness


@pytest.mark.parametrize(
    ("days", "now_us", "expected"),
    [
        (1, NOON_US, TODAY),
        (2, NOON_US, TODAY - 1),
        (1, TODAY * DAY_US, TODAY),
        (1, TODAY * DAY_US - 1, TODAY - 1),
        (100_000, NOON_US, TODAY - 99_999),
    ],
)
def test_day_limits_count_utc_days_including_today(days: int, now_us: int, expected: int) -> None:
    assert first_retained_day(Retention(days=days), [], now_us) == expected
    assert oldest_us(Retention(days=days), None, now_us) == max(expected, 0) * DAY_US


SEGMENTS = [(7, 10), (5, 10), (7, 10), (6, 30)]
"""(day, bytes) of each segment: day 5 has 10 bytes, day 6 has 30, day 7 has 20."""


@pytest.mark.parametrize(
    ("bytes_max", "expected"), [(60, None), (59, 6), (50, 6), (49, 7), (20, 7), (19, 7), (0, 7)]
)
def test_byte_limits_retain_the_newest_days_and_at_least_one(bytes_max: int, expected: int | None) -> None:
    assert first_retained_day(Retention(bytes=bytes_max), SEGMENTS, NOON_US) == expected


def test_the_stricter_limit_applies() -> None:
    now_us = 8 * DAY_US
    assert first_retained_day(Retention(days=3, bytes=49), SEGMENTS, now_us) == 7
    assert first_retained_day(Retention(days=1, bytes=60), SEGMENTS, now_us) == 8
    assert first_retained_day(Retention(), SEGMENTS, now_us) is None
    assert first_retained_day(Retention(bytes=0), [], now_us) is None
    assert oldest_us(Retention(days=3), 7, now_us) == 7 * DAY_US
    assert oldest_us(Retention(days=1), 7, now_us) == 8 * DAY_US
    assert oldest_us(Retention(), None, now_us) == 0


def test_retention_is_unlimited_by_default(harness: StoreHarness) -> None:
    assert harness.store.retention() == Retention()
    harness.maintain()
    assert len(session_ids(harness.store)) == 4
    assert write(harness.store, finished("first of all", 0)) == (1, 0, 0)


@pytest.mark.parametrize("retention", [Retention(), Retention(days=3), Retention(bytes=5), Retention(2, 7)])
def test_retention_survives_reopening(retention: Retention, harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(9, 9))
    harness.store.set_retention(retention)
    assert harness.store.retention() == retention
    harness.reopen()
    assert harness.store.retention() == retention


def test_days_over_the_age_limit_are_dropped(harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(days=2))
    harness.maintain()
    for _ in range(2):
        assert sorted(session_ids(harness.store)) == ["0 days ago", "1 days ago"]
        assert sorted(path.parent.name for path in harness.directory.glob("segments/*/*")) == [
            "2026-03-28",
            "2026-03-29",
        ]
        assert harness.store.first_day() == TODAY - 1
        assert harness.store.info().records == 2
        harness.reopen()


def test_each_new_day_drops_another(harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(days=2))
    harness.maintain()
    harness.now_us += DAY_US
    harness.maintain()
    assert session_ids(harness.store) == ["0 days ago"]
    write(harness.store, finished("next day", SETUP_S + DAY_S))
    harness.now_us += DAY_US
    harness.maintain()
    assert (session_ids(harness.store), harness.store.info().segments) == (["next day"], 0)


def bytes_of_day(harness: StoreHarness) -> int:
    """Returns the size of a segment with one record; those of other days differ by a few bytes."""
    return max(path.stat().st_size for path in harness.directory.glob("segments/*/*"))


def test_days_over_the_byte_limit_are_dropped(harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(bytes=2 * bytes_of_day(harness)))
    harness.maintain()
    for _ in range(2):
        assert sorted(session_ids(harness.store)) == ["0 days ago", "1 days ago"]
        harness.maintain()
        harness.reopen()


def test_the_newest_day_is_never_dropped_for_its_size(harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(bytes=1))
    harness.maintain()
    assert session_ids(harness.store) == ["0 days ago"]


def write_rejected(store: EmbeddedStore, *records: records_pb2.SessionRecord) -> list[tuple[int, int]]:
    """Returns the index and reason of each rejected record."""
    return [(each.index, each.reason) for each in store.write(batch(*records)).rejected]


BEFORE = records_pb2.REJECT_REASON_BEFORE_RETENTION


def test_records_before_the_age_limit_are_rejected(harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(days=2))
    start_s = (TODAY - 1) * DAY_S
    records = [finished("on the edge", start_s), finished("before", start_s - 1), active("a", start_s - 1)]
    outcome = harness.store.write(batch(*records))
    assert outcome.accepted == 1
    assert [(each.index, each.reason) for each in outcome.rejected] == [(1, 12), (2, 12)]
    assert BEFORE == 12
    assert all(each.description for each in outcome.rejected)
    assert not {"before", "a"} & set(session_ids(harness.store))


def test_records_of_days_dropped_for_size_are_rejected(harness: StoreHarness) -> None:
    """Retention would only drop them again."""
    old, older = finished("old", SETUP_S - DAY_S), finished("older", SETUP_S - 2 * DAY_S)
    harness.store.set_retention(Retention(bytes=2 * bytes_of_day(harness)))
    for _ in range(2):
        assert write_rejected(harness.store, older, old) == [(0, BEFORE)]
        harness.reopen()


def test_dropped_records_are_accepted_again_after_raising_the_limit(harness: StoreHarness) -> None:
    for strict in (Retention(days=1), Retention(bytes=1)):
        harness.store.set_retention(strict)
        harness.maintain()
        assert session_ids(harness.store) == ["0 days ago"]
        again = finished("3 days ago", SETUP_S - 3 * DAY_S)
        assert write_rejected(harness.store, again) == [(0, BEFORE)]
        harness.store.set_retention(Retention(days=4))
        assert write(harness.store, again) == (1, 0, 0)
        harness.maintain()
        harness.flush_and_reopen()
        harness.maintain()
        assert sorted(session_ids(harness.store)) == ["0 days ago", "3 days ago"]


def write_old_active_sessions(harness: StoreHarness) -> None:
    """Writes active sessions set up three days ago, one of which received an update today."""
    harness.now_us -= 3 * DAY_US
    write(harness.store, active("abandoned", SETUP_S - 3 * DAY_S), active("long", SETUP_S - 3 * DAY_S))
    harness.now_us += 3 * DAY_US
    write(harness.store, active("long", SETUP_S - 3 * DAY_S, revision=1), active("new"))


def still_active(harness: StoreHarness) -> list[str]:
    return sorted(session_ids(harness.store, [Present("end_time", wanted=False)]))


def test_abandoned_sessions_of_old_days_are_dropped(harness: StoreHarness) -> None:
    write_old_active_sessions(harness)
    harness.store.set_retention(Retention(days=2))
    harness.maintain()
    assert still_active(harness) == ["long", "new"]


def test_dropped_abandoned_sessions_do_not_return_on_reopening(harness: StoreHarness) -> None:
    write_old_active_sessions(harness)
    harness.store.set_retention(Retention(days=2))
    harness.maintain()
    harness.reopen()
    harness.maintain()
    assert still_active(harness) == ["long", "new"]


def test_abandoned_sessions_of_a_day_without_segments_are_dropped(harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(days=2))
    harness.maintain()
    harness.store.set_retention(Retention())
    write_old_active_sessions(harness)
    harness.store.set_retention(Retention(days=2))
    harness.maintain()
    assert still_active(harness) == ["long", "new"]


def test_dropped_days_do_not_return_from_the_journal(tmp_path: Path) -> None:
    with StoreHarness(tmp_path, replace(MANUAL_MAINTENANCE, active_copy_row_count=0)) as harness:
        harness.now_us = NOON_US
        write(harness.store, finished("old", SETUP_S - 3 * DAY_S), finished("new"), active("a"))
        harness.flush_without_active_snapshot()
        harness.store.set_retention(Retention(days=2))
        harness.maintain()
        assert sorted(session_ids(harness.store)) == ["a", "new"]
        harness.reopen()
        harness.maintain()
        assert sorted(session_ids(harness.store)) == ["a", "new"]


def test_an_active_session_may_end_after_its_day_was_dropped(harness: StoreHarness) -> None:
    """Otherwise the session would stay active for ever. Its final state lies outside every report."""
    write_old_active_sessions(harness)
    harness.store.set_retention(Retention(days=2))
    unknown = finished("unknown", SETUP_S - 3 * DAY_S)
    assert write_rejected(harness.store, finished("long", SETUP_S - 3 * DAY_S), unknown) == [(1, BEFORE)]
    assert still_active(harness) == ["new"]
    for step in (
        harness.maintain,
        harness.reopen,
        harness.maintain,
        harness.flush_and_reopen,
        harness.maintain,
    ):
        step()
        assert still_active(harness) == ["new"]
    assert "long" not in session_ids(harness.store)
    assert harness.store.info().first_setup_us == (SETUP_S - DAY_S) * US


def test_old_records_in_memory_are_dropped_too(harness: StoreHarness) -> None:
    write(harness.store, finished("unsealed", SETUP_S - 2 * DAY_S), finished("0 days ago again"))
    harness.store.set_retention(Retention(days=2))
    assert sorted(session_ids(harness.store)) == ["0 days ago", "0 days ago again", "1 days ago"]
    assert harness.store.info().records == 3
    assert harness.store.first_day() == TODAY - 1


def test_days_are_dropped_after_a_crash_during_dropping(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Catalog, "commit_segments", crash)
        with pytest.raises(CrashError):
            harness.store.set_retention(Retention(days=2))
    assert len(session_ids(harness.store)) == 4
    harness.reopen()
    assert harness.store.retention() == Retention(days=2)
    assert sorted(session_ids(harness.store)) == ["0 days ago", "1 days ago"]
    assert len(list(harness.directory.glob("segments/*/*"))) == 2


def test_files_of_dropped_days_are_removed_on_opening_after_a_crash(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(CrashError):
            harness.store.set_retention(Retention(days=2))
    for _ in range(2):
        assert sorted(session_ids(harness.store)) == ["0 days ago", "1 days ago"]
        harness.reopen()
    assert len(list(harness.directory.glob("segments/*/*"))) == 2


class CrashError(Exception):
    """Simulates the death of the process."""


def crash(*_: object, **__: object) -> None:
    raise CrashError
