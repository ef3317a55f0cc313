"""Counts of rejected records by source and UTC day: they outlive the process, and are bounded."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.counters import Rejections
from pegcount.store.rejections import DOCUMENT_NAME
from pegcount.v1.records_pb2 import (
    REJECT_REASON_MISSING_SESSION_ID,
    REJECT_REASON_MISSING_SETUP_TIME,
    SessionRecord,
)

from store_tests.empty_store import harness
from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    NOW_US,
    StoreHarness,
    batch,
    file_size_limit,
    finished,
    write,
)

__all__ = ["harness"]

TODAY = NOW_US // (DAY_S * 1_000_000)
NO_SETUP, NO_ID = REJECT_REASON_MISSING_SETUP_TIME, REJECT_REASON_MISSING_SESSION_ID


def reject(harness: StoreHarness, source: str, count: int = 1, *, without_id: int = 0) -> None:
    refused(
        harness,
        *(SessionRecord(session_id=f"{i}", source=source) for i in range(count)),
        *(SessionRecord(source=source) for _ in range(without_id)),
    )


def refused(harness: StoreHarness, *records: SessionRecord) -> None:
    assert len(harness.store.write(batch(*records)).rejected) == len(records)


def total(rejections: Rejections) -> int:
    return sum(
        count for days in rejections.values() for reasons in days.values() for count in reasons.values()
    )


@pytest.fixture
def few(tmp_path: Path) -> Iterator[StoreHarness]:
    """A store that counts five sources by name."""
    with StoreHarness(
        tmp_path / "few", Config(maintenance_seconds=3_600.0, counted_source_count_max=5)
    ) as made:
        yield made


def test_a_clean_end_loses_none(harness: StoreHarness) -> None:
    reject(harness, "a", 3, without_id=2)
    harness.maintain()
    harness.now_us += DAY_S * 1_000_000
    reject(harness, "a", 1)
    reject(harness, "")
    harness.reopen()
    counts = {"a": {TODAY: {NO_SETUP: 3, NO_ID: 2}, TODAY + 1: {NO_SETUP: 1}}, "": {TODAY + 1: {NO_SETUP: 1}}}
    assert harness.store.rejections() == counts
    reject(harness, "a", 10)
    harness.flush_and_reopen()
    counts["a"][TODAY + 1][NO_SETUP] += 10
    assert harness.store.rejections() == counts


def test_none_that_was_told_is_lost_when_the_process_is_killed(harness: StoreHarness) -> None:
    for number in range(4):
        reject(harness, "a", 5)
        told = total(harness.store.rejections())
        assert told == 5 * (number + 1)
        reject(harness, "b", 7)
        # The seven were neither told nor saved.
        harness.reopen_after_kill()
        assert total(harness.store.rejections()) == told


def test_maintenance_saves_them_once_they_are_due(tmp_path: Path) -> None:
    config = Config(maintenance_seconds=3_600.0, rejection_save_seconds=0.0)
    with StoreHarness(tmp_path / "due", config) as harness:
        reject(harness, "a", 5)
        harness.maintain()
        harness.reopen_after_kill()
        assert harness.store.rejections() == {"a": {TODAY: {NO_SETUP: 5}}}


def test_nothing_is_saved_before_it_is_due(harness: StoreHarness) -> None:
    assert harness.config.rejection_save_seconds == MANUAL_MAINTENANCE.rejection_save_seconds == 5.0
    reject(harness, "a", 5)
    harness.maintain()
    assert harness.store.document(DOCUMENT_NAME) is None


def test_a_batch_without_rejected_records_saves_nothing(harness: StoreHarness) -> None:
    write(harness.store, finished("a"))
    assert harness.store.rejections() == {}
    assert harness.store.document(DOCUMENT_NAME) is None


def test_they_count_while_the_disk_is_full_and_are_saved_later(harness: StoreHarness) -> None:
    reject(harness, "a", 2)
    assert total(harness.store.rejections()) == 2
    with file_size_limit(0):
        reject(harness, "a", 3)
        assert total(harness.store.rejections()) == 5
        reject(harness, "a", 4)
    assert total(harness.store.rejections()) == 9
    harness.reopen_after_kill()
    assert total(harness.store.rejections()) == 9


def test_ten_thousand_invented_sources_take_few_places(harness: StoreHarness) -> None:
    write(harness.store, finished("a", source="real"))
    reject(harness, "real", 3)
    for first in range(0, 10_000, 1_000):
        records = (SessionRecord(session_id="x", source=f"invented {first + i}") for i in range(1_000))
        refused(harness, *records)
    counts = harness.store.rejections()
    assert total(counts) == 10_003
    assert counts["real"] == {TODAY: {NO_SETUP: 3}}
    # A tenth of the places is for names that only rejected records have.
    assert len(counts) == 1 + 20 + 1
    document = harness.store.document(DOCUMENT_NAME)
    assert document is not None
    assert len(document.content) < 1_000


def test_names_of_earlier_processes_are_bounded_too(few: StoreHarness) -> None:
    for number in range(8):
        reject(few, f"n{number}", 1 + number)
        assert total(few.store.rejections()) == sum(range(1, number + 2))
        few.reopen()
    counts = few.store.rejections()
    # Those with the fewest have given way.
    assert set(counts) == {"", "n3", "n4", "n5", "n6", "n7"}
    assert counts[""] == {TODAY: {NO_SETUP: 1 + 2 + 3}}


def test_the_last_31_days_are_kept(harness: StoreHarness) -> None:
    for day in range(40):
        harness.now_us = NOW_US + day * DAY_S * 1_000_000
        reject(harness, "a" if day % 2 else "b")
        harness.store.rejections()
    days = [day for by_day in harness.store.rejections().values() for day in by_day]
    assert sorted(days) == list(range(TODAY + 9, TODAY + 40))


def test_the_oldest_days_give_way_to_the_limit_of_documents(tmp_path: Path) -> None:
    config = Config(maintenance_seconds=3_600.0, document_bytes_max=60)
    with StoreHarness(tmp_path / "small", config) as harness:
        for day in range(20):
            harness.now_us = NOW_US + day * DAY_S * 1_000_000
            reject(harness, "a", 1 + day % 7)
            harness.store.rejections()
        days = list(harness.store.rejections()["a"])
    assert days == list(range(days[0], TODAY + 20))
    assert len(days) < 20
