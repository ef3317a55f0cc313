"""Where the server listens: TCP addresses, Unix sockets, and an address of its own for AdminService."""

import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pegcount.config import Config
from pegcount.server import ListenOptions, require_safe
from pegcount.server.unix_socket import ListenError, UnixSocket, bind_unix
from pegcount.v1 import admin_pb2, admin_pb2_grpc, reports_pb2_grpc
from service import Service
from waiting import wait_until

from server_tests.example_requests import ASK_USAGE, call_record
from server_tests.refusal import refusal

Code = grpc.StatusCode
State = grpc.ChannelConnectivity
INFO = admin_pb2.GetStoreInfoRequest()
ADMIN, REPORTS = "pegcount.v1.AdminService", "pegcount.v1.ReportService"
HEALTH = "grpc.health.v1.Health"
STARTING_COUNT = 8


# ---- Addresses that need TLS and credentials ----


@pytest.mark.parametrize(
    "address", ["127.0.0.1:0", "127.9.9.9:50051", "[::1]:0", "localhost:50051", "unix:/run/pegcount.sock"]
)
def test_an_address_of_this_machine_needs_neither(address: str) -> None:
    require_safe(address, tls_is_on=False, auth_is_on=False)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:50051"])
def test_an_address_that_others_reach_needs_both(address: str) -> None:
    require_safe(address, tls_is_on=True, auth_is_on=True)
    without_tls = unsafe(address, tls_is_on=False, auth_is_on=True)
    assert "and TLS is off (--tls-cert and --tls-key switch it on): " in without_tls
    assert "credential" not in without_tls
    without_credentials = unsafe(address, tls_is_on=True, auth_is_on=False)
    assert "and no credential is needed (`pegcount key create` makes the first one): " in without_credentials
    assert "TLS" not in without_credentials
    without_both = unsafe(address, tls_is_on=False, auth_is_on=False)
    assert "TLS is off" in without_both
    assert "no credential is needed" in without_both
    for text in (without_tls, without_credentials, without_both):
        assert text.startswith(f"other hosts can reach {address}, and ")
        assert text.endswith("or accept it with --insecure-listen")


def test_an_address_that_does_not_exist() -> None:
    assert unsafe("pegcount.invalid:0", tls_is_on=False, auth_is_on=False).startswith("cannot listen on")


PORT = "its port must be a number from 0, which is any free one, to 65535"
HOST = "a host is an IP address or a name of letters, digits, dots and hyphens"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:65536", PORT),
        ("127.0.0.1:99999", PORT),
        ("127.0.0.1:4294967296", PORT),
        ("127.0.0.1:0000065536", PORT),
        ("127.0.0.1:-1", PORT),
        ("127.0.0.1:+1", PORT),
        ("127.0.0.1:http", PORT),
        ("127.0.0.1:٣", PORT),
        ("127.0.0.1:", PORT),
        ("127.0.0.1", PORT),
        ("127.0.0.1:50051/x", PORT),
        ("", PORT),
        ("[::1]", PORT),
        ("::1:50051", 'an IPv6 address needs brackets; did you mean "[::1]:50051"?'),
        ("2001:db8::7:0", 'an IPv6 address needs brackets; did you mean "[2001:db8::7]:0"?'),
        ("[127.0.0.1]:0", "only an IPv6 address has brackets"),
        ("[[::1]]:0", "only an IPv6 address has brackets"),
        ("dns:0.0.0.0:0", HOST),
        ("ipv4:0.0.0.0:0", HOST),
        ("dns:///0.0.0.0:0", HOST),
        ("http://127.0.0.1:0", HOST),
        ("127.0.0.1:50051,0.0.0.0:50052", HOST),
        ("%30.0.0.0:0", HOST),
        (" 127.0.0.1:0", HOST),
        ("localhost\t:0", HOST),
        ("vsock:1:2", HOST),
    ],
)
def test_an_address_of_another_form(address: str, reason: str, tmp_path: Path) -> None:
    """gRPC would take some of them, and listen on another port or host than an operator means."""
    expected = f"cannot listen on {address!r}, which is not HOST:PORT or unix:PATH: {reason}"
    for has_both in (False, True):
        assert unsafe(address, tls_is_on=has_both, auth_is_on=has_both) == expected
    with pytest.raises(ListenError) as raised:
        Service(tmp_path / "data", listen=address)
    assert str(raised.value) == expected


@pytest.mark.parametrize("port", ["0", "00000"])
def test_any_free_port(port: str, tmp_path: Path) -> None:
    with Service(tmp_path / "data", listen=f"127.0.0.1:{port}") as service:
        assert service.address != "127.0.0.1:0"
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)


def unsafe(address: str, *, tls_is_on: bool, auth_is_on: bool) -> str:
    """Returns why an address is refused."""
    with pytest.raises(ListenError) as raised:
        require_safe(address, tls_is_on=tls_is_on, auth_is_on=auth_is_on)
    return str(raised.value)


