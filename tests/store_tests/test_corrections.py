"""Corrections outlast flushes, compactions, kills and full disks, and written again they change nothing."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.config import Tuning
from pegcount.errors import StoreReadOnlyError
from pegcount.model import WriteOutcome
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2

from store_tests.empty_store import harness
from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    NO_LIMIT,
    SETUP_S,
    StoreHarness,
    active,
    file_size_limit,
    finished,
    rows,
    write,
)

__all__ = ["harness"]

Record = records_pb2.SessionRecord
Step = Callable[[StoreHarness], object]
NOTHING, FLUSH, REOPEN = (lambda _: None), StoreHarness.flush, StoreHarness.reopen
FLUSH_AND_REOPEN, KILL = StoreHarness.flush_and_reopen, StoreHarness.reopen_after_kill


def corrections(*records: Record) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records, correct=True).SerializeToString()


def correct(store: EmbeddedStore, *records: Record) -> tuple[int, int, int]:
    """Writes corrections, asserts that none is rejected, and returns (accepted, replaced, duplicates)."""
    outcome: WriteOutcome = store.write(corrections(*records))
    assert (outcome.rejected, outcome.outranked, outcome.suspected_reuse) == ((), 0, 0)
    return outcome.accepted, outcome.replaced, outcome.duplicates


def stored(store: EmbeddedStore) -> list[tuple[str, str, str, int]]:
    """Session id, setup time, answer time and calls of what is stored."""
    found = rows(store, "session_id", "session_setup_time", "session_start_time")
    return [(r.session_id, r.session_setup_time, r.session_start_time, r.quantity) for r in found]


UNANSWERED = active("b", end_time=Timestamp(seconds=SETUP_S + 70))
MOVED = finished("a", SETUP_S - 9 * 3_600)
CORRECTED = [
    ("a", "2026-03-28T23:00:00Z", "2026-03-28T23:00:10Z", 1),
    ("b", "2026-03-29T08:00:00Z", "", 1),
    ("c", "2026-03-29T08:00:00Z", "2026-03-29T08:00:10Z", 1),
]


@pytest.mark.parametrize("between", [NOTHING, FLUSH, REOPEN, FLUSH_AND_REOPEN, KILL])
@pytest.mark.parametrize("after", [NOTHING, FLUSH, REOPEN, FLUSH_AND_REOPEN, KILL])
def test_corrections_stand_wherever_the_records_are(
    between: Step, after: Step, harness: StoreHarness
) -> None:
    assert write(harness.store, finished("a"), finished("b"), finished("c")) == (3, 0, 0)
    between(harness)
    assert correct(harness.store, MOVED, UNANSWERED, finished("c")) == (0, 2, 1)
    after(harness)
    assert stored(harness.store) == CORRECTED
    assert correct(harness.store, MOVED, UNANSWERED, finished("c")) == (0, 0, 3)
    # The wrong records rank lower now.
    outcome = harness.store.write(
        records_pb2.WriteRecordsRequest(records=[finished("a"), finished("b")]).SerializeToString()
    )
    assert (outcome.duplicates, outcome.outranked) == (2, 2)
    assert stored(harness.store) == CORRECTED


def test_corrections_stand_after_compactions(harness: StoreHarness) -> None:
    for number in range(4):
        write(harness.store, *(finished(f"{number} {index}") for index in range(8)))
        harness.flush()
    again = [active(f"{number} 0", end_time=Timestamp(seconds=SETUP_S + 70)) for number in range(4)]
    assert correct(harness.store, *again) == (0, 4, 0)
    harness.flush()
    harness.maintain()
    harness.reopen()
    assert sum(quantity for *_, answer, quantity in stored(harness.store) if not answer) == 4
    assert harness.store.info().records == 32
    assert correct(harness.store, *again) == (0, 0, 4)


def test_a_correction_of_the_next_day_reaches_a_sealed_record(harness: StoreHarness) -> None:
    write(harness.store, finished("a"))
    harness.flush_and_reopen()
    assert correct(harness.store, finished("a", SETUP_S + DAY_S)) == (0, 1, 0)
    # Two days from its correction, and one from the first version, it is still the same record.
    assert correct(harness.store, finished("a", SETUP_S - DAY_S)) == (0, 1, 0)
    assert correct(harness.store, finished("a", SETUP_S + 4 * DAY_S)) == (1, 0, 0)
    assert harness.store.info().records == 2


def test_corrections_that_change_nothing_write_nothing(harness: StoreHarness) -> None:
    write(harness.store, finished("a"))
    size = harness.journal()[-1].stat().st_size
    assert correct(harness.store, finished("a"), finished("a")) == (0, 0, 2)
    assert harness.journal()[-1].stat().st_size == size


def test_a_queued_batch_comes_before_a_later_correction(harness: StoreHarness) -> None:
    """A correction is resolved when it is committed, not when it is submitted."""
    store = harness.store
    pending = [
        store.submit(batch, NO_LIMIT)
        for batch in (
            records_pb2.WriteRecordsRequest(records=[finished("a", revision=5)]).SerializeToString(),
            corrections(finished("a", account_id="x")),
            records_pb2.WriteRecordsRequest(records=[finished("a", revision=5)]).SerializeToString(),
            corrections(finished("a", account_id="x"), finished("a", account_id="y")),
        )
    ]
    outcomes = [one.wait() for one in pending]
    found = [(one.accepted, one.replaced, one.duplicates) for one in outcomes]
    assert found == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)]
    # Revision 5, then 6 and 7: the next version of revision 7 may win, one of 6 cannot.
    assert write(store, finished("a", revision=6, account_id="z")) == (0, 0, 1)
    assert write(store, finished("a", revision=8, account_id="z")) == (0, 1, 0)


def test_corrections_beside_other_writers_lose_nothing(harness: StoreHarness) -> None:
    def work(number: int) -> list[tuple[int, int, int]]:
        own, common = f"own {number}", "common"
        return [
            write(harness.store, finished(own), finished(common)),
            correct(harness.store, finished(own, account_id="x"), finished(common, account_id=str(number))),
        ]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(work, range(24)))
    assert sum(first[0] for first, _ in found) == 25
    # The last correction of the common record stands, and each was one when it came.
    assert {second for _, second in found} == {(0, 2, 0)}
    before = stored(harness.store)
    harness.reopen_after_kill()
    assert stored(harness.store) == before


def test_a_full_disk_refuses_corrections_as_a_whole(harness: StoreHarness) -> None:
    write(harness.store, finished("a"))
    with file_size_limit(harness.journal()[-1].stat().st_size + 10), pytest.raises(StoreReadOnlyError):
        correct(harness.store, UNANSWERED, finished("a", account_id="x"))
    assert [session_id for session_id, *_ in stored(harness.store)] == ["a"]
    harness.reopen()
    assert correct(harness.store, UNANSWERED, finished("a", account_id="x")) == (1, 1, 0)


def test_a_call_of_several_parts_is_corrected_part_by_part(harness: StoreHarness) -> None:
    write(harness.store, finished("a", part=1), finished("a", part=2))
    whole = harness.store.write(corrections(active("a", end_time=Timestamp(seconds=SETUP_S + 70))))
    assert [record.reason for record in whole.rejected] == [records_pb2.REJECT_REASON_PART_MISSING]
    unanswered = [active("a", part=part, end_time=Timestamp(seconds=SETUP_S + 70)) for part in (1, 2)]
    assert correct(harness.store, *unanswered) == (0, 2, 0)
    assert stored(harness.store) == [("a", "2026-03-29T08:00:00Z", "", 1)]


def test_a_session_that_has_not_ended_cannot_be_corrected(harness: StoreHarness) -> None:
    write(harness.store, active("a"))
    outcome = harness.store.write(corrections(active("a", orig_clients_name="x")))
    assert [record.reason for record in outcome.rejected] == [records_pb2.REJECT_REASON_MISSING_END_TIME]


def test_many_corrections_of_one_call_take_little_time(harness: StoreHarness) -> None:
    parts = [finished("a", part=(number * 7_919) % 20_011 + 1) for number in range(20_000)]
    begin = time.monotonic()
    outcome = harness.store.write(corrections(*parts))
    # 16,000 took 2 s of a release build when each correction read all parts, and 50,000 took two minutes.
    assert time.monotonic() - begin < 5
    assert (outcome.accepted, outcome.replaced, len(outcome.rejected)) == (1, 9_999, 10_000)
    assert {record.reason for record in outcome.rejected} == {records_pb2.REJECT_REASON_TOO_MANY_PARTS}


def test_a_correction_outranks_a_refused_version_that_is_durable(harness: StoreHarness) -> None:
    write(harness.store, finished("a", orig_clients_name="first"))
    elsewhere = harness.directory.with_name("elsewhere")
    harness.directory.rename(elsewhere)
    with pytest.raises(StoreReadOnlyError):
        write(harness.store, finished("a", orig_clients_name="refused", revision=5))
    elsewhere.rename(harness.directory)
    with pytest.raises(StoreReadOnlyError, match="corrections wait for the next flush"):
        correct(harness.store, finished("a", orig_clients_name="corrected"))
    assert write(harness.store, finished("b")) == (1, 0, 0)
    harness.maintain()
    assert correct(harness.store, finished("a", orig_clients_name="corrected")) == (0, 1, 0)
    harness.reopen_after_kill()
    found = rows(harness.store, "session_id", "orig_clients_name")
    assert [row.orig_clients_name for row in found if row.session_id == "a"] == ["corrected"]


@pytest.mark.parametrize("event", ["START", "UPDATE", "END"])
def test_an_event_is_no_correction(event: str, harness: StoreHarness) -> None:
    bad = finished("b", event=f"SESSION_EVENT_{event}")
    outcome = harness.store.write(corrections(finished("a"), bad, finished("c")))
    assert outcome.accepted == 2
    (rejected,) = outcome.rejected
    assert (rejected.index, rejected.reason) == (1, records_pb2.REJECT_REASON_EVENT_IN_CORRECTION)
    assert "only whole records" in rejected.description


def test_a_correction_obeys_the_limit_of_versions(tmp_path: Path) -> None:
    least = replace(MANUAL_MAINTENANCE, tuning=Tuning(record_versions_bytes_max=0))
    with StoreHarness(tmp_path / "store", least) as harness:
        write(harness.store, finished("a", part=1), finished("a", part=2))
        (rejected,) = harness.store.write(corrections(finished("a", part=1, account_id="x"))).rejected
        assert rejected.reason == records_pb2.REJECT_REASON_TOO_MANY_PARTS
