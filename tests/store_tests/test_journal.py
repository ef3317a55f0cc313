"""The journal: group commit, durability of acknowledged batches, and detection of damage."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pegcount.errors import (
    BatchLimitError,
    DataDamagedError,
    OverloadedError,
    PegcountError,
    StoreOpenError,
    StoreReadOnlyError,
)
from pegcount.model import Present, WriteOutcome
from pegcount.store import EmbeddedStore

from store_tests.store_fixtures import (
    MANUAL_MAINTENANCE,
    NO_LIMIT,
    SETUP_S,
    StoreHarness,
    active,
    batch,
    file_size_limit,
    finished,
    session_ids,
    write,
)

HEADER_BYTES = 40


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        yield harness


def test_threads_share_group_commits(harness: StoreHarness) -> None:
    """All threads send one common record; whichever is first creates it, the other 159 are duplicates."""
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda number: submit_and_wait(harness.store, number), range(160)))
    records = [f"{number}/{i}" for number in range(160) for i in range(5)] + ["everybody's"]
    assert sum(outcome.accepted for outcome in outcomes) == len(records)
    assert sum(outcome.duplicates for outcome in outcomes) == 159
    assert [outcome.replaced for outcome in outcomes] == [0] * 160
    assert sorted(session_ids(harness.store)) == sorted(records)
    harness.reopen()
    assert sorted(session_ids(harness.store)) == sorted(records)


def submit_and_wait(store: EmbeddedStore, number: int) -> WriteOutcome:
    own = [finished(f"{number}/{i}", SETUP_S + i) for i in range(5)]
    return store.submit(batch(*own, finished("everybody's")), NO_LIMIT).wait()


def test_threads_write_during_flushes_and_compactions(harness: StoreHarness) -> None:
    harness.config = replace(
        MANUAL_MAINTENANCE, seal_row_count=50, active_copy_row_count=0, segment_row_count_max=200
    )
    harness.reopen()
    stop = threading.Event()
    with ThreadPoolExecutor(5) as threads:
        maintenance = threads.submit(maintain_until, stop, harness.store)
        list(threads.map(lambda number: write_starts_then_ends(harness.store, number), range(60)))
        stop.set()
        assert maintenance.result() > 0
    assert harness.store.info().segments > 0
    everything = sorted(f"{number}/{i}" for number in range(60) for i in range(20))
    for _ in range(2):
        assert sorted(session_ids(harness.store)) == everything
        assert session_ids(harness.store, [Present("end_time", wanted=False)]) == []
        harness.reopen()


def maintain_until(stop: threading.Event, store: EmbeddedStore) -> int:
    """Runs maintenance until `stop` is set and returns the number of runs."""
    run_count = 0
    while not stop.is_set():
        store.maintain()
        run_count += 1
    return run_count


def write_starts_then_ends(store: EmbeddedStore, number: int) -> None:
    starts = store.submit(batch(*(active(f"{number}/{i}") for i in range(20))), NO_LIMIT)
    ends = store.submit(batch(*(finished(f"{number}/{i}") for i in range(20))), NO_LIMIT)
    assert starts.wait().accepted == 20
    assert ends.wait().replaced == 20


def test_closing_makes_submitted_batches_durable(harness: StoreHarness) -> None:
    pending = [harness.store.submit(batch(finished(f"f{i}")), NO_LIMIT) for i in range(3)]
    assert session_ids(harness.store) == []
    harness.reopen()
    assert session_ids(harness.store) == ["f0", "f1", "f2"]
    assert [each.wait().accepted for each in pending] == [1, 1, 1]


def test_batches_of_one_caller_are_applied_in_order(harness: StoreHarness) -> None:
    first = harness.store.submit(batch(active("x")), NO_LIMIT)
    second = harness.store.submit(batch(finished("x")), NO_LIMIT)
    third = harness.store.submit(batch(finished("x")), NO_LIMIT)
    outcomes = [pending.wait() for pending in (third, second, first)]
    counts = [(outcome.accepted, outcome.replaced, outcome.duplicates) for outcome in outcomes]
    assert counts == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]


def test_wait_is_idempotent(harness: StoreHarness) -> None:
    pending = harness.store.submit(batch(finished("x"), finished("")), NO_LIMIT)
    assert pending.wait() == pending.wait()
    assert (pending.wait().accepted, [each.index for each in pending.wait().rejected]) == (1, [1])


def test_a_full_queue_makes_the_caller_commit_first(harness: StoreHarness) -> None:
    harness.config = replace(MANUAL_MAINTENANCE, waiting_bytes_max=1)
    harness.reopen()
    # The first batch may always be queued, whatever its size; otherwise it could never be written.
    first = harness.store.submit(batch(finished("f1")), NO_LIMIT)
    assert session_ids(harness.store) == []
    second = harness.store.submit(batch(finished("f2")), NO_LIMIT)
    assert session_ids(harness.store) == ["f1"]
    assert (first.wait().accepted, second.wait().accepted) == (1, 1)
    assert session_ids(harness.store) == ["f1", "f2"]


def test_maintenance_commits_batches_without_a_waiter(harness: StoreHarness) -> None:
    harness.store.submit(batch(finished("f1")), NO_LIMIT)
    harness.store.maintain()
    assert session_ids(harness.store) == ["f1"]


def test_batches_are_refused_while_flushing_lags_behind(harness: StoreHarness) -> None:
    harness.config = replace(MANUAL_MAINTENANCE, unsealed_row_count_max=2)
    harness.reopen()
    write(harness.store, *(finished(f"f{i}") for i in range(3)))
    with pytest.raises(OverloadedError, match="3 records wait to be sealed") as raised:
        harness.store.submit(batch(active("a1")), NO_LIMIT)
    assert raised.value.retry_seconds > 0
    harness.flush()
    write(harness.store, *(active(f"a{i}") for i in range(5)))
    assert write(harness.store, finished("f3")) == (1, 0, 0)


def test_a_batch_over_the_row_limit_is_refused_as_a_whole(harness: StoreHarness) -> None:
    harness.config = replace(MANUAL_MAINTENANCE, batch_row_count_max=2)
    harness.reopen()
    assert write(harness.store, finished("f1"), finished("f2")) == (2, 0, 0)
    # Rejected records count towards the limit too.
    for records in (
        [finished("f3"), finished("f4"), finished("f5")],
        [finished(""), finished(""), finished("x")],
    ):
        with pytest.raises(BatchLimitError) as raised:
            harness.store.submit(batch(*records), NO_LIMIT)
        assert raised.value.metadata == {"field": "records", "asked": "3", "allowed": "2"}
    assert session_ids(harness.store) == ["f1", "f2"]


def test_a_fully_rejected_batch_is_not_journaled(harness: StoreHarness) -> None:
    assert harness.store.write(batch(finished(""))).accepted == 0
    assert [path.stat().st_size for path in harness.journal()] == [HEADER_BYTES]


@pytest.mark.parametrize("at", [0, 9, 17, 25, HEADER_BYTES, HEADER_BYTES + 5, HEADER_BYTES + 9, 500, -1])
def test_a_flipped_bit_is_detected(at: int, harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    write(harness.store, finished("f2"))
    harness.store.close()
    (path,) = harness.journal()
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(DataDamagedError) as raised:
        harness.reopen()
    assert raised.value.metadata == {"file": f"journal/{path.name}"}
    assert str(raised.value).startswith(f"journal/{path.name}: ")
    assert path.read_bytes() == content


def test_a_truncated_acknowledged_batch_is_detected(harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    harness.store.close()
    (path,) = harness.journal()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataDamagedError, match=f"journal/{path.name}"):
        harness.reopen()


@pytest.mark.parametrize("part", [1, 16, 300, -1])
def test_a_torn_unacknowledged_batch_is_ignored(part: int, harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    (path,) = harness.journal()
    flushed = path.read_bytes()
    write(harness.store, finished("f2"))
    harness.store.close()
    # The header still has the durable offset of the first flush, since the second was not acknowledged.
    path.write_bytes(flushed + path.read_bytes()[len(flushed) :][:part])
    harness.reopen()
    assert session_ids(harness.store) == ["f1"]
    assert write(harness.store, finished("f2"), finished("f3")) == (2, 0, 0)
    harness.reopen()
    assert session_ids(harness.store) == ["f1", "f2", "f3"]


def test_a_complete_unacknowledged_batch_is_replayed(harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    (path,) = harness.journal()
    flushed = path.read_bytes()
    write(harness.store, finished("f2"))
    harness.store.close()
    path.write_bytes(flushed + path.read_bytes()[len(flushed) :])
    harness.reopen()
    assert session_ids(harness.store) == ["f1", "f2"]
    assert write(harness.store, finished("f2")) == (0, 0, 1)


@pytest.mark.parametrize("byte_count", [0, 7, HEADER_BYTES])
def test_a_journal_file_without_batches_is_accepted(byte_count: int, harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    harness.store.close()
    (path,) = harness.journal()
    (path.parent / "00000002.log").write_bytes(b"\0" * byte_count)
    harness.reopen()
    assert write(harness.store, finished("f2")) == (1, 0, 0)
    harness.reopen()
    assert session_ids(harness.store) == ["f1", "f2"]


def test_each_start_creates_a_file_and_a_flush_removes_older_ones(harness: StoreHarness) -> None:
    for number in range(3):
        write(harness.store, finished(f"f{number}"))
        harness.reopen()
    assert len(harness.journal()) == 3
    harness.flush()
    assert len(harness.journal()) == 1
    harness.reopen()
    assert session_ids(harness.store) == ["f0", "f1", "f2"]


def test_journal_files_before_the_first_listed_one_are_ignored(harness: StoreHarness) -> None:
    write(harness.store, finished("f1"))
    (old,) = harness.journal()
    harness.flush()
    old.write_bytes(b"what is here does not matter" * 9)
    harness.reopen()
    assert session_ids(harness.store) == ["f1"]
    assert old not in harness.journal()


def test_writes_fail_until_the_journal_can_be_created(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        (harness.directory / "journal").touch()
        for _ in range(2):
            with pytest.raises(StoreReadOnlyError, match="journal"):
                harness.store.write(batch(finished("f1")))
            assert harness.store.write_fault is not None
            harness.store.maintain()
        assert session_ids(harness.store) == []
        (harness.directory / "journal").unlink()
        # Maintenance clears the fault, without waiting for a batch.
        harness.store.maintain()
        assert harness.store.write_fault is None
        assert write(harness.store, finished("f1")) == (1, 0, 0)


def test_a_fault_that_lasts_refuses_each_batch_and_says_why_until_it_ends(harness: StoreHarness) -> None:
    write(harness.store, finished("f0"))
    with file_size_limit(harness.journal()[-1].stat().st_size):
        for i in range(3):
            with pytest.raises(StoreReadOnlyError, match="File too large") as refused:
                harness.store.write(batch(finished(f"refused {i}")))
            assert harness.store.write_fault is not None
            assert harness.store.write_fault in str(refused.value)
            # Maintenance tries another file, and fails as well.
            with contextlib.suppress(PegcountError, OSError):
                harness.maintain()
            assert "File too large" in (harness.store.write_fault or "")
            assert session_ids(harness.store) == ["f0"]
    harness.maintain()
    assert harness.store.write_fault is None
    assert write(harness.store, finished("f1")) == (1, 0, 0)
    harness.reopen_after_kill()
    assert session_ids(harness.store) == ["f0", "f1"]


def test_a_file_named_journal_prevents_creating_a_store(tmp_path: Path) -> None:
    (tmp_path / "journal").touch()
    with pytest.raises(StoreOpenError):
        StoreHarness(tmp_path, MANUAL_MAINTENANCE)


def test_a_failed_group_commit_fails_each_of_its_batches(harness: StoreHarness) -> None:
    write(harness.store, finished("f0"))
    pending = [harness.store.submit(batch(finished(f"f{i}")), NO_LIMIT) for i in (1, 2, 3)]
    with file_size_limit(harness.journal()[0].stat().st_size):
        for each in pending:
            with pytest.raises(StoreReadOnlyError, match="no records are taken now"):
                each.wait()
    assert session_ids(harness.store) == ["f0"]
    assert write(harness.store, finished("f1")) == (1, 0, 0)
    assert harness.store.write_fault is None
    harness.reopen()
    assert session_ids(harness.store) == ["f0", "f1"]


def test_a_flush_clears_the_fault_of_a_failed_write(harness: StoreHarness) -> None:
    write(harness.store, finished("f0"))
    with file_size_limit(HEADER_BYTES), pytest.raises(StoreReadOnlyError):
        harness.store.write(batch(finished("f1")))
    harness.flush()
    assert write(harness.store, finished("f1")) == (1, 0, 0)
    harness.store.maintain()
    assert harness.store.write_fault is None
