"""Both batch senders: pipelining, retries of overloaded calls, and errors that they do not retry."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pegcount import core, errors
from pegcount.config import Config
from pegcount.store import PendingWrite
from pegcount_client import AsyncClient, PegcountError, RetryPolicy
from pegcount_client.batch_sender import BatchSender
from server_tests.streams import DelayedStore, batch
from service import Service
from waiting import wait_until

from client_tests.failing_store import fail_submissions
from client_tests.twins import CLIENTS, ClientOf

QUICK = RetryPolicy(count_max=3, seconds_min=0.001, seconds_max=0.004)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        yield running


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


@pytest.fixture
def sender(service: Service, client_of: ClientOf) -> Iterator[BatchSender]:
    with client_of(service.address) as client, client.batch_sender(QUICK) as running:
        yield running


def test_batches_are_pipelined(sender: BatchSender) -> None:
    pending = [sender.submit(batch(f"b{i}", f"s{i}", "")) for i in range(5)]
    answers = [each.wait() for each in pending]
    assert [(a.batch_id, a.accepted) for a in answers] == [(f"b{i}", 1) for i in range(5)]
    assert [[row.index for row in answer.rejected] for answer in answers] == [[1]] * 5
    assert answers[0].rejected[0].description
    assert pending[0].wait() is answers[0], "the answer is kept"


def test_waiting_for_the_last_batch_waits_for_earlier_ones(sender: BatchSender) -> None:
    first, last = sender.submit(batch("b0", "s0")), sender.submit(batch("b1", "s1"))
    assert (last.wait().batch_id, first.wait().batch_id) == ("b1", "b0")


OVERLOADED = errors.OverloadedError("too many bytes", 0.05)


def test_batches_refused_for_overload_are_resent_in_order(
    service: Service,
    sender: BatchSender,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    submitted = fail_submissions(service, monkeypatch, OVERLOADED, range(1, 4))
    start_time = time.monotonic()
    pending = [sender.submit(batch(f"b{i}", f"s{i}")) for i in range(4)]
    assert [each.wait().batch_id for each in pending] == ["b0", "b1", "b2", "b3"]
    # With asyncio, gRPC may show a lost stream in place of the status, without its delay.
    is_told = "async" not in request.node.name
    waited_s = time.monotonic() - start_time
    assert waited_s > 2 * 0.05 or not is_told, "the client waits for the RetryInfo delay"
    assert submitted == [batch(f"b{i}", f"s{i}") for i in (0, 1, 1, 1, 1, 2, 3)]
    # The server tries once itself if an earlier batch may make room; else the sender resends each time.
    assert sender.resent_count in (2 * 3, 3 * 3)


def test_retries_are_bounded_and_counted_afresh_after_each_answer(
    service: Service, sender: BatchSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_submissions(service, monkeypatch, errors.OverloadedError("m", 0.0), range(1, 1_000))
    pending = [sender.submit(batch(None, f"s{i}")) for i in range(2)]
    assert pending[0].wait().accepted == 1
    with pytest.raises(PegcountError) as raised:
        pending[1].wait()
    assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")


CORRECTED_BY_OTHERS = errors.CorrectionInProgressError("a", 5.0)


def test_a_sender_that_lost_its_stream_waits_until_the_server_notices(
    service: Service, sender: BatchSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = service.store.submit
    failures: list[errors.PegcountError] = [
        errors.StoreUnavailableError("lost", 0.0),
        *[CORRECTED_BY_OTHERS] * 2,
    ]

    def submit_or_fail(message: bytes, cancel_token: core.CancelToken, writer: object = None) -> PendingWrite:
        if failures:
            raise failures.pop(0)
        return submit(message, cancel_token)

    monkeypatch.setattr(service.store, "submit", submit_or_fail)
    assert sender.submit(batch("b", "s")).wait().accepted == 1
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
    error: errors.PegcountError, service: Service, sender: BatchSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = fail_submissions(service, monkeypatch, error, range(1))
    with pytest.raises(PegcountError, match=re.escape(str(error))) as raised:
        sender.submit(batch(None, "s0")).wait()
    assert (raised.value.reason, raised.value.message) == (error.reason, str(error))
    assert raised.value.metadata == error.metadata
    assert len(submitted) == 1


def test_an_oversized_message_is_not_retried(tmp_path: Path, client_of: ClientOf) -> None:
    with (
        Service(tmp_path, Config(request_bytes_max=10)) as service,
        client_of(service.address) as client,
        client.batch_sender() as sender,
        pytest.raises(PegcountError, match="RESOURCE_EXHAUSTED"),
    ):
        sender.submit(batch(None, "s0")).wait()


def test_an_unreachable_server_is_reported(client_of: ClientOf) -> None:
    with (
        client_of("127.0.0.1:1") as client,
        client.batch_sender(QUICK) as sender,
        pytest.raises(PegcountError, match="no server answers"),
    ):
        sender.submit(batch(None, "s0")).wait()


def test_a_stream_that_the_server_ended_while_it_idled_costs_no_retry(
    tmp_path: Path, client_of: ClientOf
) -> None:
    policy = RetryPolicy(count_max=0)
    with (
        Service(tmp_path, Config(write_stream_idle_seconds=0.1, stream_look_seconds=0.05)) as service,
        client_of(service.address) as client,
        client.batch_sender(policy) as sender,
    ):
        for number in range(3):
            assert sender.submit(batch(None, f"s{number}")).wait().accepted == 1
            wait_until(lambda: not sender.has_stream(), "the end of the idle stream")
        assert sender.resent_count == 0


def test_a_stream_that_ends_while_batches_are_sent_loses_none(
    service: Service, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With asyncio, gRPC then tells INTERNAL, or cancels, in place of the status of the server."""
    fail_submissions(service, monkeypatch, errors.StoreUnavailableError("lost", 0.0), range(0, 2_000, 5))
    retry = RetryPolicy(count_max=100, seconds_min=0, seconds_max=0)
    with client_of(service.address) as client, client.batch_sender(retry) as sender:
        for first in range(0, 400, 8):
            pending = [sender.submit(batch(f"b{number}", f"s{number}")) for number in range(first, first + 8)]
            answers = [each.wait() for each in pending]
            assert [each.batch_id for each in answers] == [f"b{n}" for n in range(first, first + 8)]
    assert service.store.info().records == 400


def test_a_task_that_is_cancelled_while_it_waits_loses_no_batch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DelayedStore(service, monkeypatch)

    async def write() -> int:
        async with AsyncClient(service.address) as client, client.batch_sender(QUICK) as sender:
            pending = [sender.submit(batch(f"b{number}", f"s{number}")) for number in range(3)]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pending[1].wait(), 0.1)
            store.go.set()
            answers = await asyncio.gather(*(each.wait() for each in pending))
            assert [each.batch_id for each in answers] == ["b0", "b1", "b2"]
            return sender.resent_count

    assert asyncio.run(write()) == 3
    assert service.store.info().records == 3
