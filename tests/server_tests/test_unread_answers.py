"""Answers that clients do not read: their bytes are bounded, and who reads is not refused."""

import time
from collections.abc import Callable

import pytest
from load.http2_peer import Peer, message, opening_with_window
from pegcount.config import Config, LiveConfig
from pegcount.server.connections import Connection, Connections
from pegcount.server.unread_answers import UnreadAnswers
from pegcount.v1 import reports_pb2
from service import Service
from waiting import wait_until

from server_tests.example_requests import ASK_USAGE, changed

USAGE = "/pegcount.v1.ReportService/QueryAsrUsage"
MINUTES = changed(ASK_USAGE, granularity=reports_pb2.GRANULARITY_MINUTE, to_time="2026-04-08")
"""An answer of several 100 kB."""

Start = Callable[..., Service]


def answers(all_max: int, connection_max: int) -> tuple[UnreadAnswers, list[Connection]]:
    config = Config(unread_answer_bytes_max=all_max, unread_answer_bytes_per_connection_max=connection_max)
    connections = Connections(config)
    return UnreadAnswers(LiveConfig(config)), [
        connections.enter(f"ipv4:10.0.0.1:{port}") for port in (1, 2, 3)
    ]


def test_a_connection_with_too_many_unread_bytes_is_refused() -> None:
    unread, (one, other, _) = answers(1_000, 100)
    unread.add(one, one, 60)
    assert unread.refusal(one) is None
    unread.add(one, one, 40)
    error = unread.refusal(one)
    assert (
        str(error) == "100 bytes of answers of this connection are unread; 100 are allowed: read them first"
    )
    assert unread.refusal(other) is None
    unread.remove(one, one, 40)
    assert unread.refusal(one) is None


def test_when_all_hold_too_much_those_that_hold_most_are_refused() -> None:
    unread, (most, little, none) = answers(100, 100)
    unread.add(most, most, 90)
    unread.add(little, little, 10)
    assert "100 bytes of answers are unread, 90 of them of this connection" in str(unread.refusal(most))
    assert unread.refusal(little) is None
    assert unread.refusal(none) is None
    unread.remove(most, most, 90)
    assert unread.refusal(most) is None


def test_when_all_hold_twice_too_much_all_are_refused() -> None:
    unread, (most, little, none) = answers(100, 1_000)
    unread.add(most, most, 199)
    assert unread.refusal(none) is None
    unread.add(little, little, 1)
    assert "200 bytes of answers are unread, 0 of them of this connection" in str(unread.refusal(none))
    unread.remove(little, little, 1)
    assert unread.refusal(none) is None


def test_when_all_hold_too_much_a_client_must_read_sooner() -> None:
    unread, (one, other, _) = answers(100, 1_000)
    unread.add(one, one, 99)
    assert unread.stalled(0.0, {}) == []
    assert unread.stalled(2.1, {}) == []
    unread.add(other, other, 1)
    assert unread.stalled(2.2, {}) == [one]
    assert unread.stalled(4.3, {}) == [one, other]


@pytest.mark.parametrize(
    ("acknowledged", "is_stalled"),
    [(0, True), (16 * 1_024 - 1, True), (16 * 1_024, False)],
    ids=["nothing", "almost nothing", "enough"],
)
def test_a_client_must_go_on_reading(acknowledged: int, is_stalled: bool) -> None:
    unread, (one, _, _) = answers(1_000, 100)
    unread.add(one, one, 50)
    assert unread.stalled(0.0, {one.endpoint: 5_000}) == []
    # A status of a refused call is read, too, and does not count.
    one.total_call_count += 1
    found = unread.stalled(30.1, {one.endpoint: 5_000 + 1_024 + acknowledged})
    assert found == ([one] if is_stalled else [])


def test_a_client_that_has_read_an_answer_goes_on_reading() -> None:
    unread, (one, _, _) = answers(1_000, 100)
    unread.add(one, one, 50)
    unread.add(one, one, 1)
    assert unread.stalled(0.0, {}) == []
    unread.remove(one, one, 1)
    assert unread.stalled(30.1, {}) == []
    assert unread.stalled(60.3, {}) == [one]


def test_reports_of_a_client_that_does_not_read_are_refused(start: Start) -> None:
    service = start(unread_answer_bytes_per_connection_max=100_000)
    with Peer(service.address, opening=opening_with_window(0)) as peer:
        first = peer.open_call(peer.block(USAGE))
        assert peer.send_data(first, message(MINUTES.SerializeToString()), time.monotonic() + 5)
        wait_until(lambda: is_refused(peer))
        assert len(service.reports.QueryAsrUsage(MINUTES, timeout=10).bins) == 14_400
        peer.open_window(2**30)
        wait_until(lambda: not is_refused(peer))


def is_refused(peer: Peer) -> bool:
    """Asks over the connection of the peer, without reading the answer, whether reports are refused."""
    stream = peer.open_call(peer.block(USAGE), end_stream=True)
    wait_until(lambda: peer.end_of(stream).how != "open")
    return "of this connection are unread" in peer.end_of(stream).message


def test_the_connection_of_a_client_that_does_not_read_is_closed(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service = start(answer_read_seconds=0.5)
    with Peer(service.address, opening=opening_with_window(0)) as peer, Peer(service.address) as reader:
        address = peer.local_address
        for each in (peer, reader):
            stream = each.open_call(each.block(USAGE))
            assert each.send_data(stream, message(MINUTES.SerializeToString()), time.monotonic() + 5)
        assert peer.wait_for_close(10)
        assert not reader.is_closed
    (line,) = [record.getMessage() for record in caplog.records if "unread" in record.getMessage()]
    assert line.startswith(f"client {address} left ")
    assert line.endswith(" bytes of answers unread for 0.5 s; closed its connection")
