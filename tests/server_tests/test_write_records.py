"""WriteRecords: answers in order, back-pressure, and the ways in which a stream ends."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from pegcount import core, errors
from pegcount.config import Config
from pegcount.v1 import records_pb2
from service import Service
from waiting import stays, wait_until

from server_tests.example_requests import ASK_QUALITY, ASK_USAGE, active_record, call_record
from server_tests.refusal import Refusal, refusal
from server_tests.streams import DelayedStore, Request, Stream, batch

Code = grpc.StatusCode
Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services, closes them after the test, and asserts that no stream remains."""
    started: list[Service] = []

    def start_service(**limits: object) -> Service:
        service = Service(tmp_path / f"store{len(started)}", Config(**limits))  # type: ignore[arg-type]
        started.append(service)
        return service

    yield start_service
    for service in started:
        service.close()
        assert service.open_stream_count() == 0


def calls_of_a1(service: Service) -> int:
    answer = service.reports.QueryOriginationQuality(ASK_QUALITY, timeout=20)
    return int(answer.totals.total_calls)


def check(refused: Refusal, code: grpc.StatusCode, reason: str, *details: str) -> None:
    assert (refused.code, refused.info.reason) == (code, reason), refused.message
    assert refused.detail_names == [*details, "ErrorInfo"]


def test_batches_are_answered_in_order_with_their_ids(start: Start) -> None:
    service = start()
    with Stream(service.channel) as stream:
        stream.send(*(batch(f"b{i}", f"s{i}", f"t{i}") for i in range(20)))
        answers = stream.end()
    assert [answer.batch_id for answer in answers] == [f"b{i}" for i in range(20)]
    assert {(a.accepted, a.replaced, a.duplicates, len(a.rejected)) for a in answers} == {(2, 0, 0, 0)}
    assert calls_of_a1(service) == 40


@pytest.mark.parametrize("batch_id", [None, "", "b", "ü" * 128])
@pytest.mark.parametrize("id_comes_last", [False, True])
def test_the_batch_id_is_echoed_for_any_field_order(
    batch_id: str | None, id_comes_last: bool, start: Start
) -> None:
    """Protobuf fields may be in any order, and some encoders pick one at random."""
    first, second = batch(batch_id), batch(None, "s1")
    with Stream(start().channel) as stream:
        stream.send(second + first if id_comes_last else first + second)
        answer = stream.answer()
    assert answer.HasField("batch_id") == (batch_id is not None)
    assert (answer.batch_id, answer.accepted) == (batch_id or "", 1)


def test_the_answer_counts_each_kind_of_outcome(start: Start) -> None:
    service = start()
    records = [call_record("c1"), call_record(""), call_record("c1"), active_record("c2"), call_record("c3")]
    records[4].customer_price = "cheap"
    with Stream(service.channel) as stream:
        stream.send(Request(records=records).SerializeToString())
        answer = stream.answer()
        stream.send(Request(records=[call_record("c2", revision=1)]).SerializeToString())
        assert (stream.answer().replaced, stream.end()) == (1, [])
    assert (answer.accepted, answer.replaced, answer.duplicates) == (2, 0, 1)
    assert [(row.index, row.reason) for row in answer.rejected] == [
        (1, records_pb2.REJECT_REASON_MISSING_SESSION_ID),
        (4, records_pb2.REJECT_REASON_BAD_PRICE),
    ]
    assert "customer_price" in answer.rejected[1].description


@pytest.mark.parametrize("message", [b"", batch("nothing")])
def test_an_empty_batch_is_answered(message: bytes, start: Start) -> None:
    with Stream(start().channel) as stream:
        stream.send(message, batch("next", "s1"))
        first, second = stream.answer(), stream.answer()
    for name in ("accepted", "replaced", "duplicates"):
        assert (first.HasField(name), getattr(first, name)) == (True, 0)
    assert (second.batch_id, second.accepted) == ("next", 1)


def test_a_stream_without_batches_ends_with_ok(start: Start) -> None:
    with Stream(start().channel) as stream:
        assert stream.end() == []
        assert stream.call.code() is Code.OK


