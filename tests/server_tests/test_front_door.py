"""The front door: calls and connections that cost the server and ask for nothing."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hyperframe.frame import DataFrame, RstStreamFrame, SettingsFrame
from load.http2_peer import CANCEL, PREFACE, Peer, message
from pegcount.config import Config
from service import Service
from waiting import at_best, stays, wait_until

from server_tests.example_requests import ASK_USAGE
from server_tests.refusal import refusal
from server_tests.streams import METHOD, Stream, batch, half_sent

Code = grpc.StatusCode
Start = Callable[..., Service]

USAGE = "/pegcount.v1.ReportService/QueryAsrUsage"
PROMPT_SECONDS = 3.0
"""Far more than a call takes, also on a busy host, and less than one that waits for others."""
READ_SECONDS = 4.0
"""How long a call may be half sent, where others might wait for it."""


def check_prompt(service: Service, attempt_count_max: int = 5) -> None:
    """Asserts that health and a report answer at once, of which one attempt is enough: a host may be busy."""
    health = health_pb2_grpc.HealthStub(service.channel)

    def seconds_of_calls() -> float:
        begin = time.monotonic()
        health.Check(health_pb2.HealthCheckRequest(), timeout=60)
        assert len(service.reports.QueryAsrUsage(ASK_USAGE, timeout=60).bins) == 24
        return time.monotonic() - begin

    at_best(seconds_of_calls, PROMPT_SECONDS, attempt_count_max)


def test_half_sent_calls_hold_up_nobody_and_end_in_time(start: Start) -> None:
    service = start(request_read_seconds=READ_SECONDS, calls_per_connection_max=128)
    with Peer(service.address) as peer:
        block = peer.block(USAGE)
        for _ in range(128):
            peer.open_call(block)
        # A second attempt would come when they have ended.
        check_prompt(service, attempt_count_max=1)
        peer.wait_for_ends(READ_SECONDS + 20)
        ends = peer.ends()
    assert {end.how for end in ends} == {"DEADLINE_EXCEEDED"}
    assert max(end.seconds for end in ends) < READ_SECONDS + PROMPT_SECONDS
    assert ends[0].message == "the request message did not arrive within 4 s"


def test_a_half_sent_message_ends_like_a_missing_one(start: Start) -> None:
    service = start(request_read_seconds=0.5)
    with Peer(service.address) as peer:
        stream = peer.open_call(peer.block(USAGE))
        peer.send_data(stream, message(ASK_USAGE.SerializeToString())[:-1], time.monotonic() + 5, False)
        peer.wait_for_ends(10)
        assert [end.how for end in peer.ends()] == ["DEADLINE_EXCEEDED"]


def test_one_of_too_many_half_sent_calls_ends(start: Start) -> None:
    service = start(unread_call_count_max=3)
    calls = [half_sent(service, USAGE[1:], seconds=20) for _ in range(4)]
    wait_until(lambda: any(call.done() for call in calls))
    (ended,) = [call for call in calls if call.done()]
    refused = refusal(ended.result)
    assert (refused.code, refused.info.reason) == (Code.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refused.message == "3 calls wait for their request message; no more are allowed"
    for call in calls:
        call.cancel()
    check_prompt(service)


def test_a_call_without_a_message_is_refused(start: Start) -> None:
    service = start()
    call: grpc.StreamUnaryMultiCallable[bytes, bytes] = service.channel.stream_unary(USAGE)
    refused = refusal(lambda: call(iter([])))
    assert (refused.code, refused.info.reason) == (Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    assert refused.message == "the call ended without a request message"


def test_a_slow_client_of_a_watch_is_told_the_same(start: Start) -> None:
    service = start(request_read_seconds=0.3)
    refused = refusal(half_sent(service, "grpc.health.v1.Health/Watch", seconds=20).result)
    assert refused.info.reason == "REQUEST_READ_TIMEOUT"


def test_a_path_that_is_not_utf_8_is_an_unknown_method(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service = start()
    with Peer(service.address) as peer:
        for path in (b"/\xff", b"/pegcount.v1.ReportService/\xc3", b"\xff", b""):
            peer.open_call(peer.block(path), end_stream=True)  # type: ignore[arg-type]
        peer.open_call(peer.block(USAGE, more=[("x-note", b"\xff\xfe")]))  # type: ignore[list-item]
        peer.wait_for_ends(20)
        assert {end.how for end in peer.ends()[:2]} == {"UNIMPLEMENTED"}
        check_prompt(service)
    assert caplog.records == []


@pytest.mark.parametrize("with_message", [False, True])
def test_a_client_that_resets_its_calls_is_disconnected(
    with_message: bool, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service = start(abandoned_call_burst_max=50)
    data = message(ASK_USAGE.SerializeToString()) if with_message else b""
    deadline = time.monotonic() + 20
    with Peer(service.address) as peer:
        block = peer.block(USAGE)
        # The server may notice none of the calls that were given up before it looked at them.
        while time.monotonic() < deadline:
            stream, frame = peer.headers(block)
            call = frame + (DataFrame(stream, data=data, flags=["END_STREAM"]).serialize() if data else b"")
            if not peer.send(call + RstStreamFrame(stream, error_code=CANCEL).serialize()):
                break
        assert peer.wait_for_close(10)
    check_prompt(service)
    check_log(caplog, "began and gave up too many calls, or was refused too many; closed its connection")


def check_log(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Asserts that the log has one line, about one client."""
    (record,) = caplog.records
    assert re.sub(r"\d+ ", "PORT ", record.message) == f"client 127.0.0.1:PORT {text}"


