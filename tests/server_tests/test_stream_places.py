"""Places of write streams: limits per server and per address, idle streams, old connections."""

import time
from collections.abc import Callable

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hyperframe.frame import SettingsFrame
from load.http2_peer import PREFACE, Peer, message
from service import Service
from waiting import stays, wait_until

from server_tests.refusal import Refusal, refusal
from server_tests.streams import METHOD, DelayedStore, Stream, batch

Code = grpc.StatusCode
Start = Callable[..., Service]


def opened(service: Service) -> Stream:
    """Opens a stream that has got its place."""
    stream = Stream(service.channel)
    stream.send(batch(None))
    stream.answer()
    return stream


def check_ended(refused: Refusal, reason: str) -> None:
    assert (refused.code, refused.info.reason) == (Code.UNAVAILABLE, reason)


def test_one_address_cannot_take_all_places(start: Start) -> None:
    service = start(write_stream_count_max=4, write_stream_count_per_peer_max=2)
    streams = [opened(service) for _ in range(2)]
    with Stream(service.channel) as third:
        third.send(batch(None))
        refused = refusal(third.answer)
    assert refused.info.reason == "OVERLOADED"
    assert refused.message == "2 write streams of 127.0.0.1 are in progress; no more are allowed"
    with Peer(service.address, local_host="127.0.0.2") as other:
        stream = other.open_call(other.block(METHOD))
        other.send_data(stream, message(batch(None)), time.monotonic() + 5)
        other.wait_for_ends(10)
        assert [end.how for end in other.ends()] == ["OK"]
    assert [stream.end() for stream in streams] == [[], []]


def test_the_stream_idle_for_longest_gives_way(start: Start) -> None:
    service = start(write_stream_count_max=2, stream_yield_seconds=0.0)
    idle, active = opened(service), opened(service)
    active.send(batch(None))
    active.answer()
    new = opened(service)
    check_ended(refusal(idle.answer), "STREAM_DISPLACED")
    assert [active.end(), new.end()] == [[], []]


def test_a_stream_whose_batch_is_being_written_does_not_give_way(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(write_stream_count_max=1, stream_yield_seconds=0.1)
    store = DelayedStore(service, monkeypatch)
    with Stream(service.channel) as working:
        working.send(batch("b0", "s0"))
        wait_until(lambda: len(store.submitted) == 1)
        # It is older than an idle stream needs to be to give way.
        stays(lambda: store.bytes_in_flight > 0, 0.3)
        with Stream(service.channel) as new:
            assert refusal(new.answer).info.reason == "OVERLOADED"
        store.go.set()
        assert working.answer().batch_id == "b0"


def test_a_stream_that_reads_no_answers_gives_way(start: Start) -> None:
    """The client allows the server no byte of its answers, so that sending waits for the client."""
    service = start(write_stream_count_max=1, stream_yield_seconds=0.2)
    no_window = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()
    with Peer(service.address, opening=PREFACE + no_window) as peer:
        stream = peer.open_call(peer.block(METHOD))
        peer.send_data(stream, message(batch(None)) * 2, time.monotonic() + 5, end_stream=False)
        wait_until(lambda: service.open_stream_count() == 1)
        # The server has an answer to send, which it cannot.
        stays(lambda: service.open_stream_count() == 1, 0.4)
        assert opened(service).end() == []
    wait_until(lambda: service.open_stream_count() == 0)


def test_a_stream_that_reads_again_after_its_end_gets_the_status(start: Start) -> None:
    """gRPC takes no status before the answer that waits for the client, who then waited for ever."""
    service = start(write_stream_idle_seconds=0.3)
    no_window = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()
    with Peer(service.address, opening=PREFACE + no_window) as peer:
        stream = peer.open_call(peer.block(METHOD))
        peer.send_data(stream, message(batch(None)) * 2, time.monotonic() + 5, end_stream=False)
        wait_until(lambda: service.open_stream_count() == 1)
        wait_until(lambda: service.open_stream_count() == 0)
        peer.open_window(2**20)
        peer.wait_for_ends(10)
        assert peer.end_of(stream).how == "UNAVAILABLE"


def test_an_idle_stream_ends_after_its_answers(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(write_stream_idle_seconds=0.3)
    store = DelayedStore(service, monkeypatch, seconds=0.6)
    with Stream(service.channel) as stream:
        stream.send(batch("b0", "s0"))
        assert stream.answer().batch_id == "b0", "a stream that waits for the store is not idle"
        assert store.bytes_in_flight == 0
        check_ended(refusal(stream.answer), "STREAM_IDLE")


def test_a_stream_of_an_old_connection_ends_after_its_answers(start: Start) -> None:
    service = start(connection_age_seconds_max=1.0)
    answered = []

    def write_on(stream: Stream) -> None:
        for i in range(10_000):
            stream.send(batch(None, f"s{i}"))
            answered.append(stream.answer())

    begin = time.monotonic()
    with Stream(service.channel) as stream:
        check_ended(refusal(lambda: write_on(stream)), "CONNECTION_AGE")
    assert 0.5 < time.monotonic() - begin < 5
    # The last batch may have come too late to be read.
    assert service.store.info().records == len(answered) > 0
    assert opened(service).end() == [], "the client connects anew"


def test_a_watch_of_an_old_connection_ends(start: Start) -> None:
    service = start(connection_age_seconds_max=1.0)
    watch = health_pb2_grpc.HealthStub(service.channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    check_ended(refusal(lambda: next(watch)), "CONNECTION_AGE")


def test_streams_have_no_age_or_idle_limit_at_zero(start: Start) -> None:
    service = start(connection_age_seconds_max=0.0, write_stream_idle_seconds=0.0)
    stream = opened(service)
    stays(lambda: service.open_stream_count() == 1, 1.5)
    stream.send(batch("b"))
    assert stream.answer().batch_id == "b"
    assert stream.end() == []
