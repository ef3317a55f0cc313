"""Listening: the address, and the options of gRPC that bound what a connection may do."""

import ipaddress
import socket

import grpc

from pegcount.config import Config
from pegcount.errors import PegcountError

_AGE_JITTER = 0.1
"""Share by which gRPC varies the maximum age of a connection, up and down."""
_MS_PER_S = 1_000
_PENDING_CALL_COUNT_MAX = 1_000_000

Option = tuple[str, int]


class ListenError(PegcountError):
    """The server cannot, or shall not, listen on the address."""


def bind(server: grpc.aio.Server, address: str) -> int:
    """Binds a server to `HOST:PORT` and returns the port; raises ListenError if that is impossible."""
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {address}: in use, or no HOST:PORT of this machine") from error


def require_loopback(address: str) -> None:
    """Raises ListenError for an address that other hosts may reach, or that does not exist."""
    if address.startswith("unix:"):
        return
    host, _, _ = address.rpartition(":")
    if not host or not all(map(_is_loopback, _resolved(host.strip("[]"), address))):
        raise ListenError(
            f"other hosts can reach {address}, and everyone who does may read and write all records, as"
            " nobody needs a key yet: listen on a loopback address such as 127.0.0.1:50051, or accept it"
            " with --insecure-listen"
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
        # gRPC would reset calls beyond 1,000 that the event loop has not seen yet, and clients would take
        # them for cancelled. The number of connections, times the calls of each, bounds them.
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


def _resolved(host: str, address: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {error.strerror}") from error
    return [str(entry[4][0]) for entry in found]


def _is_loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip.partition("%")[0]).is_loopback
