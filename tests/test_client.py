"""Writing through the client: what is sent again, how often, and what is not."""

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pegcount import errors
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


def fail(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: errors.PegcountError, calls: range
) -> list[bytes]:
    """Lets some of the submissions fail, counted from 0; what was submitted."""
    submit, seen = service.store.submit, list[bytes]()

    def submit_or_fail(message: bytes) -> PendingWrite:
        seen.append(message)
        if len(seen) - 1 in calls:
            raise error
        return submit(message)

    monkeypatch.setattr(service.store, "submit", submit_or_fail)
    return seen


def test_batches_are_on_their_way_before_the_first_is_waited_for(writer: RecordWriter) -> None:
    sent = [writer.submit(batch(f"b{i}", f"s{i}", "")) for i in range(5)]
    outcomes = [pending.wait() for pending in sent]
    assert [(o.batch_id, o.accepted) for o in outcomes] == [(f"b{i}", 1) for i in range(5)]
    assert [[row.index for row in outcome.rejected] for outcome in outcomes] == [[1]] * 5
    assert outcomes[0].rejected[0].description
    assert sent[0].wait() is outcomes[0], "an answer is kept"


def test_waiting_for_the_last_waits_for_those_before_it(writer: RecordWriter) -> None:
    first, last = writer.submit(batch("b0", "s0")), writer.submit(batch("b1", "s1"))
    assert (last.wait().batch_id, first.wait().batch_id) == ("b1", "b0")


OVERLOADED = errors.OverloadedError("too many bytes", 0.05)


def test_what_an_overloaded_server_did_not_take_is_sent_again_in_order(
    service: Service, writer: RecordWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fail(service, monkeypatch, OVERLOADED, range(1, 4))
    began = time.monotonic()
    sent = [writer.submit(batch(f"b{i}", f"s{i}")) for i in range(4)]
    assert [pending.wait().batch_id for pending in sent] == ["b0", "b1", "b2", "b3"]
    assert time.monotonic() - began > 2 * 0.05, "the server says when to come again"
    # Once more by the server itself, as the batch before may have made room.
    assert seen == [batch(f"b{i}", f"s{i}") for i in (0, 1, 1, 1, 1, 2, 3)]


def test_tries_are_bounded_and_counted_anew_after_an_answer(
    service: Service, writer: RecordWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(service, monkeypatch, errors.OverloadedError("m", 0.0), range(1, 1_000))
    sent = [writer.submit(batch(None, f"s{i}")) for i in range(2)]
    assert sent[0].wait().accepted == 1
    with pytest.raises(grpc.RpcError) as raised:
        sent[1].wait()
    assert isinstance(raised.value, grpc.Call)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "error",
    [
        errors.MalformedMessageError("no message"),
        errors.BatchLimitError("too many", asked=3, allowed=2),
        errors.StoreReadOnlyError("the disk is full"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_server_refuses_for_good_is_not_sent_again(
    error: errors.PegcountError, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = fail(service, monkeypatch, error, range(1))
    with (
        pytest.raises(CallError, match=str(error)),
        Client(service.address) as client,
        client.record_writer(QUICK) as writer,
    ):
        writer.submit(batch(None, "s0")).wait()
    assert len(seen) == 1


def test_a_message_that_no_server_takes_is_not_sent_again(tmp_path: Path) -> None:
    with (
        Service(tmp_path, Config(request_bytes_max=10)) as service,
        pytest.raises(CallError, match="RESOURCE_EXHAUSTED"),
        Client(service.address) as client,
        client.record_writer(Config()) as writer,
    ):
        writer.submit(batch(None, "s0")).wait()


def test_a_server_that_is_not_there_is_told_in_the_end() -> None:
    with (
        pytest.raises(CallError, match="no server answers"),
        Client("127.0.0.1:1") as client,
        client.record_writer(QUICK) as writer,
    ):
        writer.submit(batch(None, "s0")).wait()


def test_waits_double_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
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