# ---- Unix sockets ----


def test_a_report_over_a_unix_socket_of_the_user_only(tmp_path: Path) -> None:
    path = tmp_path / "pegcount socket"
    with Service(tmp_path / "data", listen=f"unix:{path}") as service:
        assert service.address == f"unix:{path}"
        assert stat.filemode(path.stat().st_mode) == "srw-------"
        assert {each.name for each in tmp_path.iterdir()} == {"data", path.name}
        service.write(call_record("s1"))
        assert service.admin.GetStoreInfo(INFO, timeout=20).records == 1
    assert not path.exists()


def test_a_relative_path_is_one_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Service(tmp_path / "data", listen="unix:socket") as service:
        assert service.address == f"unix:{tmp_path}/socket"
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)


def test_the_socket_of_a_server_that_was_killed_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    with Service(tmp_path / "data", listen=f"unix:{path}") as service:
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)


def test_the_socket_of_another_server_stays(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Service(tmp_path / "first", listen=f"unix:{path}") as service:
        with pytest.raises(ListenError, match=f"cannot listen on {path}: another server does"):
            Service(tmp_path / "second", listen=f"unix:{path}")
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)


@pytest.mark.parametrize("is_left_over", [False, True])
def test_of_servers_that_begin_at_once_one_gets_the_socket(is_left_over: bool, tmp_path: Path) -> None:
    path, barrier = tmp_path / "socket", Barrier(STARTING_COUNT)
    if is_left_over:
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(str(path))
    listening: list[socket.socket] = []

    def bind(address: str) -> int:
        listening.append(socket.socket(socket.AF_UNIX))
        listening[-1].bind(address.removeprefix("unix:"))
        listening[-1].listen()
        return 1

    def start() -> UnixSocket | str:
        barrier.wait()
        try:
            return bind_unix(f"unix:{path}", bind)
        except ListenError as error:
            return str(error)

    with ThreadPoolExecutor(STARTING_COUNT) as pool:
        found = [future.result() for future in [pool.submit(start) for _ in range(STARTING_COUNT)]]
    for each in listening:
        each.close()
    (bound,) = (each for each in found if isinstance(each, UnixSocket))
    assert bound.inode == path.stat().st_ino
    assert found.count(f"cannot listen on {path}: another server does") == STARTING_COUNT - 1
    bound.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_replaced_by_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("kept")
    with pytest.raises(ListenError, match="a file is there already"):
        Service(tmp_path / "data", listen=f"unix:{path}")
    assert path.read_text() == "kept"


@pytest.mark.parametrize(
    ("name", "reason"), [("missing/socket", "No such file or directory"), ("x" * 120, "at most 107 bytes")]
)
def test_a_path_that_cannot_be_a_socket(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ListenError, match=reason):
        Service(tmp_path / "data", listen=f"unix:{tmp_path}/{name}")
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


