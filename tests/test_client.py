"""`RecordWriter`: pipelining, retries of overloaded calls, and errors that it does not retry."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pegcount import core, errors
from pegcount.client import CallError, Client, RecordWriter
from pegcount.config import Config
from pegcount.store import PendingWrite
from server_tests.streams import batch
from service import Service

QUICK = Config(retry_count_max=3, retry_seconds_min=0.001, retry_seconds_max=0.004)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path, QUICK) as running:
        yield running


@pytest.fixture
def writer(service: Service) -> Iterator[RecordWriter]:
    with Client(service.address) as client, client.record_writer(QUICK) as opened:
        yield opened


def fail_submissions(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: errors.PegcountError, calls: range
) -> list[bytes]:
    """Makes the submissions whose numbers (from 0) are in `calls` fail; returns all submitted messages."""
    submit, submitted = service.store.submit, list[bytes]()

    def submit_or_fail(message: bytes, cancel_token: core.CancelToken) -> PendingWrite:
        submitted.append(message)
        if len(submitted) - 1 in calls:
            raise error
        return submit(message, cancel_token)

    monkeypatch.setattr(service.store, "submit", submit_or_fail)
    return submitted


def test_batches_are_pipelined(writer: RecordWriter) -> None:
    sent = [writer.submit(batch(f"b{i}", f"s{i}", "")) for i in range(5)]
    outcomes = [pending.wait() for pending in sent]
    assert [(o.batch_id, o.accepted) for o in outcomes] == [(f"b{i}", 1) for i in range(5)]
    assert [[row.index for row in outcome.rejected] for outcome in outcomes] == [[1]] * 5
    assert outcomes[0].rejected[0].description
    assert sent[0].wait() is outcomes[0], "the outcome is cached"


def test_waiting_for_the_last_batch_waits_for_earlier_ones(writer: RecordWriter) -> None:
    first, last = writer.submit(batch("b0", "s0")), writer.submit(batch("b1", "s1"))
    assert (last.wait().batch_id, first.wait().batch_id) == ("b1", "b0")


OVERLOADED = errors.OverloadedError("too many bytes", 0.05)


def test_batches_refused_for_overload_are_resent_in_order(
    service: Service, writer: RecordWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = fail_submissions(service, monkeypatch, OVERLOADED, range(1, 4))
    start_time = time.monotonic()
    sent = [writer.submit(batch(f"b{i}", f"s{i}")) for i in range(4)]
    assert [pending.wait().batch_id for pending in sent] == ["b0", "b1", "b2", "b3"]
    assert time.monotonic() - start_time > 2 * 0.05, "the client waits for the RetryInfo delay"
    # One repetition comes from the server, which tries again once an earlier batch has made room.
    assert submitted == [batch(f"b{i}", f"s{i}") for i in (0, 1, 1, 1, 1, 2, 3)]


def test_retries_are_bounded_and_counted_afresh_after_each_answer(
    service: Service, writer: RecordWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_submissions(service, monkeypatch, errors.OverloadedError("m", 0.0), range(1, 1_000))
    sent = [writer.submit(batch(None, f"s{i}")) for i in range(2)]
    assert sent[0].wait().accepted == 1
    with pytest.raises(grpc.RpcError) as raised:
        sent[1].wait()
    assert isinstance(raised.value, grpc.Call)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


CORRECTED_BY_OTHERS = errors.CorrectionInProgressError("a", 5.0)


def test_a_writer_that_lost_its_stream_waits_until_the_server_notices(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = service.store.submit
    failures: list[errors.PegcountError] = [
        errors.StoreUnavailableError("lost", 0.0),
        *[CORRECTED_BY_OTHERS] * 2,
    ]

    def submit_or_fail(message: bytes, cancel_token: core.CancelToken) -> PendingWrite:
        if failures:
            raise failures.pop(0)
        return submit(message, cancel_token)

    monkeypatch.setattr(service.store, "submit", submit_or_fail)
    with Client(service.address) as client, client.record_writer(QUICK) as writer:
        assert writer.submit(batch("b", "s")).wait().accepted == 1
    assert failures == []


@pytest.mark.parametrize(
    "error",
    [
        errors.MalformedMessageError("no message"),
        errors.BatchLimitError("too many", asked=3, allowed=2),
        errors.StoreReadOnlyError("the disk is full"),
        CORRECTED_BY_OTHERS,
    ],
    ids=lambda error: type(error).__name__,
)
def test_permanent_refusals_are_not_retried(
    error: errors.PegcountError, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = fail_submissions(service, monkeypatch, error, range(1))
    with (
        pytest.raises(CallError, match=re.escape(str(error))),
        Client(service.address) as client,
        client.record_writer(QUICK) as writer,
    ):
        writer.submit(batch(None, "s0")).wait()
    assert len(submitted) == 1


def test_an_oversized_message_is_not_retried(tmp_path: Path) -> None:
    with (
        Service(tmp_path, Config(request_bytes_max=10)) as service,
        pytest.raises(CallError, match="RESOURCE_EXHAUSTED"),
        Client(service.address) as client,
        client.record_writer(Config()) as writer,
    ):
        writer.submit(batch(None, "s0")).wait()


def test_an_unreachable_server_is_reported() -> None:
    with (
        pytest.raises(CallError, match="no server answers"),
        Client("127.0.0.1:1") as client,
        client.record_writer(QUICK) as writer,
    ):
        writer.submit(batch(None, "s0")).wait()


def test_retry_delays_double_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("pegcount.client.time.sleep", waits.append)
    monkeypatch.setattr("pegcount.client.random.uniform", lambda _, high: high)
    config = Config(retry_count_max=5, retry_seconds_min=1.0, retry_seconds_max=5.0)
    with (
        pytest.raises(CallError),
        Client("127.0.0.1:1") as client,
        client.record_writer(config) as writer,
    ):
        writer.submit(batch(None, "s0")).wait()
    assert waits == [1, 2, 4, 5, 5]
