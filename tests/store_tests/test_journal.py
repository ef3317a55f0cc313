"""The journal: group commit, what an acknowledgement survives, and damage of its files."""

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
    StoreOpenError,
    StoreReadOnlyError,
)
from pegcount.model import Present, WriteOutcome
from pegcount.store import EmbeddedStore

from store_tests.store_fixtures import (
    BY_HAND,
    SETUP_S,
    Reopening,
    active,
    batch,
    file_size_limit,
    finished,
    names,
    write,
)

HEADER_BYTES = 32


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Reopening]:
    with Reopening(tmp_path / "store", BY_HAND) as reopening:
        yield reopening


def test_many_threads_share_the_journal(held: Reopening) -> None:
    """Some records come from several threads at once: one of them is the first, whichever it is."""
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda number: submit_and_wait(held.store, number), range(160)))
    records = [f"{number}/{i}" for number in range(160) for i in range(5)] + ["everybody's"]
    assert sum(outcome.accepted for outcome in outcomes) == len(records)
    assert sum(outcome.duplicates for outcome in outcomes) == 159
    assert [outcome.replaced for outcome in outcomes] == [0] * 160
    assert sorted(names(held.store)) == sorted(records)
    held.reopen()
    assert sorted(names(held.store)) == sorted(records)


def submit_and_wait(store: EmbeddedStore, number: int) -> WriteOutcome:
    own = [finished(f"{number}/{i}", SETUP_S + i) for i in range(5)]
    return store.submit(batch(*own, finished("everybody's"))).wait()


def test_threads_write_while_others_seal_and_merge(held: Reopening) -> None:
    held.config = replace(BY_HAND, seal_row_count=50, active_copy_row_count=0, segment_row_count_max=200)
    held.reopen()
    stop = threading.Event()
    with ThreadPoolExecutor(5) as threads:
        keeping = threads.submit(maintain_until, stop, held.store)
        list(threads.map(lambda number: begin_and_end(held.store, number), range(60)))
        stop.set()
        assert keeping.result() > 0
    assert held.store.info().segments > 0
    everything = sorted(f"{number}/{i}" for number in range(60) for i in range(20))
    for _ in range(2):
        assert sorted(names(held.store)) == everything
        assert names(held.store, [Present("end_time", wanted=False)]) == []
        held.reopen()


def maintain_until(stop: threading.Event, store: EmbeddedStore) -> int:
    """Looks after a store again and again; gives how often it did."""
    looks = 0
    while not stop.is_set():
        store.maintain()
        looks += 1
    return looks


def begin_and_end(store: EmbeddedStore, number: int) -> None:
    begun = store.submit(batch(*(active(f"{number}/{i}") for i in range(20))))
    ended = store.submit(batch(*(finished(f"{number}/{i}") for i in range(20))))
    assert begun.wait().accepted == 20
    assert ended.wait().replaced == 20


def test_what_is_submitted_and_not_waited_for_is_durable_once_the_store_closes(held: Reopening) -> None:
    pending = [held.store.submit(batch(finished(f"f{i}"))) for i in range(3)]
    assert names(held.store) == []
    held.reopen()
    assert names(held.store) == ["f0", "f1", "f2"]
    assert [each.wait().accepted for each in pending] == [1, 1, 1]


def test_batches_of_one_caller_take_effect_in_their_order(held: Reopening) -> None:
    first = held.store.submit(batch(active("x")))
    second = held.store.submit(batch(finished("x")))
    third = held.store.submit(batch(finished("x")))
    outcomes = [pending.wait() for pending in (third, second, first)]
    counts = [(outcome.accepted, outcome.replaced, outcome.duplicates) for outcome in outcomes]
    assert counts == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]


def test_a_wait_may_be_repeated(held: Reopening) -> None:
    pending = held.store.submit(batch(finished("x"), finished("")))
    assert pending.wait() == pending.wait()
    assert (pending.wait().accepted, [each.index for each in pending.wait().rejected]) == (1, [1])


def test_whoever_brings_more_than_may_wait_writes_some_first(held: Reopening) -> None:
    held.config = replace(BY_HAND, waiting_bytes_max=1)
    held.reopen()
    # Whatever its size, one batch may wait: else it never could be written.
    first = held.store.submit(batch(finished("f1")))
    assert names(held.store) == []
    second = held.store.submit(batch(finished("f2")))
    assert names(held.store) == ["f1"]
    assert (first.wait().accepted, second.wait().accepted) == (1, 1)
    assert names(held.store) == ["f1", "f2"]


def test_a_batch_that_nobody_waits_for_is_written_all_the_same(held: Reopening) -> None:
    held.store.submit(batch(finished("f1")))
    held.store.maintain()
    assert names(held.store) == ["f1"]


def test_while_sealing_is_far_behind_batches_are_refused(held: Reopening) -> None:
    held.config = replace(BY_HAND, unsealed_row_count_max=2)
    held.reopen()
    write(held.store, *(finished(f"f{i}") for i in range(3)))
    with pytest.raises(OverloadedError, match="3 records wait to be sealed") as raised:
        held.store.submit(batch(active("a1")))
    assert raised.value.retry_seconds > 0
    held.flush()
    write(held.store, *(active(f"a{i}") for i in range(5)))
    assert write(held.store, finished("f3")) == (1, 0, 0)


def test_a_batch_of_too_many_records_is_refused_as_a_whole(held: Reopening) -> None:
    held.config = replace(BY_HAND, batch_row_count_max=2)
    held.reopen()
    assert write(held.store, finished("f1"), finished("f2")) == (2, 0, 0)
    # A record that is rejected counts too.
    for records in (
        [finished("f3"), finished("f4"), finished("f5")],
        [finished(""), finished(""), finished("x")],
    ):
        with pytest.raises(BatchLimitError) as raised:
            held.store.submit(batch(*records))
        assert raised.value.metadata == {"field": "records", "asked": "3", "allowed": "2"}
    assert names(held.store) == ["f1", "f2"]