@pytest.mark.parametrize("malformed", [b"\xff", batch(None, "s")[:-1], b"\x12\x03\x12\x01\xff"])
def test_a_malformed_batch_ends_the_stream_after_earlier_answers(malformed: bytes, start: Start) -> None:
    service = start()
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s0"), batch("b1", "s1"), malformed, batch("b3", "s3"))
        assert [stream.answer().batch_id for _ in range(2)] == ["b0", "b1"]
        check(refusal(stream.answer), Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE", "BadRequest")
    assert calls_of_a1(service) == 2


REFUSALS = [
    (errors.BatchLimitError("too many", asked=3, allowed=2), Code.INVALID_ARGUMENT, "BadRequest"),
    (errors.OverloadedError("too many bytes", 2.5), Code.RESOURCE_EXHAUSTED, "RetryInfo"),
    (errors.StoreReadOnlyError("the disk is full"), Code.FAILED_PRECONDITION, None),
]


@pytest.mark.parametrize(("error", "code", "detail"), REFUSALS, ids=lambda value: type(value).__name__)
def test_a_batch_refused_by_the_store_ends_the_stream(
    error: errors.PegcountError,
    code: grpc.StatusCode,
    detail: str | None,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = start()
    store = DelayedStore(service, monkeypatch)
    submit_once = store.submit

    def submit_unless_third(message: bytes, cancel_token: core.CancelToken, writer: object = None) -> object:
        if len(store.submitted) == 2:
            raise error
        return submit_once(message, cancel_token)

    monkeypatch.setattr(service.store, "submit", submit_unless_third)
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s0"), batch("b1", "s1"), batch("b2", "s2"), batch("b3", "s3"))
        # The server submits to an overloaded store again after it has answered a batch of the stream.
        wait_until(lambda: len(store.submitted) == 2)
        store.go.set()
        assert [stream.answer().batch_id for _ in range(2)] == ["b0", "b1"]
        refused = refusal(stream.answer)
    check(refused, code, error.reason, *([detail] if detail else []))
    assert str(error) in refused.message
    assert calls_of_a1(service) == 2


def test_a_batch_that_cannot_be_made_durable_ends_the_stream(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()

    class FailingWrite:
        rejected_bytes = 0

        def wait_for_response(self) -> bytes:
            raise errors.StoreReadOnlyError("no space left on device")

    submit = service.store.submit
    monkeypatch.setattr(
        service.store,
        "submit",
        lambda m, cancel_token, writer: FailingWrite() if b"lost" in m else submit(m, cancel_token),
    )
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s0"), batch("lost", "s1"), batch("b2", "s2"))
        assert stream.answer().batch_id == "b0"
        refused = refusal(stream.answer)
    check(refused, Code.FAILED_PRECONDITION, "STORE_READ_ONLY")
    assert refused.message == "no space left on device"


def test_an_internal_fault_of_the_store_ends_the_stream(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()
    monkeypatch.setattr(service.store, "submit", lambda *_: 1 / 0)
    with Stream(service.channel) as stream:
        stream.send(batch(None, "s1"))
        refused = refusal(stream.answer)
    check(refused, Code.INTERNAL, "INTERNAL_FAULT")


def test_batches_are_given_up_with_their_stream(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service, tokens = start(), list[core.CancelToken]()
    submit = service.store.submit

    def noting_submit(message: bytes, cancel_token: core.CancelToken, writer: object = None) -> object:
        cancel_token.check()
        tokens.append(cancel_token)
        return submit(message, cancel_token)

    monkeypatch.setattr(service.store, "submit", noting_submit)
    with Stream(service.channel) as stream:
        stream.send(batch(None, "s1"))
        assert stream.answer().accepted == 1
        tokens[0].check()
    wait_until(lambda: is_cancelled(tokens[0]))


def is_cancelled(token: core.CancelToken) -> bool:
    try:
        token.check()
    except errors.CancelledError:
        return True
    return False


def test_acknowledged_records_are_in_the_next_report(start: Start) -> None:
    service = start()
    with Stream(service.channel) as stream:
        for i in range(20):
            stream.send(batch(None, f"s{i}"))
            assert stream.answer().accepted == 1
            assert calls_of_a1(service) == i + 1


def test_concurrent_streams_are_each_answered_in_order(start: Start) -> None:
    service = start()
    with Stream(service.channel) as one, Stream(service.channel) as other:
        for i in range(30):
            one.send(batch(f"one {i}", f"s{i}"))
            other.send(batch(f"other {i}", f"s{i}", f"t{i}"))
        answers = {"one": one.end(), "other": other.end()}
    for name, answered in answers.items():
        assert [answer.batch_id for answer in answered] == [f"{name} {i}" for i in range(30)]
    all_answers = [*answers["one"], *answers["other"]]
    assert sum(answer.accepted for answer in all_answers) == 60
    assert sum(answer.duplicates for answer in all_answers) == 30
    assert calls_of_a1(service) == 60


def test_a_batch_with_a_long_id_is_refused_as_a_whole(start: Start) -> None:
    service = start()
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s0"), batch("ü" * 128 + "b", "s1"))
        assert stream.answer().batch_id == "b0"
        refused = refusal(stream.answer)
    check(refused, Code.INVALID_ARGUMENT, "TEXT_TOO_LONG", "BadRequest")
    assert refused.metadata == {"field": "batch_id", "asked": "257", "allowed": "256"}
    assert refused.message == "batch_id: has 257 bytes; 256 are allowed"
    assert calls_of_a1(service) == 1


def test_a_batch_with_too_many_records_is_refused_without_a_look_at_them(start: Start) -> None:
    service = start(batch_row_count_max=3)
    malformed = batch(None, "s1", "s2", "s3") + b"\x12\x01\xff"
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s1", "s2", "s3"), malformed)
        assert stream.answer().accepted == 3
        check(refusal(stream.answer), Code.INVALID_ARGUMENT, "BATCH_LIMIT_EXCEEDED", "BadRequest")


BAD_BATCH = Request(records=[call_record("")] * 1_000).SerializeToString()
"""Each of its records is rejected, which takes some 35 bytes in the answer."""


def test_unsent_rejections_pause_the_reading_of_a_stream(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(stream_answer_bytes_max=50_000)
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as stream:
        stream.send(*[BAD_BATCH] * 6)
        wait_until(lambda: len(store.submitted) == 2)
        # The second batch made it more than 50,000 bytes.
        stays(lambda: len(store.submitted) == 2, 0.2)
        store.go.set()
        assert [len(answer.rejected) for answer in stream.end()] == [1_000] * 6


def test_a_stream_that_is_paused_ends_when_the_server_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path, Config(stream_answer_bytes_max=0))
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as stream:
        stream.send(BAD_BATCH, BAD_BATCH)
        wait_until(lambda: len(store.submitted) == 1)
        stopping = threading.Thread(target=service.stop)
        start_time = time.monotonic()
        stopping.start()
        wait_until(lambda: is_stopping(service))
        store.go.set()
        assert len(stream.answer().rejected) == 1_000
        check(refusal(stream.answer), Code.UNAVAILABLE, "SERVER_STOPPING")
        stopping.join(10)
    assert time.monotonic() - start_time < Config().stop_grace_seconds, "the grace period did not expire"
    assert len(store.submitted) == 1
    service.close()


def is_stopping(service: Service) -> bool:
    """Returns whether the server refuses new calls because it stops."""
    try:
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=10)
    except grpc.RpcError as error:
        return isinstance(error, grpc.Call) and error.code() is Code.UNAVAILABLE
    return False


def test_unanswered_batches_of_a_stream_are_bounded(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(stream_batch_count_max=3)
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as stream:
        stream.send(*(batch(f"b{i}", f"s{i}") for i in range(10)))
        wait_until(lambda: len(store.submitted) == 3)
        stays(lambda: len(store.submitted) == 3, 0.2)
        store.go.set()
        assert len(stream.end()) == 10
    assert calls_of_a1(service) == 10


def test_bytes_in_flight_are_bounded_for_fast_clients(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve clients send 30 batches each, far faster than a store that takes 5 ms per batch."""
    service = start(stream_batch_count_max=2, write_stream_count_per_peer_max=12)
    store = DelayedStore(service, monkeypatch, seconds=0.005)
    text = "x" * 250
    records = [call_record(f"s{i}", orig_clients_name=text, term_clients_name=text) for i in range(100)]
    message = Request(records=records).SerializeToString()
    streams = [Stream(service.channel) for _ in range(12)]
    for stream in streams:
        stream.send(*[message] * 30)
    assert [len(stream.end()) for stream in streams] == [30] * 12
    assert len(store.submitted) == 360
    assert store.bytes_in_flight == 0
    assert len(message) < store.bytes_in_flight_peak <= 12 * 2 * len(message)


def test_a_disconnecting_client_leaves_no_thread(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as stream:
        stream.send(batch(None, "s0"), batch(None, "s1"))
        wait_until(lambda: len(store.submitted) == 2)
    store.go.set()
    wait_until(lambda: service.open_stream_count() == 0)
    # The batches were not acknowledged, so they may or may not be stored. Here they are, as duplicates show.
    with Stream(service.channel) as second_stream:
        second_stream.send(batch(None, "s0", "s1"))
        assert second_stream.answer().duplicates == 2


@pytest.mark.parametrize("batches", [0, 1, 30])
def test_a_client_disconnects_with_a_full_or_empty_queue(
    batches: int, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = start(stream_batch_count_max=2, write_stream_count_max=1)
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as stream:
        stream.send(*(batch(None, f"s{i}") for i in range(batches)))
        wait_until(lambda: service.open_stream_count() == 1 and len(store.submitted) == min(batches, 2))
    store.go.set()
    wait_until(lambda: service.open_stream_count() == 0)
    wait_until(lambda: is_admitted(service))
    assert caplog.records == [], "a disconnecting client is not logged"


def is_admitted(service: Service) -> bool:
    """Returns whether the server admits one more stream."""
    with Stream(service.channel) as stream:
        stream.send(batch(None))
        try:
            return stream.answer().accepted == 0
        except grpc.RpcError:
            return False


def test_a_deadline_of_the_caller_ends_the_stream(start: Start) -> None:
    service = start()
    with Stream(service.channel, timeout_s=0.2) as stream:
        assert refusal(stream.answer).code is Code.DEADLINE_EXCEEDED
    wait_until(lambda: service.open_stream_count() == 0)


def test_a_stopping_server_answers_the_batches_it_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path)
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as idle, Stream(service.channel) as busy:
        busy.send(batch("b0", "s0"), batch("b1", "s1"))
        wait_until(lambda: len(store.submitted) == 2 and service.open_stream_count() == 2)
        stopping = threading.Thread(target=service.stop)
        start_time = time.monotonic()
        stopping.start()
        check(refusal(idle.answer), Code.UNAVAILABLE, "SERVER_STOPPING")
        store.go.set()
        assert [busy.answer().batch_id for _ in range(2)] == ["b0", "b1"]
        check(refusal(busy.answer), Code.UNAVAILABLE, "SERVER_STOPPING")
        stopping.join(10)
    assert time.monotonic() - start_time < Config().stop_grace_seconds, "the grace period did not expire"
    assert service.open_stream_count() == 0
    service.close()


def test_a_stopping_server_cancels_after_the_grace_period(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path, Config(stop_grace_seconds=0.2))
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s0"))
        wait_until(lambda: len(store.submitted) == 1)
        service.stop()
        assert refusal(stream.answer).code in (Code.UNAVAILABLE, Code.CANCELLED), "and no acknowledgement"
    store.go.set()
    service.close()
    assert service.open_stream_count() == 0


def test_a_message_over_the_limit_is_refused_by_grpc(start: Start) -> None:
    service = start(request_bytes_max=1_000)
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s0"))
        assert stream.answer().batch_id == "b0"
        stream.send(batch("b1", *(f"s{i}" for i in range(100))))
        refused = refusal(stream.answer)
    assert (refused.code, refused.detail_names) == (Code.RESOURCE_EXHAUSTED, [])
    assert "1000" in refused.message
