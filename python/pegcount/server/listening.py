"""Listening: the address, and the options of gRPC that bound what a connection may do."""

import ipaddress
import socket
from dataclasses import dataclass

import grpc

from pegcount.config import Config
from pegcount.host_port import HostPortError, host_and_port
from pegcount.server.sockets import SocketName
from pegcount.server.unix_socket import SCHEME, ListenError, UnixSocket, bind_unix, is_unix

_AGE_JITTER = 0.1
"""Share by which gRPC varies the maximum age of a connection, up and down."""
_MS_PER_S = 1_000
_PENDING_CALL_COUNT_MAX = 32_768
"""Calls that the event loop has not seen yet, of those that gRPC hands over together. A call that its client
has reset stays one of them, with some 14 kB."""

Option = tuple[str, int]


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """An address on which a gRPC server listens."""

    text: str
    """What clients connect to: `HOST:PORT`, or `unix:PATH`."""
    socket_name: SocketName
    unix_socket: UnixSocket | None = None

    def release(self) -> None:
        """Removes the Unix socket, if it is one; the server has stopped listening."""
        if self.unix_socket is not None:
            self.unix_socket.remove()


def bind(
    server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None = None
) -> BoundAddress:
    """Binds a server to `HOST:PORT` (port 0 is any free port) or `unix:PATH`, for TLS with `credentials`.

    A Unix socket gets the mode 0600. Raises ListenError if the address is of another form, is in use, or
    cannot be bound.
    """

    def add_port(grpc_address: str) -> int:
        if credentials is None:
            return server.add_insecure_port(grpc_address)
        return server.add_secure_port(grpc_address, credentials)

    if is_unix(address):
        unix_socket = bind_unix(address, add_port)
        return BoundAddress(f"{SCHEME}{unix_socket.path}", unix_socket.bound_path, unix_socket)
    host = _host_of(address)
    try:
        port = add_port(address)
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {address}: in use, or no address of this machine") from error
    return BoundAddress(f"{host}:{port}", port)


def require_safe(address: str, *, tls_is_on: bool, auth_is_on: bool) -> None:
    """Raises ListenError for an address that other hosts may reach, unless it has TLS and credentials.

    Raises it also for an address that does not exist, or is of another form. A Unix socket and a
    loopback address need neither.
    """
    if is_unix(address):
        return
    host = _host_of(address)
    if tls_is_on and auth_is_on:
        return
    if host and all(map(_is_loopback, _resolved(host.strip("[]"), address))):
        return
    missing = [] if tls_is_on else ["TLS is off (--tls-cert and --tls-key switch it on)"]
    if not auth_is_on:
        missing.append("no credential is needed (`pegcount key create` makes the first one)")
    raise ListenError(
        f"other hosts can reach {address}, and {' and '.join(missing)}: change that, listen on a loopback"
        " address such as 127.0.0.1:50051, or accept it with --insecure-listen"
    )


def options(config: Config) -> list[Option]:
    """Returns the options of the gRPC server."""
    return [
        # A second server on the port is an error, not a silent partner.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", config.request_bytes_max),
        ("grpc.max_send_message_length", config.answer_bytes_max),
        # Between two limits, gRPC would refuse calls at random: at most a part of those with a long token.
        ("grpc.max_metadata_size", config.metadata_bytes_max),
        ("grpc.absolute_max_metadata_size", config.metadata_bytes_max),
        ("grpc.max_concurrent_streams", config.calls_per_connection_max),
        # gRPC would count calls that it has answered and not freed yet, of which clients know nothing, and so
        # refuse calls below the limit. `ConnectionGuard` stops clients that cancel what they begin.
        ("grpc.http.overload_protection", 0),
        ("grpc.server_handshake_timeout_ms", _ms(config.request_read_seconds)),
        # gRPC resets calls beyond this many, and clients take them for cancelled; by default it begins at
        # 1,000. Calls of honest clients number at most those of a connection times the connections, and the
        # event loop sees thousands a second. Without a limit, a flood of resets takes gigabytes.
        ("grpc.server.max_pending_requests", _PENDING_CALL_COUNT_MAX),
        ("grpc.server.max_pending_requests_hard_limit", _PENDING_CALL_COUNT_MAX),
        *_keepalive(config),
        *_lifetime(config),
    ]


def _keepalive(config: Config) -> list[Option]:
    """Pings silent clients, so that one that is gone or stopped is noticed, and welcomes pings of theirs."""
    return [
        ("grpc.keepalive_time_ms", _ms(config.keepalive_seconds)),
        ("grpc.keepalive_timeout_ms", _ms(config.keepalive_timeout_seconds)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(config.client_ping_seconds_min)),
    ]


def _lifetime(config: Config) -> list[Option]:
    """Makes clients connect anew from time to time, and closes connections without calls.

    gRPC asks the client to move its calls, at an age between `seconds` and `seconds` plus twice its jitter.
    RecordService ends its streams at the latest of these ages, which leaves them the grace before gRPC
    closes the connection.
    """
    lifetime = []
    if config.connection_idle_seconds_max:
        lifetime.append(("grpc.max_connection_idle_ms", _ms(config.connection_idle_seconds_max)))
    if config.connection_age_seconds_max:
        seconds = config.connection_age_seconds_max / (1 + _AGE_JITTER)
        grace = 2 * _AGE_JITTER * seconds + config.connection_age_grace_seconds
        lifetime.append(("grpc.max_connection_age_ms", _ms(seconds)))
        lifetime.append(("grpc.max_connection_age_grace_ms", _ms(grace)))
    return lifetime


def _ms(seconds: float) -> int:
    return round(seconds * _MS_PER_S)


def _host_of(address: str) -> str:
    try:
        return host_and_port(address)[0]
    except HostPortError as error:
        raise ListenError(
            f"cannot listen on {address!r}, which is not HOST:PORT or unix:PATH: {error}"
        ) from None


def _resolved(host: str, address: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {error.strerror}") from error
    return [str(entry[4][0]) for entry in found]


def _is_loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip.partition("%")[0]).is_loopback