def test_long_names_are_refused_before_they_are_parsed(start: Start) -> None:
    service = start()
    health = health_pb2_grpc.HealthStub(service.channel)
    long = "n" * 1_000_000
    refused = refusal(lambda: health.Check(health_pb2.HealthCheckRequest(service=long)))
    assert (refused.code, refused.info.reason) == (Code.INVALID_ARGUMENT, "REQUEST_TOO_LARGE")
    assert refused.message == "the request has 1000004 bytes; 1024 are allowed"
    reflection = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=long)
    refused = refusal(lambda: list(reflection.ServerReflectionInfo(iter([asked]))))
    assert refused.message == "the request has 1000004 bytes; 1024 are allowed"


def test_a_client_that_leaves_while_it_is_answered_is_not_logged(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service = start()
    no_window = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()
    for _ in range(5):
        with Peer(service.address, opening=PREFACE + no_window) as peer:
            stream = peer.open_call(peer.block(METHOD))
            peer.send_data(stream, message(batch(None)) * 2, time.monotonic() + 5, end_stream=False)
            wait_until(lambda: service.open_stream_count() == 1)
            # Time for the server to begin the answers, which the client does not let through.
            stays(lambda: service.open_stream_count() == 1, 0.1)
        wait_until(lambda: service.open_stream_count() == 0)
    assert caplog.records == []


@pytest.mark.parametrize("thread_count", [24, 64])
def test_a_client_may_have_many_calls_at_once(thread_count: int, start: Start) -> None:
    """The client queues calls beyond the limit of a connection; the server refuses none of them."""
    service = start()
    with ThreadPoolExecutor(thread_count) as callers:
        calls = [callers.submit(service.reports.QueryAsrUsage, ASK_USAGE, timeout=60) for _ in range(800)]
        assert {len(call.result().bins) for call in calls} == {24}


def test_a_client_that_cancels_some_calls_stays(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    service = start(abandoned_call_burst_max=50)
    for _ in range(40):
        half_sent(service, USAGE[1:], seconds=20).cancel()
    for _ in range(100):
        stream = Stream(service.channel)
        stream.send(batch(None))
        stream.answer()
        stream.call.cancel()
    check_prompt(service)
    assert caplog.records == []


def test_a_client_that_floods_control_frames_is_disconnected(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service = start(control_burst_bytes_max=10_000, control_bytes_per_second_max=1_000)
    frames = SettingsFrame(0, settings={4: 65_535}).serialize() * 1_000
    with Peer(service.address) as peer:
        deadline = time.monotonic() + 10
        wait_until(lambda: peer.is_closed or not peer.send(frames, deadline), look_seconds=0.01)
        assert peer.wait_for_close(10)
    check_prompt(service)
    check_log(caplog, "sent too many control frames; closed its connection")


def test_messages_and_metadata_do_not_count_as_control_frames(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service = start(control_burst_bytes_max=10_000, control_bytes_per_second_max=1_000)
    large = batch(None, *(f"s{i}" for i in range(5_000)))
    with Stream(service.channel) as stream:
        for _ in range(5):
            stream.send(large)
            stream.answer()
            service.reports.QueryAsrUsage(ASK_USAGE, metadata=[("x-note", "n" * 4_000)])
            stays(lambda: service.open_stream_count() == 1, 2 * Config().connection_look_seconds)
        assert stream.end() == []
    assert caplog.records == []


def test_idle_connections_give_way_when_files_run_out(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()
    with Stream(service.channel) as busy, Peer(service.address) as idle:
        busy.send(batch(None))
        busy.answer()
        monkeypatch.setattr("pegcount.server.sockets.free_file_count", lambda: 3)
        assert idle.wait_for_close(10)
        busy.send(batch(None))
        assert busy.answer().accepted == 0, "a connection with calls stays"
    # Other servers of this process may run short of files, too.
    lines = {record.message.partition("; closed the ")[0] for record in caplog.records}
    assert lines == {"only 3 more files can be opened (see ulimit -n)"}
