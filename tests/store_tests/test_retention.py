"""How long records are kept: whole days go, and what is older is rejected until it is kept again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pegcount.model import Present, Retention
from pegcount.store import EmbeddedStore
from pegcount.store.retention import first_retained_day, oldest_us
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import (
    BY_HAND,
    DAY_S,
    SETUP_S,
    Reopening,
    active,
    batch,
    finished,
    names,
    write,
)

TODAY = SETUP_S // DAY_S
US = 1_000_000
DAY_US = DAY_S * US
NOON_US = TODAY * DAY_US + DAY_US // 2


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Reopening]:
    """A store with one record of each of the last four days, each sealed."""
    with Reopening(tmp_path / "store", BY_HAND) as reopening:
        reopening.now_us = NOON_US
        for age in (3, 2, 1, 0):
            write(reopening.store, finished(f"{age} days ago", SETUP_S - age * DAY_S))
        reopening.flush()
        yield reopening


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
def test_days_are_utc_days_with_today_among_them(days: int, now_us: int, expected: int) -> None:
    assert first_retained_day(Retention(days=days), [], now_us) == expected
    assert oldest_us(Retention(days=days), None, now_us) == max(expected, 0) * DAY_US


SEGMENTS = [(7, 10), (5, 10), (7, 10), (6, 30)]
"""Days with their bytes: 5 has 10, 6 has 30, 7 has 20."""


@pytest.mark.parametrize(
    ("bytes_max", "expected"), [(60, None), (59, 6), (50, 6), (49, 7), (20, 7), (19, 7), (0, 7)]
)
def test_the_newest_days_that_fit_are_kept_and_the_newest_always(
    bytes_max: int, expected: int | None
) -> None:
    assert first_retained_day(Retention(bytes=bytes_max), SEGMENTS, NOON_US) == expected


def test_whatever_is_stricter_counts() -> None:
    now_us = 8 * DAY_US
    assert first_retained_day(Retention(days=3, bytes=49), SEGMENTS, now_us) == 7
    assert first_retained_day(Retention(days=1, bytes=60), SEGMENTS, now_us) == 8
    assert first_retained_day(Retention(), SEGMENTS, now_us) is None
    assert first_retained_day(Retention(bytes=0), [], now_us) is None
    assert oldest_us(Retention(days=3), 7, now_us) == 7 * DAY_US
    assert oldest_us(Retention(days=1), 7, now_us) == 8 * DAY_US
    assert oldest_us(Retention(), None, now_us) == 0


def test_a_store_keeps_everything_unless_told(held: Reopening) -> None:
    assert held.store.retention() == Retention()
    held.maintain()
    assert len(names(held.store)) == 4
    assert write(held.store, finished("first of all", 0)) == (1, 0, 0)


@pytest.mark.parametrize("retention", [Retention(), Retention(days=3), Retention(bytes=5), Retention(2, 7)])
def test_it_survives_reopening(retention: Retention, held: Reopening) -> None:
    held.store.set_retention(Retention(9, 9))
    held.store.set_retention(retention)
    assert held.store.retention() == retention
    held.reopen()
    assert held.store.retention() == retention


def test_days_that_are_too_old_go_as_a_whole(held: Reopening) -> None:
    held.store.set_retention(Retention(days=2))
    held.maintain()
    for _ in range(2):
        assert sorted(names(held.store)) == ["0 days ago", "1 days ago"]
        assert sorted(path.parent.name for path in held.directory.glob("segments/*/*")) == [
            "2026-03-28",
            "2026-03-29",
        ]
        assert held.store.first_day() == TODAY - 1
        assert held.store.info().records == 2
        held.reopen()


def test_the_day_after_one_more_goes(held: Reopening) -> None:
    held.store.set_retention(Retention(days=2))
    held.maintain()
    held.now_us += DAY_US
    held.maintain()
    assert names(held.store) == ["0 days ago"]
    held.now_us += 10 * DAY_US
    held.maintain()
    assert (names(held.store), held.store.info().segments) == ([], 0)


def bytes_of_day(held: Reopening) -> int:
    """Bytes of a day with one record; those of other days differ by a few."""
    return max(path.stat().st_size for path in held.directory.glob("segments/*/*"))


def test_days_that_do_not_fit_go_as_a_whole(held: Reopening) -> None:
    held.store.set_retention(Retention(bytes=2 * bytes_of_day(held)))
    held.maintain()
    for _ in range(2):
        assert sorted(names(held.store)) == ["0 days ago", "1 days ago"]
        held.maintain()
        held.reopen()


def test_the_newest_day_stays_whatever_its_size(held: Reopening) -> None:
    held.store.set_retention(Retention(bytes=1))
    held.maintain()
    assert names(held.store) == ["0 days ago"]


def rejected_of(store: EmbeddedStore, *records: records_pb2.SessionRecord) -> list[tuple[int, int]]:
    """Index and reason of each record that is rejected."""
    return [(each.index, each.reason) for each in store.write(batch(*records)).rejected]


BEFORE = records_pb2.REJECT_REASON_BEFORE_RETENTION


def test_records_before_it_are_rejected_alone(held: Reopening) -> None:
    held.store.set_retention(Retention(days=2))
    start_s = (TODAY - 1) * DAY_S
    records = [finished("on the edge", start_s), finished("before", start_s - 1), active("a", start_s - 1)]
    outcome = held.store.write(batch(*records))
    assert outcome.accepted == 1
    assert [(each.index, each.reason) for each in outcome.rejected] == [(1, 12), (2, 12)]
    assert BEFORE == 12
    assert all(each.description for each in outcome.rejected)
    assert not {"before", "a"} & set(names(held.store))


def test_records_of_days_that_did_not_fit_are_rejected(held: Reopening) -> None:
    """They would only be dropped again."""
    old, older = finished("old", SETUP_S - DAY_S), finished("older", SETUP_S - 2 * DAY_S)
    held.store.set_retention(Retention(bytes=2 * bytes_of_day(held)))
    for _ in range(2):
        assert rejected_of(held.store, older, old) == [(0, BEFORE)]
        held.reopen()


def test_what_was_dropped_may_come_again_once_it_is_kept(held: Reopening) -> None:
    for strict in (Retention(days=1), Retention(bytes=1)):
        held.store.set_retention(strict)
        held.maintain()
        assert names(held.store) == ["0 days ago"]
        again = finished("3 days ago", SETUP_S - 3 * DAY_S)
        assert rejected_of(held.store, again) == [(0, BEFORE)]
        held.store.set_retention(Retention(days=4))
        assert write(held.store, again) == (1, 0, 0)
        held.maintain()
        held.flush_and_reopen()
        held.maintain()
        assert sorted(names(held.store)) == ["0 days ago", "3 days ago"]


def write_sessions(held: Reopening) -> None:
    """Active sessions that were set up three days ago, one of which was heard of today."""
    held.now_us -= 3 * DAY_US
    write(held.store, active("abandoned", SETUP_S - 3 * DAY_S), active("long", SETUP_S - 3 * DAY_S))
    held.now_us += 3 * DAY_US
    write(held.store, active("long", SETUP_S - 3 * DAY_S, revision=1), active("new"))


def still_active(held: Reopening) -> list[str]:
    return sorted(names(held.store, [Present("end_time", wanted=False)]))


def test_abandoned_sessions_of_old_days_go_and_others_stay(held: Reopening) -> None:
    write_sessions(held)
    held.store.set_retention(Retention(days=2))
    held.maintain()
    assert still_active(held) == ["long", "new"]


def test_abandoned_sessions_that_went_do_not_come_back(held: Reopening) -> None:
    write_sessions(held)
    held.store.set_retention(Retention(days=2))
    held.maintain()
    held.reopen()
    held.maintain()
    assert still_active(held) == ["long", "new"]


def test_abandoned_sessions_go_where_their_day_has_no_segment(held: Reopening) -> None:
    held.store.set_retention(Retention(days=2))
    held.maintain()
    held.store.set_retention(Retention())
    write_sessions(held)
    held.store.set_retention(Retention(days=2))
    held.maintain()
    assert still_active(held) == ["long", "new"]


def test_days_that_went_do_not_come_back_out_of_the_journal(tmp_path: Path) -> None:
    with Reopening(tmp_path, replace(BY_HAND, active_copy_row_count=0)) as held:
        held.now_us = NOON_US
        write(held.store, finished("old", SETUP_S - 3 * DAY_S), finished("new"), active("a"))
        held.flush_without_the_active_sessions()
        held.store.set_retention(Retention(days=2))
        held.maintain()
        assert sorted(names(held.store)) == ["a", "new"]
        held.reopen()
        held.maintain()
        assert sorted(names(held.store)) == ["a", "new"]


def test_a_session_that_is_still_active_may_end_however_old_it_is(held: Reopening) -> None:
    """Otherwise it would count as active for ever; no report has room for what it became."""
    write_sessions(held)
    held.store.set_retention(Retention(days=2))
    unknown = finished("unknown", SETUP_S - 3 * DAY_S)
    assert rejected_of(held.store, finished("long", SETUP_S - 3 * DAY_S), unknown) == [(1, BEFORE)]
    assert still_active(held) == ["new"]
    for step in (held.maintain, held.reopen, held.maintain, held.flush_and_reopen, held.maintain):
        step()
        assert still_active(held) == ["new"]
    assert "long" not in names(held.store)
    assert held.store.info().first_setup_us == (SETUP_S - DAY_S) * US


def test_what_of_old_days_is_in_memory_goes_too(held: Reopening) -> None:
    write(held.store, finished("unsealed", SETUP_S - 2 * DAY_S), finished("0 days ago again"))
    held.store.set_retention(Retention(days=2))
    assert sorted(names(held.store)) == ["0 days ago", "0 days ago again", "1 days ago"]
    assert held.store.info().records == 3
    assert held.store.first_day() == TODAY - 1


def test_a_crash_while_days_are_dropped_drops_them_later(
    held: Reopening, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(held.store._catalog, "commit_segments", crash)
        with pytest.raises(CrashError):
            held.store.set_retention(Retention(days=2))
    assert len(names(held.store)) == 4
    held.reopen()
    assert held.store.retention() == Retention(days=2)
    assert sorted(names(held.store)) == ["0 days ago", "1 days ago"]
    assert len(list(held.directory.glob("segments/*/*"))) == 2


def test_files_that_a_crash_left_of_dropped_days_go_as_the_store_opens(
    held: Reopening, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pegcount.store.files.remove", crash)
        with pytest.raises(CrashError):
            held.store.set_retention(Retention(days=2))
    for _ in range(2):
        assert sorted(names(held.store)) == ["0 days ago", "1 days ago"]
        held.reopen()
    assert len(list(held.directory.glob("segments/*/*"))) == 2


class CrashError(Exception):
    """Stands for the end of the process."""


def crash(*_: object, **__: object) -> None:
    raise CrashError
