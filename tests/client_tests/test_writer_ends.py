"""The end of the block of both writers, while others write: what `write` took is durable, or an error."""

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from pegcount.v1.records_pb2 import WriteRecordsResponse
from pegcount_client import PegcountError, RecordWriter, WriteSummary
from pegcount_client.record_batches import RecordBatch
from pegcount_client.write_summary import WriteTally
from server_tests.streams import DelayedStore
from service import Service
from waiting import wait_until

from client_tests.recording_server import recording
from client_tests.test_record_writer import record
from client_tests.twins import CLIENTS, ClientOf

THREAD_COUNT = 4


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Lets threads take turns within what a programmer may think of as one step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_record_of_another_during_the_end_is_refused(
    tmp_path: Path, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Service(tmp_path) as service,
        client_of(service.address) as client,
        ThreadPoolExecutor(2) as threads,
    ):
        store = DelayedStore(service, monkeypatch)
        writer = client.write_records()

        def write_in_block() -> None:
            with writer:
                writer.write(record(1))

        ending = threads.submit(write_in_block)
        wait_until(lambda: store.submitted, "the batch of the end")
        late = threads.submit(writer.write, record(2))
        store.go.set()
        ending.result(20)
        with pytest.raises(ValueError, match="the writer is ending or has ended"):
            late.result(20)
    assert writer.summary == WriteSummary(written=1, accepted=1, batches=1)


@pytest.mark.usefixtures("quick_switches")
def test_what_threads_wrote_until_the_end_is_durable(client_of: ClientOf) -> None:
    with (
        recording() as recorder,
        client_of(recorder.address) as client,
        ThreadPoolExecutor(THREAD_COUNT) as threads,
    ):
        for _ in range(15):
            writer = client.write_records(batch_record_max=1_000)
            with writer:
                taken = [threads.submit(write_until_refused, writer) for _ in range(THREAD_COUNT)]
                wait_until(lambda writer=writer: writer.summary.written > 50, "some records")  # type: ignore[misc]
            written = sum(each.result(20) for each in taken)
            assert (writer.summary.written, writer.summary.accepted) == (written, written)


def write_until_refused(writer: RecordWriter) -> int:
    """Returns how many records the writer took."""
    number = 0
    while True:
        try:
            writer.write(record(number))
        except ValueError:
            return number
        number += 1


def test_an_error_of_the_block_ends_the_waiting_of_others(
    tmp_path: Path, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Service(tmp_path) as service,
        client_of(service.address) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        store = DelayedStore(service, monkeypatch)
        writer = client.write_records(batch_record_max=1, unanswered_batch_max=1)
        waiting = list[Future[None]]()

        def fail_while_another_waits() -> None:
            with writer:
                writer.write(record(1))
                waiting.append(threads.submit(writer.write, record(2)))
                wait_until(lambda: writer.summary.written == 2, "the write that waits")
                raise KeyError("of the caller")

        with pytest.raises(KeyError):
            fail_while_another_waits()
        with pytest.raises(PegcountError, match="was closed"):
            waiting[0].result(20)
        store.go.set()


def test_answers_that_do_not_account_for_all_records_are_an_error() -> None:
    tally = WriteTally(None, None)
    batch = RecordBatch(b"", (record(1), record(2)), 0, "0")
    tally.take_answer(batch, WriteRecordsResponse(batch_id="0", accepted=2), 3, 0)
    tally.require_all_answered(2)
    with pytest.raises(PegcountError, match="account for 2 of 3 records"):
        tally.require_all_answered(3)