def test_a_stop_closes_the_connections_of_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with (
        Service(tmp_path / "data", listen=f"unix:{path}") as service,
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.connect(str(path))
        client.settimeout(20)
        # What a server says first: one that has not accepted a connection yet resets it.
        assert client.recv(4_096)
        service.stop()
        assert all(iter(lambda: client.recv(4_096), b""))
        assert not path.exists()


def test_a_flood_over_a_unix_socket_closes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The clients of a Unix socket look like one, so none of them can be closed, nor may the log say so."""
    config = Config(abandoned_call_burst_max=5, connection_look_seconds=0.01)
    with Service(tmp_path / "data", config, listen=f"unix:{tmp_path}/socket") as service:
        for _ in range(30):
            with pytest.raises(grpc.RpcError):
                service.channel.unary_unary("/nothing/here")(b"", timeout=20)
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)
    assert "closed" not in caplog.text


# ---- An address for AdminService and reflection ----


@pytest.fixture(params=["127.0.0.1:0", "unix"])
def divided(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A server with an address of its own for AdminService: TCP, and a Unix socket."""
    admin = f"unix:{tmp_path}/admin" if request.param == "unix" else request.param
    with Service(tmp_path / "data", listen_options=ListenOptions(admin_address=admin)) as service:
        yield service


def test_admin_calls_are_answered_at_their_own_address_only(divided: Service) -> None:
    found = refusal(lambda: divided.admin.GetStoreInfo(INFO, timeout=20))
    assert (found.code, found.info.reason) == (Code.UNIMPLEMENTED, "METHOD_UNKNOWN")
    assert found.message == (
        f"there is no method '{ADMIN}/GetStoreInfo' here: the server answers its calls at the address of"
        " --admin-listen only"
    )
    with divided.new_channel(divided.addresses[1]) as channel:
        admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo(INFO, timeout=20)
        reports = reports_pb2_grpc.ReportServiceStub(channel)
        found = refusal(lambda: reports.QueryAsrUsage(ASK_USAGE, timeout=20))
        assert found.message == (
            f"there is no method '{REPORTS}/QueryAsrUsage' here: the server answers its calls at its main"
            " address"
        )
    divided.reports.QueryAsrUsage(ASK_USAGE, timeout=20)


def test_reflection_is_where_admin_calls_are(divided: Service) -> None:
    assert listed(divided, divided.addresses[1]) == {HEALTH, ADMIN, *reflection_names()}
    with pytest.raises(grpc.RpcError) as raised:
        listed(divided, divided.address)
    assert raised.value.code() is Code.UNIMPLEMENTED


def test_health_is_at_both_addresses(divided: Service) -> None:
    for address in divided.addresses:
        assert health(divided, address, "") == health_pb2.HealthCheckResponse.SERVING
        assert health(divided, address, ADMIN) == health_pb2.HealthCheckResponse.SERVING


def test_both_addresses_stop(divided: Service) -> None:
    divided.stop()
    for address in divided.addresses:
        with divided.new_channel(address) as channel, pytest.raises(grpc.RpcError) as raised:
            admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo(INFO, timeout=20)
        assert raised.value.code() is Code.UNAVAILABLE


@pytest.mark.parametrize("number", [0, 1])
def test_a_flood_at_either_address_ends_its_connection_only(number: int, tmp_path: Path) -> None:
    options = ListenOptions(admin_address="127.0.0.1:0")
    config = Config(abandoned_call_burst_max=20, connection_look_seconds=0.01)
    with Service(tmp_path, config, listen_options=options) as service:
        flooded = service.addresses[number]
        with service.new_channel(flooded) as flooding, service.new_channel(service.addresses[1]) as quiet:
            admin = admin_pb2_grpc.AdminServiceStub(quiet)
            admin.GetStoreInfo(INFO, timeout=20)
            states: list[grpc.ChannelConnectivity] = []
            flooding.subscribe(states.append)
            quiet_states: list[grpc.ChannelConnectivity] = []
            quiet.subscribe(quiet_states.append)
            wait_until(lambda: is_left_after_a_call(flooding, states), "the end of the connection")
            admin.GetStoreInfo(INFO, timeout=20)
            assert quiet_states == [State.READY]


def is_left_after_a_call(channel: grpc.Channel, states: "list[grpc.ChannelConnectivity]") -> bool:
    """Calls a method that does not exist; returns whether the connection was closed."""
    unknown: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/nothing/here")
    with pytest.raises(grpc.RpcError):
        unknown(b"", timeout=20)
    return State.READY in states and State.IDLE in states[states.index(State.READY) :]


def test_an_admin_address_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        options = ListenOptions(admin_address=f"127.0.0.1:{taken.getsockname()[1]}")
        main = free.getsockname()
        free.close()
        for name, listen in (("a", f"unix:{tmp_path}/socket"), ("b", f"127.0.0.1:{main[1]}")):
            with pytest.raises(ListenError, match=r"cannot listen on 127\.0\.0\.1:\d+: in use"):
                Service(tmp_path / name, listen=listen, listen_options=options)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(main, 5)
    assert not (tmp_path / "socket").exists()


# ---- Services that are switched off ----


def test_no_admin(tmp_path: Path) -> None:
    with Service(tmp_path, listen_options=ListenOptions(has_admin=False)) as service:
        found = refusal(lambda: service.admin.GetStoreInfo(INFO, timeout=20))
        assert found.code is Code.UNIMPLEMENTED
        assert found.message.endswith("here: the server runs with --no-admin")
        assert ADMIN not in listed(service, service.address)
        with pytest.raises(grpc.RpcError) as raised:
            health(service, service.address, ADMIN)
        assert raised.value.code() is Code.NOT_FOUND


def test_no_reflection(tmp_path: Path) -> None:
    with Service(tmp_path, listen_options=ListenOptions(has_reflection=False)) as service:
        service.admin.GetStoreInfo(INFO, timeout=20)
        with pytest.raises(grpc.RpcError, match="here: the server runs with --no-reflection"):
            listed(service, service.address)


def listed(service: Service, address: str) -> set[str]:
    """Returns the services that reflection lists at an address."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with service.new_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        (response,) = stub.ServerReflectionInfo(iter([request]), timeout=20)
    return {entry.name for entry in response.list_services_response.service}


def reflection_names() -> set[str]:
    return {f"grpc.reflection.{version}.ServerReflection" for version in ("v1", "v1alpha")}


def health(service: Service, address: str, name: str) -> int:
    """Returns the health of a service, as an address tells it."""
    with service.new_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        return int(health_pb2_grpc.HealthStub(channel).Check(request, timeout=20).status)
