"""What a store counts: each counter moves by the right number, and no other one moves."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pegcount import core
from pegcount.config import Tuning
from pegcount.counters import SecondsHistogram, SourceCounters, StoreCounters
from pegcount.data_scope import DataScope
from pegcount.errors import CellLimitError, DeadlineError, StoreReadOnlyError
from pegcount.model import Deletion, Measure, OneOf, Retention, Scan
from pegcount.store import EmbeddedStore
from pegcount.store.durations import Durations
from pegcount.v1 import records_pb2

from store_tests.empty_store import harness
from store_tests.steps import intercept_steps
from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    NO_LIMIT,
    NOW_US,
    SETUP_S,
    StoreHarness,
    active,
    batch,
    file_size_limit,
    finished,
    write,
)

__all__ = ["harness"]

US = 1_000_000
SETUP_US = SETUP_S * US
ALL = Scan(None, (), (), Measure("sessions"))
UNSTEADY = {"disk_free_bytes", "seconds_since_flush"}
"""Values that change by themselves."""
INVALID = records_pb2.SessionRecord(session_id="x", source="a")
"""A record without a setup time."""


def seen(store: EmbeddedStore) -> dict[str, Any]:
    """The counters of a store, of histograms the number of events."""
    counters = store.counters()
    values = {name: getattr(counters, name) for name in asdict(counters) if name not in UNSTEADY}
    return {
        name: value.count if isinstance(value, SecondsHistogram) else value for name, value in values.items()
    }


@contextmanager
def moves(harness: StoreHarness, *ignored: str, **expected: int) -> Iterator[None]:
    """Asserts that these counters, and only these, move by so much in the block; `ignored` may move too."""
    before = seen(harness.store)
    yield
    after = seen(harness.store)
    changed = {name for name in after if after[name] != before[name]} - set(ignored)
    assert {name: after[name] - before[name] for name in changed} == expected


def reopen_with(harness: StoreHarness, **settings: Any) -> None:
    harness.config = replace(MANUAL_MAINTENANCE, **settings)
    harness.reopen()


def sources(store: EmbeddedStore) -> dict[str, SourceCounters]:
    return dict(store.counters().sources)


def full_disk() -> AbstractContextManager[None]:
    return file_size_limit(1_000)


def corrections(*records: records_pb2.SessionRecord) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records, correct=True).SerializeToString()


def day_scan(bin_count: int, *keys: str) -> Scan:
    """A scan of the UTC day of the records in equal bins."""
    day_us = SETUP_S // DAY_S * DAY_S * US
    edge_us = day_us + np.arange(bin_count + 1, dtype=np.int64) * (DAY_S * US // bin_count)
    return Scan(edge_us, (), keys, Measure("calls"))


def partials(harness: StoreHarness, scan: Scan) -> core.Partials:
    return harness.store.partials(scan, 1_000, NO_LIMIT)


def test_a_new_store_has_counted_nothing(harness: StoreHarness) -> None:
    found = harness.store.counters()
    assert found.disk_free_bytes
    assert 0 <= found.seconds_since_flush < 60
    histograms = {name: getattr(found, name) for name in ("commit_syncs", "flushes", "compactions")}
    for each in histograms.values():
        assert (each.count, each.seconds, len(each.counts)) == (0, 0.0, len(each.bounds) + 1)
        assert list(each.bounds) == sorted(set(each.bounds))
    unsteady = {name: getattr(found, name) for name in UNSTEADY}
    assert found == StoreCounters(seal_record_count=200_000, **histograms, **unsteady)


# ---- Writes ----


def test_records_are_counted_by_source_and_outcome(harness: StoreHarness) -> None:
    late = finished("1", source="a", folder="late", revision=1)
    write(harness.store, finished("1", source="a"), finished("2", SETUP_S + 5, source="a"), active("3"))
    harness.now_us += 7
    harness.store.write(batch(late, finished("2", SETUP_S + 5, source="a"), INVALID, INVALID))
    harness.now_us += 7
    write(harness.store, finished("2", SETUP_S + 5, source="a"))
    assert sources(harness.store) == {
        "a": SourceCounters(2, 1, 2, {"MISSING_SETUP_TIME": 2}, NOW_US + 7, SETUP_US + 5 * US),
        "": SourceCounters(accepted=1, last_write_us=NOW_US, last_setup_us=SETUP_US),
    }


def test_dropped_alert_times_are_counted_by_source(harness: StoreHarness) -> None:
    early, rejected = finished("1", source="a"), finished("", source="b")
    for record in (early, rejected):
        record.alert_time.FromSeconds(SETUP_S - 1)
    for _ in range(2):
        harness.store.write(batch(early, finished("2", source="a"), finished("3"), rejected))
    counted = {name: each.dropped_alert_times for name, each in sources(harness.store).items()}
    assert counted == {"a": 2, "b": 0, "": 0}


def test_versions_of_one_session_in_a_batch_count_one_by_one(harness: StoreHarness) -> None:
    one, other = finished("1", source="a"), finished("1", source="a", folder="other", revision=1)
    assert write(harness.store, one, one, other) == (1, 1, 1)
    assert sources(harness.store)["a"] == SourceCounters(1, 1, 1, {}, NOW_US, SETUP_US)


def test_a_batch_of_rejected_records_alone_is_counted_and_not_committed(harness: StoreHarness) -> None:
    # The journal file is opened before the batch is looked at.
    with moves(harness, "sources", "journal_bytes"):
        harness.store.write(batch(INVALID, INVALID))
    assert sources(harness.store) == {"a": SourceCounters(rejected={"MISSING_SETUP_TIME": 2})}


def test_corrections_and_records_of_others_are_counted_by_their_source(harness: StoreHarness) -> None:
    write(harness.store, finished("1", source="a", tenant_id=1), finished("2", source="b", tenant_id=2))
    changed = finished("1", source="a", tenant_id=1, folder="changed")
    harness.store.write(corrections(changed, finished("2", source="b", tenant_id=2)))
    writer = core.RecordScope(DataScope(tenant_id=(1,)))
    of_other = finished("2", source="b", tenant_id=1)
    pending = harness.store.submit(batch(of_other, INVALID), NO_LIMIT, writer)
    assert [each.index for each in pending.wait().rejected] == [0, 1]
    found = sources(harness.store)
    assert found["a"] == SourceCounters(1, 1, 0, {"MISSING_SETUP_TIME": 1}, NOW_US, SETUP_US)
    assert found["b"] == SourceCounters(1, 0, 1, {"OUTSIDE_DATA_SCOPE": 1}, NOW_US, SETUP_US)


def test_further_sources_are_counted_together(harness: StoreHarness) -> None:
    reopen_with(harness, counted_source_count_max=2)
    for name in ("a", "b", "c", "d"):
        write(harness.store, finished(name, source=name))
    harness.store.write(batch(records_pb2.SessionRecord(session_id="e", source="e")))
    write(harness.store, finished("f", source="a"))
    assert sources(harness.store) == {
        "a": SourceCounters(2, 0, 0, {}, NOW_US, SETUP_US),
        "b": SourceCounters(1, 0, 0, {}, NOW_US, SETUP_US),
        "": SourceCounters(2, 0, 0, {"MISSING_SETUP_TIME": 1}, NOW_US, SETUP_US),
    }


def test_names_that_only_rejected_records_have_leave_the_places_to_sources(harness: StoreHarness) -> None:
    reopen_with(harness, counted_source_count_max=2)
    harness.store.write(batch(finished("1", source="\1" * 200_000), INVALID))
    for name in ("x", "y"):
        harness.store.write(batch(records_pb2.SessionRecord(session_id=name, source=name)))
    without_setup_time = {"MISSING_SETUP_TIME": 1}
    assert sources(harness.store) == {
        "a": SourceCounters(0, 0, 0, without_setup_time, None, None),
        "": SourceCounters(0, 0, 0, {"TEXT_TOO_LONG": 1, "MISSING_SETUP_TIME": 2}, None, None),
    }
    write(harness.store, finished("2", source="b"), finished("3", source="c"))
    assert sources(harness.store) == {
        "b": SourceCounters(1, 0, 0, {}, NOW_US, SETUP_US),
        "c": SourceCounters(1, 0, 0, {}, NOW_US, SETUP_US),
        "": SourceCounters(0, 0, 0, {"TEXT_TOO_LONG": 1, "MISSING_SETUP_TIME": 3}, None, None),
    }


def test_a_commit_counts_its_batches_and_its_sync(harness: StoreHarness) -> None:
    queued = [harness.store.submit(batch(finished(name)), NO_LIMIT) for name in ("1", "2", "3")]
    assert harness.store.counters().commit_queue_bytes > 0
    with moves(
        harness,
        "sources",
        "commit_queue_bytes",
        "journal_bytes",
        commits=1,
        committed_batches=3,
        commit_syncs=1,
        unsealed_records=3,
    ):
        for pending in queued:
            pending.wait()
    found = harness.store.counters()
    assert found.commit_queue_bytes == 0
    assert found.commit_syncs.seconds > 0
    assert found.journal_bytes == sum(path.stat().st_size for path in harness.journal())


def test_a_batch_that_could_not_be_written_counts_nothing(harness: StoreHarness) -> None:
    write(harness.store, finished("1", source="a"))
    limit = harness.journal()[0].stat().st_size + 1
    with moves(harness), file_size_limit(limit), pytest.raises(StoreReadOnlyError):
        harness.store.write(batch(finished("2", source="a"), INVALID))
    harness.maintain()
    one_commit = {"commits": 1, "committed_batches": 1, "commit_syncs": 1, "unsealed_records": 1}
    with moves(harness, "sources", "journal_bytes", **one_commit):
        harness.store.write(batch(finished("2", source="a"), INVALID))
    assert sources(harness.store)["a"] == SourceCounters(2, 0, 0, {"MISSING_SETUP_TIME": 1}, NOW_US, SETUP_US)


# ---- Scans ----


def test_a_scan_counts_the_rows_that_it_reads(harness: StoreHarness) -> None:
    write(harness.store, finished("1", folder="x"), finished("2", folder="y"), active("3"))
    with moves(harness, scanned_rows=3, result_cells=1):
        assert partials(harness, ALL).row_count == 3
    # Absent, x and y.
    with moves(harness, scanned_rows=3, result_cells=3):
        assert partials(harness, replace(ALL, keys=("folder",))).row_count == 3
    harness.flush()
    with moves(harness, scanned_rows=3, result_cells=1, rollup_misses=1):
        assert partials(harness, ALL).row_count == 3
    with moves(harness, result_cells=1):
        assert partials(harness, replace(ALL, predicates=(OneOf("folder", ("none",)),))).row_count == 0
    with moves(harness):
        assert harness.store.any_match((OneOf("folder", ("x",)),), NO_LIMIT)


def test_a_scan_that_fails_counts_what_it_read(harness: StoreHarness) -> None:
    write(harness.store, finished("1", folder="x"), finished("2", folder="y"))
    with moves(harness, scanned_rows=2), pytest.raises(CellLimitError):
        harness.store.partials(replace(ALL, keys=("folder",)), 1, NO_LIMIT)


def test_a_rollup_is_built_once_and_then_hit(harness: StoreHarness) -> None:
    reopen_with(harness, tuning=Tuning(rollup_rows_per_row_min=0))
    write(harness.store, *(finished(str(number), SETUP_S + number % 2 * 3_600) for number in range(10)))
    harness.flush()
    # 10 rows to build the rollup, and the rows of its 2 minutes.
    with moves(harness, "rollup_bytes", scanned_rows=12, result_cells=24, rollup_misses=1):
        assert partials(harness, day_scan(24)).row_count == 12
    assert harness.store.counters().rollup_bytes > 0
    with moves(harness, scanned_rows=2, result_cells=24, rollup_hits=1):
        assert partials(harness, day_scan(24)).row_count == 2
    # No rollup has slots of a second.
    with moves(harness, scanned_rows=10, result_cells=86_400, rollup_misses=1):
        assert harness.store.partials(day_scan(86_400), 100_000, NO_LIMIT).row_count == 10


def test_a_scan_of_many_tasks_counts_each_row_once(harness: StoreHarness) -> None:
    tuning = Tuning(parallel_row_count_min=1, task_row_count_max=7, helper_thread_count=2)
    reopen_with(harness, tuning=tuning)
    write(harness.store, *(finished(f"sealed {number}") for number in range(30)))
    harness.flush()
    write(harness.store, *(finished(str(number)) for number in range(40)))
    with moves(harness, scanned_rows=70, result_cells=1, rollup_misses=1):
        assert partials(harness, ALL).row_count == 70


# ---- Background work ----


def test_a_flush_is_measured_and_a_failed_one_counted(harness: StoreHarness) -> None:
    write(harness.store, finished("1"), active("2"))
    with (
        moves(harness, "journal_bytes", failed_flushes=1),
        file_size_limit(1_000),
        pytest.raises(StoreReadOnlyError),
    ):
        harness.flush()
    waited_s = harness.store.counters().seconds_since_flush
    with moves(harness, "journal_bytes", flushes=1, unsealed_records=-1):
        harness.flush()
    found = harness.store.counters()
    assert found.flushes.seconds > 0
    assert found.seconds_since_flush < waited_s + found.flushes.seconds + 1
    # Only what a restart replays.
    assert found.journal_bytes == sum(path.stat().st_size for path in harness.journal())


def test_a_compaction_is_due_until_it_succeeds(harness: StoreHarness) -> None:
    for name in ("1", "2"):
        write(harness.store, finished(name))
        harness.flush()
    assert harness.store.counters().compaction_backlog == 2
    with moves(harness, failed_compactions=1), full_disk(), pytest.raises(StoreReadOnlyError):
        harness.maintain()
    with moves(harness, compactions=1, compaction_backlog=-2):
        harness.maintain()


def test_a_deletion_flushes_and_one_that_was_given_up_is_no_failed_flush(harness: StoreHarness) -> None:
    write(harness.store, finished("1", source="a"), finished("2", source="b"))
    late = core.CancelToken(None)

    def give_up(step: str) -> None:
        if step == "before find_deleted":
            late.cancel()

    with intercept_steps(harness, give_up):
        with moves(harness, "journal_bytes", "sources"), pytest.raises(Exception, match="cancel"):
            harness.store.delete(Deletion(source="a"), late)
        with moves(harness, "journal_bytes", "sources", flushes=1, unsealed_records=-2):
            harness.store.delete(Deletion(source="a"), NO_LIMIT)


def test_dropped_days_are_counted(harness: StoreHarness) -> None:
    days = [finished(f"{age}", SETUP_S - age * DAY_S) for age in range(5)]
    write(harness.store, *days)
    harness.flush()
    with moves(harness, dropped_days=3):
        # The clock of the harness is a day later.
        harness.store.set_retention(Retention(days=3))


def test_a_refused_clock_shows_with_the_days_that_wait(harness: StoreHarness) -> None:
    harness.store.set_retention(Retention(days=3))
    harness.store.maintain()
    write(
        harness.store, finished("1"), finished("2", SETUP_S + DAY_S), finished("far", SETUP_S + 999 * DAY_S)
    )
    harness.flush()
    assert not harness.store.counters().is_clock_refused
    harness.clock_error_us = 60 * DAY_S * US
    found = harness.store.counters()
    assert found.is_clock_refused
    assert (found.clock_deviation_seconds, found.retention_waiting_days) == (60 * DAY_S, 2)
    harness.clock_error_us = -60 * DAY_S * US
    assert harness.store.counters().clock_deviation_seconds == -60 * DAY_S
    harness.clock_error_us = 0
    found = harness.store.counters()
    assert (found.is_clock_refused, found.clock_deviation_seconds, found.retention_waiting_days) == (
        False,
        0,
        0,
    )


def test_sessions_without_events_are_abandoned(harness: StoreHarness) -> None:
    reopen_with(harness, active_ttl_seconds=100)
    write(harness.store, active("1"), active("2"), finished("3"))
    harness.now_us += 60 * US
    write(harness.store, active("2", folder="x", revision=1))
    harness.now_us += 40 * US - 1
    assert harness.store.counters().abandoned_sessions == 0
    harness.now_us += 1
    assert harness.store.counters().abandoned_sessions == 1
    harness.now_us += 60 * US
    assert harness.store.counters().abandoned_sessions == 2


def test_the_memory_of_a_report_counts_until_it_is_released(harness: StoreHarness) -> None:
    write(harness.store, finished("1"))
    found = partials(harness, day_scan(24))
    assert harness.store.counters().query_memory_bytes == harness.store.query_memory_bytes > 0
    del found
    assert harness.store.counters().query_memory_bytes == 0


# ---- Restart ----


@pytest.mark.parametrize("restart", [StoreHarness.reopen, StoreHarness.reopen_after_kill])
def test_a_restart_counts_anew_and_knows_the_setup_times_of_memory(
    harness: StoreHarness, restart: Callable[[StoreHarness], None]
) -> None:
    write(harness.store, finished("1", source="sealed"), active("2", source="active"))
    harness.flush()
    write(harness.store, finished("3", SETUP_S + 3, source="journal"), active("4", SETUP_S + 4))
    # One that changes nothing says nothing about when its source was set up last.
    write(harness.store, finished("1", source="sealed"))
    journal_bytes = harness.store.counters().journal_bytes
    restart(harness)
    found = harness.store.counters()
    assert found.sources == {
        "active": SourceCounters(last_setup_us=SETUP_US),
        "journal": SourceCounters(last_setup_us=SETUP_US + 3 * US),
        "": SourceCounters(last_setup_us=SETUP_US + 4 * US),
        "sealed": SourceCounters(),
    }
    assert (found.commits, found.committed_batches, found.commit_syncs.count) == (0, 0, 0)
    assert (found.flushes.count, found.unsealed_records, found.journal_bytes) == (0, 1, journal_bytes)


def test_the_directory_of_counters_need_not_exist(harness: StoreHarness, tmp_path: Path) -> None:
    moved = harness.directory.rename(tmp_path / "moved")
    assert harness.store.counters().disk_free_bytes is None
    moved.rename(harness.directory)
    assert harness.store.counters().disk_free_bytes is not None


def test_a_deadline_is_no_failed_work() -> None:
    durations = Durations()
    with pytest.raises(DeadlineError), durations.measured():
        raise DeadlineError("too late")
    with pytest.raises(KeyboardInterrupt), durations.measured():
        raise KeyboardInterrupt
    assert (durations.failed_count, durations.histogram().count) == (1, 0)
