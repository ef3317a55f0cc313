"""Both writers of records: batches, what became of each record, and servers that are lost."""

import asyncio
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cli_tests.test_command_line import serving
from cli_tests.test_entry import closed_port
from pegcount import errors
from pegcount.config import Config
from pegcount.v1 import admin_pb2
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from pegcount_client import (
    AsyncClient,
    Client,
    PegcountError,
    Record,
    RecordsRejectedError,
    RecordWriter,
    Rejection,
    RetryPolicy,
    WriteSummary,
)
from server_tests.example_requests import call_record
from server_tests.streams import DelayedStore
from service import Service
from waiting import stays, wait_until

from client_tests.failing_store import fail_submissions
from client_tests.recording_server import recording
from client_tests.twins import CLIENTS, ClientOf

QUICK = RetryPolicy(count_max=3, seconds_min=0.001, seconds_max=0.004)
PATIENT = RetryPolicy(count_max=1_000, seconds_min=0.02, seconds_max=0.1)
SETUP = datetime(2026, 3, 29, 8, tzinfo=UTC)


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        yield running


@pytest.fixture
def client(service: Service, client_of: ClientOf) -> Iterator[Client]:
    with client_of(service.address) as opened:
        yield opened


def record(number: int, **more: object) -> Record:
    end_time = SETUP + timedelta(seconds=number + 60)
    given: dict[str, object] = {"account_id": "1001", "end_time": end_time, **more}
    return Record(session_id=f"s{number}", setup_time=SETUP + timedelta(seconds=number), **given)  # type: ignore[arg-type]


def rejected(number: int) -> Record:
    """A call that was answered before it was set up."""
    return record(number, answer_time=SETUP - timedelta(1))


def write_all(writer: RecordWriter, records: Iterable[Record | SessionRecord]) -> None:
    with writer:
        for each in records:
            writer.write(each)


def stored_record_count(client: Client) -> int:
    return int(client.call(client.admin.GetStoreInfo, admin_pb2.GetStoreInfoRequest()).records)


def record_counts(submitted: list[bytes]) -> list[int]:
    return [len(WriteRecordsRequest.FromString(message).records) for message in submitted]


def test_at_the_end_of_the_block_all_records_are_durable(client: Client) -> None:
    with client.write_records(batch_record_max=10) as writer:
        for number in range(25):
            writer.write(record(number) if number % 2 else call_record(f"s{number}"))
    assert writer.summary == WriteSummary(written=25, accepted=25, batches=3)
    assert stored_record_count(client) == 25


def test_a_flush_returns_when_the_records_are_durable(service: Service, client: Client) -> None:
    with client.write_records() as writer:
        writer.flush()
        writer.write(record(1))
        assert writer.summary == WriteSummary(written=1)
        writer.flush()
        assert writer.summary == WriteSummary(written=1, accepted=1, batches=1)
        assert service.store.info().records == 1


def test_the_figures_come_after_each_answer(client: Client) -> None:
    seen: list[WriteSummary] = []
    with client.write_records(batch_record_max=2, progress=seen.append) as writer:
        for number in (1, 2, 1, 2, 3):
            writer.write(record(number, agent_id=None if number == 1 else f"a{len(seen)}"))
    assert [each.batches for each in seen] == [1, 2, 3]
    assert seen[-1] == writer.summary
    answered = seen[-1].accepted + seen[-1].replaced + seen[-1].duplicates
    assert (seen[-1].written, answered, seen[-1].accepted) == (5, 5, 3)