def test_a_batch_without_good_records_leaves_nothing_in_the_journal(held: Reopening) -> None:
    assert held.store.write(batch(finished(""))).accepted == 0
    assert held.journal() == []


@pytest.mark.parametrize("at", [0, 9, 17, 25, HEADER_BYTES, HEADER_BYTES + 5, HEADER_BYTES + 9, 500, -1])
def test_a_flipped_bit_is_found(at: int, held: Reopening) -> None:
    write(held.store, finished("f1"))
    write(held.store, finished("f2"))
    held.store.close()
    (path,) = held.journal()
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(DataDamagedError) as raised:
        held.reopen()
    assert raised.value.metadata == {"file": str(path)}
    assert str(path) in str(raised.value)
    assert path.read_bytes() == content


def test_a_file_that_lost_its_end_is_found(held: Reopening) -> None:
    write(held.store, finished("f1"))
    held.store.close()
    (path,) = held.journal()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataDamagedError, match=str(path)):
        held.reopen()


@pytest.mark.parametrize("part", [1, 16, 300, -1])
def test_what_a_power_cut_left_of_a_batch_is_ignored(part: int, held: Reopening) -> None:
    write(held.store, finished("f1"))
    (path,) = held.journal()
    flushed = path.read_bytes()
    write(held.store, finished("f2"))
    held.store.close()
    # The header is as the flush before left it: nobody was told of the second batch.
    path.write_bytes(flushed + path.read_bytes()[len(flushed) :][:part])
    held.reopen()
    assert names(held.store) == ["f1"]
    assert write(held.store, finished("f2"), finished("f3")) == (2, 0, 0)
    held.reopen()
    assert names(held.store) == ["f1", "f2", "f3"]


def test_a_whole_batch_that_was_not_acknowledged_may_be_there(held: Reopening) -> None:
    write(held.store, finished("f1"))
    (path,) = held.journal()
    flushed = path.read_bytes()
    write(held.store, finished("f2"))
    held.store.close()
    path.write_bytes(flushed + path.read_bytes()[len(flushed) :])
    held.reopen()
    assert names(held.store) == ["f1", "f2"]
    assert write(held.store, finished("f2")) == (0, 0, 1)


@pytest.mark.parametrize("left", [0, 7, HEADER_BYTES])
def test_a_file_that_a_power_cut_left_before_its_first_batch(left: int, held: Reopening) -> None:
    write(held.store, finished("f1"))
    held.store.close()
    (path,) = held.journal()
    (path.parent / "00000002.log").write_bytes(b"\0" * left)
    held.reopen()
    assert write(held.store, finished("f2")) == (1, 0, 0)
    held.reopen()
    assert names(held.store) == ["f1", "f2"]


def test_each_start_begins_a_new_file_and_a_seal_removes_those_before(held: Reopening) -> None:
    for number in range(3):
        write(held.store, finished(f"f{number}"))
        held.reopen()
    assert len(held.journal()) == 3
    held.flush()
    assert len(held.journal()) == 1
    held.reopen()
    assert names(held.store) == ["f0", "f1", "f2"]


def test_files_that_a_crash_left_before_the_first_that_counts_are_not_read(held: Reopening) -> None:
    write(held.store, finished("f1"))
    (old,) = held.journal()
    held.flush()
    old.write_bytes(b"what is here does not matter" * 9)
    held.reopen()
    assert names(held.store) == ["f1"]
    assert old not in held.journal()


def test_no_journal_is_begun_where_there_is_no_place_for_it(tmp_path: Path) -> None:
    with Reopening(tmp_path / "store", BY_HAND) as held:
        (held.directory / "journal").touch()
        for _ in range(2):
            with pytest.raises(StoreReadOnlyError, match="journal"):
                held.store.write(batch(finished("f1")))
            assert held.store.write_fault is not None
            held.store.maintain()
        assert names(held.store) == []
        (held.directory / "journal").unlink()
        # Health is told without waiting for a batch.
        held.store.maintain()
        assert held.store.write_fault is None
        assert write(held.store, finished("f1")) == (1, 0, 0)


def test_a_file_in_place_of_the_journal_keeps_a_new_store_from_opening(tmp_path: Path) -> None:
    (tmp_path / "journal").touch()
    with pytest.raises(StoreOpenError):
        Reopening(tmp_path, BY_HAND)


def test_each_batch_of_a_group_that_fails_is_told(held: Reopening) -> None:
    write(held.store, finished("f0"))
    pending = [held.store.submit(batch(finished(f"f{i}"))) for i in (1, 2, 3)]
    with file_size_limit(held.journal()[0].stat().st_size):
        for each in pending:
            with pytest.raises(StoreReadOnlyError, match="no records are taken now"):
                each.wait()
    assert names(held.store) == ["f0"]
    assert write(held.store, finished("f1")) == (1, 0, 0)
    assert held.store.write_fault is None
    held.reopen()
    assert names(held.store) == ["f0", "f1"]


def test_a_seal_after_a_failed_write_ends_its_fault(held: Reopening) -> None:
    write(held.store, finished("f0"))
    with file_size_limit(HEADER_BYTES), pytest.raises(StoreReadOnlyError):
        held.store.write(batch(finished("f1")))
    held.flush()
    assert write(held.store, finished("f1")) == (1, 0, 0)
    held.store.maintain()
    assert held.store.write_fault is None
