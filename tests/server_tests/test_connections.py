"""Accounts of connections, and the sockets that they are read from."""

import select
import socket

import pytest
from pegcount.auth import Caller, Scope
from pegcount.config import Config
from pegcount.server.connections import Connections, turn_of
from pegcount.server.sockets import ListeningPort, endpoint_of
from waiting import wait_until

PEER, ENDPOINT = "ipv4:10.1.2.3:4000", ("10.1.2.3", 4000)
LIMITS = Config(
    control_burst_bytes_max=1_000,
    control_bytes_per_second_max=10,
    call_overhead_bytes=100,
    request_bytes_max=5_000,
    abandoned_call_burst_max=3,
    abandoned_calls_per_second_max=2.0,
)


class Accounts:
    """Connections with a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 50.0
        self.connections = Connections(LIMITS, lambda: self.now_s)

    def floods(self, received: int, after_s: float = 0.0) -> bool:
        """Looks twice at the same state; returns whether the second look finds a flood."""
        self.now_s += after_s
        assert self.connections.update({ENDPOINT: received}) == []
        return [each.endpoint for each in self.connections.update({ENDPOINT: received})] == [ENDPOINT]


@pytest.mark.parametrize(
    ("peer", "endpoint"),
    [
        ("ipv4:10.1.2.3:4000", ("10.1.2.3", 4000)),
        ("ipv6:%5B::1%5D:4000", ("::1", 4000)),
        ("ipv6:[fe80::1]:4000", ("fe80::1", 4000)),
        ("ipv6:%5B::ffff:10.1.2.3%5D:4000", ("10.1.2.3", 4000)),
        ("unix:/run/pegcount", ("unix:/run/pegcount", 0)),
        ("unix:", ("unix:", 0)),
        ("", ("", 0)),
    ],
)
def test_a_client_as_grpc_names_it(peer: str, endpoint: tuple[str, int]) -> None:
    assert endpoint_of(peer) == endpoint


def test_a_message_may_arrive_before_its_call_is_known() -> None:
    accounts = Accounts()
    assert accounts.connections.update({ENDPOINT: 4_000}) == []
    connection = accounts.connections.enter(PEER)
    assert not accounts.floods(4_000)
    connection.message_bytes += 3_900
    accounts.connections.leave(connection)
    assert not accounts.floods(4_000)


def test_control_frames_have_a_burst_and_a_rate() -> None:
    accounts = Accounts()
    assert not accounts.floods(1_000)
    assert not accounts.floods(1_100, after_s=10.0)
    assert accounts.floods(1_201, after_s=10.0)


def test_an_old_connection_has_saved_up_no_budget() -> None:
    accounts = Accounts()
    assert not accounts.floods(0)
    assert accounts.floods(1_011, after_s=1.0)
    accounts = Accounts()
    assert not accounts.floods(0, after_s=100_000.0)
    assert accounts.floods(1_011, after_s=1.0)


def test_calls_and_messages_explain_bytes() -> None:
    accounts = Accounts()
    connection = accounts.connections.enter(PEER)
    connection.message_bytes += 20_000
    accounts.connections.leave(connection)
    assert not accounts.floods(1_000 + 100 + 21_000)
    assert accounts.floods(1_000 + 100 + 21_000 + 1)


def test_the_message_of_a_refused_call_explains_bytes() -> None:
    accounts = Accounts()
    accounts.connections.note_refused(accounts.connections.of_peer(PEER))
    assert not accounts.floods(1_000 + 100 + 4 * 2**20)
    assert accounts.floods(1_000 + 100 + 4 * 2**20 + 1)


def test_the_messages_of_a_few_denied_calls_explain_bytes() -> None:
    accounts = Accounts()
    connection = accounts.connections.of_peer(PEER)
    for _ in range(100):
        accounts.connections.note_denied(connection)
    assert not accounts.floods(1_000 + 8 * 4 * 2**20)
    assert accounts.floods(1_000 + 8 * 4 * 2**20 + 1)


def test_a_call_in_progress_may_be_receiving_its_message() -> None:
    accounts = Accounts()
    connection = accounts.connections.enter(PEER)
    assert not accounts.floods(1_000 + 100 + 5_000)
    accounts.connections.leave(connection)
    assert accounts.floods(1_000 + 100 + 5_000)


def test_abandoned_calls_have_a_burst_and_a_rate() -> None:
    accounts = Accounts()
    connection = accounts.connections.enter(PEER)
    floods = accounts.connections.floods_with_calls
    assert [floods(connection) for _ in range(4)] == [False, False, False, True]
    accounts.now_s += 1.0
    assert [floods(connection) for _ in range(2)] == [False, True]


def test_answered_calls_make_up_for_abandoned_ones() -> None:
    accounts = Accounts()
    connection = accounts.connections.enter(PEER)
    for _ in range(20):
        accounts.connections.note_answered(connection)
        floods = [accounts.connections.floods_with_calls(connection) for _ in range(3)]
        assert not any(floods)
    assert accounts.connections.floods_with_calls(connection)


def test_idle_connections_come_in_the_order_of_their_last_call() -> None:
    accounts = Accounts()
    for port in (1, 2, 3):
        accounts.now_s += 1.0
        connection = accounts.connections.enter(f"ipv4:10.1.2.3:{port}")
        if port != 2:
            accounts.connections.leave(connection)
    accounts.now_s += 1.0
    accounts.connections.leave(accounts.connections.enter("ipv4:10.1.2.3:1"))
    assert [each.endpoint[1] for each in accounts.connections.idle(5)] == [3, 1]
    assert [each.endpoint[1] for each in accounts.connections.idle(1)] == [3]


def test_closed_connections_are_forgotten_once_their_calls_have_ended() -> None:
    accounts = Accounts()
    connection = accounts.connections.enter(PEER)
    accounts.now_s += 7.0
    accounts.connections.update({})
    assert accounts.connections.enter(PEER) is connection
    assert connection.age_s() == 7.0
    for _ in range(2):
        accounts.connections.leave(connection)
    accounts.connections.update({})
    assert accounts.connections.enter(PEER) is not connection


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_sockets_of_a_port(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        port = ListeningPort(listening.getsockname()[1])
        with socket.create_connection((host, listening.getsockname()[1])) as client:
            accepted, _ = listening.accept()
            endpoint = client.getsockname()[:2]
            client.sendall(b"x" * 1_000)
            wait_until(lambda: port.look().bytes_received.get(endpoint) == 1_000)
            port.disconnect({("127.0.0.9", 1)})
            client.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.recv(1)
            port.disconnect({endpoint})
            client.settimeout(10)
            assert client.recv(1) == b""
            accepted.close()
        port.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, listening.getsockname()[1]), 1)


def test_a_connection_is_shared_once_it_carries_calls_of_two_credentials() -> None:
    connection = Connections(Config()).enter("ipv4:10.0.0.1:1")
    one, other = (Caller(name, name, frozenset({Scope.READ_REPORTS}), None) for name in ("one", "other"))
    for caller, is_shared in ((one, False), (one, False), (other, True), (one, True)):
        connection.note_caller(caller)
        assert connection.is_shared == is_shared
    assert [turn_of(connection, None), turn_of(connection, one)] == [connection, "one"]


@pytest.mark.parametrize("waiting_bytes_max", [100, 99])
def test_a_paused_connection_wakes_its_reader_or_ends(waiting_bytes_max: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = ListeningPort(listening.getsockname()[1])
        with socket.create_connection(listening.getsockname()) as client:
            server, _ = listening.accept()
            with server, select.epoll() as poll:
                poll.register(server, select.EPOLLIN)
                endpoint = client.getsockname()
                number, peek = port.numbers()[endpoint], socket.MSG_PEEK | socket.MSG_DONTWAIT
                assert not port.pause(number, ("127.0.0.1", 1))
                assert port.pause(number, endpoint)
                client.send(b"x" * 100)
                wait_until(lambda: len(server.recv(200, peek)) == 100)
                assert poll.poll(0.1) == []
                goes_on = waiting_bytes_max == 100
                assert port.resume(number, endpoint, waiting_bytes_max) == goes_on
                assert poll.poll(10)
                assert len(server.recv(200)) == (100 if goes_on else 0)