def test_a_batch_is_limited_by_its_bytes(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = fail_submissions(service, monkeypatch, errors.StoreReadOnlyError("never"), range(0))
    long_texts = {
        field.name: "x" * 256
        for field in SessionRecord.DESCRIPTOR.fields
        if field.cpp_type == field.CPPTYPE_STRING
        and field.name not in ("session_id", "customer_price", "vendor_price", "auth_orig_ip")
    }
    with client.write_records(batch_record_max=100_000) as writer:
        for number in range(400):
            writer.write(record(number, **long_texts))
    assert writer.summary.accepted == 400
    sizes = [len(message) for message in submitted]
    assert len(sizes) > 1
    assert max(sizes) <= 2**20 < sizes[0] + sizes[0] // record_counts(submitted)[0] + 64


def test_a_record_beyond_the_bytes_of_a_batch_goes_alone(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = fail_submissions(service, monkeypatch, errors.StoreReadOnlyError("never"), range(0))
    rejections: list[Rejection] = []
    with client.write_records(on_rejected=rejections.append) as writer:
        for given in (record(0), record(1, agent_id="x" * 2**20), record(2)):
            writer.write(given)
    assert record_counts(submitted) == [1, 1, 1]
    assert [(each.number, each.reason) for each in rejections] == [(1, "TEXT_TOO_LONG")]


# ---- Rejected records ----


def test_rejected_records_are_handed_out(client: Client) -> None:
    rejections: list[Rejection] = []
    too_early, without_id = record(4, answer_time=SETUP), SessionRecord(agent_id="mona")
    with client.write_records(batch_record_max=3, on_rejected=rejections.append) as writer:
        for given in (record(0), record(1), record(2), record(3), too_early, without_id, record(6)):
            writer.write(given)
        # What was written is what is handed out, even if the message has changed since.
        without_id.agent_id = "changed"
    assert [(each.number, each.reason) for each in rejections] == [
        (4, "ANSWER_BEFORE_SETUP"),
        (5, "MISSING_SESSION_ID"),
    ]
    assert rejections[0].record is too_early
    assert rejections[1].record == SessionRecord(agent_id="mona")
    assert "answer_time" in rejections[0].description
    assert (writer.summary.accepted, writer.summary.rejected) == (5, 2)


def test_without_a_callback_rejected_records_are_an_error_after_all_others_are_written(
    client: Client,
) -> None:
    writer = client.write_records(batch_record_max=40)
    with pytest.raises(RecordsRejectedError) as raised:
        write_all(writer, [record(number) if number % 2 == 0 else rejected(number) for number in range(300)])
    assert writer.summary.accepted == stored_record_count(client) == 150
    error = raised.value
    assert (error.rejected_count, len(error.violations)) == (150, 100)
    assert error.violations[0].field == "records[1]"
    assert error.violations[99].reason == "ANSWER_BEFORE_SETUP"
    assert str(error).startswith("150 of 300 records were rejected, all others are durable; correct and")
    assert "records[1]: answer_time" in str(error)
    assert str(error).endswith("; and 147 more")


def fail_after(writer: RecordWriter, given: Record) -> None:
    """Leaves the block of a writer by an error, after a record that is flushed and one that is not."""
    with writer:
        writer.write(given)
        writer.flush()
        writer.write(record(2))
        raise KeyError("of the caller")


def test_an_error_of_the_block_passes_with_a_note_of_what_was_rejected(client: Client) -> None:
    with pytest.raises(KeyError) as raised:
        fail_after(client.write_records(), rejected(1))
    (note,) = raised.value.__notes__
    assert note.startswith("The server had rejected records before, 1 in all: records[0]: answer_time")
    assert stored_record_count(client) == 0, "the record that was not sent is not written"


def test_an_error_of_the_block_without_rejected_records_passes_as_it_is(client: Client) -> None:
    with pytest.raises(KeyError) as raised:
        fail_after(client.write_records(), record(1))
    assert not hasattr(raised.value, "__notes__")
    assert stored_record_count(client) == 1


def test_the_callback_may_write_a_corrected_record(service: Service) -> None:
    def correct(rejection: Rejection) -> None:
        assert isinstance(rejection.record, Record)
        writer.write(replace(rejection.record, answer_time=None))
        writer.flush()

    with Client(service.address) as client:
        writer = client.write_records(batch_record_max=2, unanswered_batch_max=1, on_rejected=correct)
        write_all(writer, [record(number) if number % 3 == 0 else rejected(number) for number in range(9)])
        assert stored_record_count(client) == 9
    assert (writer.summary.accepted, writer.summary.rejected, writer.summary.written) == (9, 6, 15)


def test_corrections_take_the_place_of_what_is_stored(client: Client) -> None:
    for number, correct in enumerate((False, True)):
        with client.write_records(correct=correct) as writer:
            writer.write(record(7, account_id=f"100{number}"))
            writer.write(record(8, account_id="1001"))
    assert (writer.summary.replaced, writer.summary.duplicates) == (1, 1)


# ---- Back-pressure, threads ----


def test_the_unanswered_batches_are_bounded(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DelayedStore(service, monkeypatch)
    written: list[int] = []

    def write() -> None:
        with client.write_records(batch_record_max=1, unanswered_batch_max=3) as writer:
            for number in range(10):
                writer.write(record(number))
                written.append(number)

    thread = threading.Thread(target=write)
    thread.start()
    wait_until(lambda: len(written) == 3, "the writes that need no answer")
    stays(lambda: len(written) == 3 and len(store.submitted) <= 3, 0.2)
    store.go.set()
    thread.join(20)
    assert len(written) == 10
    assert stored_record_count(client) == 10


def test_threads_may_share_a_writer(client: Client) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 100):
            writer.write(record(number))
        writer.flush()

    with client.write_records(batch_record_max=7, unanswered_batch_max=2) as writer:
        threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 400, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert writer.summary.accepted == 400
    assert stored_record_count(client) == 400


# ---- Servers that are lost, refuse, or are away ----


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_restart_of_the_server_counts_each_record_once(
    end: signal.Signals, client_of: ClientOf, tmp_path: Path
) -> None:
    count, data = 20_000, tmp_path / "data"
    with (
        serving(data) as (address, server),
        client_of(address) as client,
        client.write_records(batch_record_max=100, retry=PATIENT) as writer,
    ):
        for number in range(count // 2):
            writer.write(record(number))
        os.kill(server.pid, end)
        server.wait(30)
        with serving(data, address):
            for number in range(count // 2, count):
                writer.write(record(number))
            writer.flush()
            assert stored_record_count(client) == count
    summary = writer.summary
    assert summary.resent > 0
    assert (summary.written, summary.accepted + summary.duplicates) == (count, count)


def test_a_writer_may_be_opened_before_its_server(client_of: ClientOf, tmp_path: Path) -> None:
    with closed_port() as address, client_of(address) as client:
        done = threading.Event()

        def write() -> None:
            with client.write_records(retry=PATIENT) as writer:
                writer.write(record(1))
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        stays(lambda: not done.is_set(), 0.3)
        with serving(tmp_path / "data", address):
            assert done.wait(20)
            thread.join()
            assert stored_record_count(client) == 1


def test_refusals_for_overload_are_survived(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_submissions(service, monkeypatch, errors.OverloadedError("too many bytes", 0.01), range(1, 6))
    retry = RetryPolicy(count_max=6, seconds_min=0.001, seconds_max=0.004)
    with client.write_records(batch_record_max=2, retry=retry) as writer:
        for number in range(10):
            writer.write(record(number))
    assert writer.summary.accepted == stored_record_count(client) == 10
    assert writer.summary.resent > 0


def test_after_a_permanent_refusal_each_call_raises_it(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_submissions(service, monkeypatch, errors.StoreReadOnlyError("the disk is full"), range(1, 100))
    with ExitStack() as stack:
        writer = stack.enter_context(client.write_records(batch_record_max=1, unanswered_batch_max=1))
        writer.write(record(0))
        writer.write(record(1))
        for call in (writer.flush, lambda: writer.write(record(2)), writer.flush, stack.close):
            with pytest.raises(PegcountError, match="the disk is full") as raised:
                call()
            assert raised.value.code is grpc.StatusCode.FAILED_PRECONDITION
            assert raised.value.reason == "STORE_READ_ONLY"
    assert writer.summary.accepted == stored_record_count(client) == 1


def test_a_writer_gives_up_after_the_retries_of_its_policy(client_of: ClientOf) -> None:
    with (
        client_of("127.0.0.1:1") as client,
        pytest.raises(PegcountError, match=re.escape("no server answers at 127.0.0.1:1")),
        client.write_records(retry=QUICK) as writer,
    ):
        writer.write(record(1))
    assert (writer.summary.written, writer.summary.resent) == (1, 3)


def test_after_an_idle_stream_the_next_write_opens_a_new_one(client_of: ClientOf, tmp_path: Path) -> None:
    config = Config(write_stream_idle_seconds=0.1, stream_look_seconds=0.05)
    with (
        Service(tmp_path, config) as service,
        client_of(service.address) as client,
        client.write_records() as writer,
    ):
        for number in range(3):
            writer.write(record(number))
            writer.flush()
            wait_until(lambda: service.open_stream_count() == 0, "the end of the idle stream")
    assert writer.summary.accepted == 3


def test_an_answer_that_does_not_account_for_each_record_is_an_error(client_of: ClientOf) -> None:
    with recording() as recorder, client_of(recorder.address) as client:
        recorder.forgotten = 1
        with pytest.raises(PegcountError, match="a batch of 3 records, from record 0 on, accounts for 2"):
            write_all(client.write_records(), [record(number) for number in range(3)])


def test_a_cancelled_write_has_still_written_its_record(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DelayedStore(service, monkeypatch)

    async def write() -> WriteSummary:
        async with AsyncClient(service.address) as client:
            async with client.write_records(batch_record_max=1, unanswered_batch_max=1) as writer:
                await writer.write(record(0))
                for number in (1, 2):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(writer.write(record(number)), 0.1)
                store.go.set()
            return writer.summary

    summary = asyncio.run(write())
    assert (summary.written, summary.accepted + summary.duplicates) == (3, 3)
    assert service.store.info().records == 3


# ---- Misuse ----


def test_a_writer_is_used_in_its_block(client: Client) -> None:
    writer = client.write_records()
    calls: list[Callable[[], None]] = [lambda: writer.write(record(1)), writer.flush]
    for call in calls:
        with pytest.raises(ValueError, match=r"in a block: `with client.write_records\(\) as writer:`"):
            call()
    with writer:
        writer.write(record(1))
    with pytest.raises(ValueError, match="the writer is ending or has ended"):
        writer.write(record(2))
    with pytest.raises(ValueError, match="a writer has one block"), writer:
        writer.write(record(2))


def test_anything_but_a_record_is_refused(client: Client) -> None:
    with client.write_records() as writer:
        with pytest.raises(TypeError, match="a Record or a SessionRecord is needed, not dict"):
            writer.write({"session_id": "s1"})  # type: ignore[arg-type]
        writer.write(record(1))
    assert writer.summary == WriteSummary(written=1, accepted=1, batches=1)


@pytest.mark.parametrize(
    "limits", [{"batch_record_max": 0}, {"batch_record_max": 100_001}, {"unanswered_batch_max": 0}]
)
def test_limits_that_cannot_work_are_refused(limits: dict[str, int], client: Client) -> None:
    ((name, value),) = limits.items()
    with pytest.raises(ValueError, match=f"{name}={value} must be"):
        client.write_records(**limits)  # type: ignore[arg-type]
