"""The sockets of a listening address, found among the open files of this process.

gRPC can neither list nor close the connections of a server. The operating system can: a socket that is shut
down looks to gRPC as if the client had closed the connection. Without `/proc/self/fd`, as on macOS, the
search finds nothing, and connections stay open.
"""

import errno
import os
import resource
import socket
import stat
import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

_OPEN_FILES = "/proc/self/fd"
# Offset of `tcpi_bytes_acked` and `tcpi_bytes_received`, 64-bit numbers, in Linux's `struct tcp_info`.
_BYTE_COUNTS_OFFSET = 120
_TCP_INFO_BYTES = _BYTE_COUNTS_OFFSET + 16
_SPARE_FILE_COUNT = 4
_PAUSED_BYTES_MAX = 512 * 1024
"""Bytes that the operating system holds of a connection which is not read at the moment. A client whose
deadlines pass begins and gives up some hundred calls in a second, of 100 bytes each."""
_DROPPING_COUNT_MAX = 8
"""Times that bytes are dropped before the end of a connection: those which waited, and what follows soon."""
_V4_IN_V6 = "::ffff:"

SocketName = int | str
"""What the sockets of an address have in common: the TCP port, or the path where a Unix socket was bound."""
Endpoint = tuple[str, int]
"""The address and port of a client."""


@dataclass(frozen=True, slots=True)
class PortState:
    """What a look at the sockets of a port found."""

    bytes_received: dict[Endpoint, int]
    """Bytes that each connected client has sent so far."""
    bytes_acknowledged: dict[Endpoint, int]
    """Bytes that each has acknowledged so far."""
    numbers: dict[Endpoint, int]
    """The number of the open file of each connection."""
    free_file_count: int
    """Files that the process may still open."""


@lru_cache(4_096)
def endpoint_of(peer: str) -> Endpoint:
    """Parses a client as gRPC names it, such as `ipv4:10.0.0.1:5000`.

    A client without an IP address, such as one of a Unix socket, is its own address, with port 0.
    """
    kind, _, rest = unquote(peer).partition(":")
    host, _, port = rest.rpartition(":")
    if kind not in ("ipv4", "ipv6") or not port.isdigit():
        return peer, 0
    return _plain(host.strip("[]")), int(port)


class ListeningPort:
    """The listening socket of an address and its connections.

    The clients of a Unix socket have no addresses, so `look` tells nothing about them and `disconnect` does
    not find them; `close` does.
    """

    def __init__(self, name: SocketName) -> None:
        self._name = name
        # Looking needs files of its own, also when clients have taken all others.
        self._spare_files = [os.open(os.devnull, os.O_RDONLY) for _ in range(_SPARE_FILE_COUNT)]
        self._endpoints: dict[str, Endpoint | None] = {}
        """Clients of the sockets that `numbers` has found, by the names that Linux gives to these sockets."""

    @property
    def names_clients(self) -> bool:
        """Whether its clients have addresses, so that one of them can be disconnected."""
        return isinstance(self._name, int)

    def look(self) -> PortState:
        """Returns the connections, and how many files may still be opened."""
        with self._spare():
            received, acknowledged, numbers = {}, {}, {}
            for number, connection in self._tcp_connections():
                with suppress(OSError):
                    endpoint = _endpoint(connection)
                    acknowledged[endpoint], received[endpoint] = _byte_counts(connection)
                    numbers[endpoint] = number
            return PortState(received, acknowledged, numbers, free_file_count())

    def numbers(self) -> dict[Endpoint, int]:
        """Returns the number of the open file of each connection.

        Reads the names of all open files, and looks into those only that it has not seen before. One thread
        at a time may call it.
        """
        names = _socket_names()
        new = [number for number, name in names.items() if name not in self._endpoints]
        found = {number: _endpoint_or_none(each) for number, each in self._tcp_connections(new)}
        known = self._endpoints
        self._endpoints = {name: known.get(name, found.get(number)) for number, name in names.items()}
        of_numbers = {number: self._endpoints[name] for number, name in names.items()}
        return {endpoint: number for number, endpoint in of_numbers.items() if endpoint is not None}

    def pause(self, number: int, endpoint: Endpoint) -> bool:
        """Keeps the reader of a connection asleep until `_PAUSED_BYTES_MAX` wait, or its client leaves.

        `number` is that of its open file. Returns False if the file is not, or not any more, this connection.
        """
        with suppress(OSError), _duplicate(number) as found:
            if _endpoint(found) == endpoint:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _PAUSED_BYTES_MAX)
                return True
        return False

    def resume(self, number: int, endpoint: Endpoint, waiting_bytes_max: int) -> bool:
        """Wakes the reader of a paused connection; ends the connection if more bytes than this wait for it.

        The bytes of a connection that ends are dropped. Returns False if it ends.
        """
        with self._spare(), suppress(OSError), _duplicate(number) as found:
            if _endpoint(found) != endpoint:
                return True
            ends = _waiting_byte_count(found) > waiting_bytes_max
            if ends:
                _drop_waiting_bytes(found)
                found.shutdown(socket.SHUT_RDWR)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            return not ends
        return True

    def disconnect(self, endpoints: Collection[Endpoint]) -> None:
        """Closes the connections of some clients."""
        with self._spare():
            for _, connection in self._tcp_connections():
                with suppress(OSError):
                    if _endpoint(connection) in endpoints:
                        connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Accepts no more connections, and closes all that are open."""
        with self._spare():
            for listening in (True, False):
                for _, each in self._sockets(listening=listening):
                    with suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
        while self._spare_files:
            os.close(self._spare_files.pop())

    def _spare(self) -> "_SpareFiles":
        return _SpareFiles(self._spare_files)

    def _tcp_connections(self, numbers: Iterable[int] | None = None) -> Iterator[tuple[int, socket.socket]]:
        return self._sockets(numbers, listening=False) if self.names_clients else iter(())

    def _sockets(
        self, numbers: Iterable[int] | None = None, *, listening: bool
    ) -> Iterator[tuple[int, socket.socket]]:
        """Yields the number of each socket of the port, and a duplicate, which stays valid while gRPC closes
        its own. With `numbers`, it looks at these open files only."""
        for number in _socket_names() if numbers is None else numbers:
            with suppress(OSError), _duplicate(number) as found:
                if _name_of(found) == self._name and _is_listening(found) == listening:
                    yield number, found


def _duplicate(number: int) -> socket.socket:
    """Returns a duplicate of an open socket; raises OSError if the file of this number is none, or closed.

    Since the number was found, gRPC may have closed its socket, and another thread may have opened a pipe or
    a database with it. A duplicate that stays open would keep the reader of the pipe waiting for its end, and
    closing one of a database drops the locks that this process has on it.
    """
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
    duplicate = os.dup(number)
    try:
        return socket.socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise


def _waiting_byte_count(connection: socket.socket) -> int:
    with suppress(BlockingIOError):
        return len(connection.recv(_PAUSED_BYTES_MAX, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    return 0


def _drop_waiting_bytes(connection: socket.socket) -> None:
    """Drops what the reader of a connection would else read before its end.

    A client that sends all the time could go on for ever, so it ends after some turns.
    """
    with suppress(BlockingIOError):
        for _ in range(_DROPPING_COUNT_MAX):
            connection.recv(_PAUSED_BYTES_MAX, socket.MSG_DONTWAIT)


def free_file_count() -> int:
    """Returns how many more files this process can open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        return limit - len(os.listdir(_OPEN_FILES))
    except OSError:
        return limit


class _SpareFiles:
    """Releases the spare files within its block."""

    def __init__(self, files: list[int]) -> None:
        self._files = files

    def __enter__(self) -> None:
        self._count = len(self._files)
        while self._files:
            os.close(self._files.pop())

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            while len(self._files) < self._count:
                self._files.append(os.open(os.devnull, os.O_RDONLY))


def _socket_names() -> dict[int, str]:
    """Returns the names of the open sockets, by number; another socket has another name."""
    names = {}
    with suppress(OSError):
        for number in os.listdir(_OPEN_FILES):
            with suppress(OSError):
                name = os.readlink(f"{_OPEN_FILES}/{number}")
                if name.startswith("socket:"):
                    names[int(number)] = name
    return names


def _name_of(found: socket.socket) -> SocketName | None:
    if found.type != socket.SOCK_STREAM:
        return None
    if found.family == socket.AF_UNIX:
        return str(found.getsockname())
    return int(found.getsockname()[1]) if found.family in (socket.AF_INET, socket.AF_INET6) else None


def _is_listening(found: socket.socket) -> bool:
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _endpoint(connection: socket.socket) -> Endpoint:
    host, port = connection.getpeername()[:2]
    return _plain(host), port


def _endpoint_or_none(connection: socket.socket) -> Endpoint | None:
    with suppress(OSError):
        return _endpoint(connection)
    return None


def _plain(host: str) -> str:
    """A socket of IPv6 names an IPv4 client by an address of IPv6."""
    return host.removeprefix(_V4_IN_V6)


def _byte_counts(connection: socket.socket) -> tuple[int, int]:
    """Returns the bytes that the client has acknowledged, and those received from it."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    if len(info) < _TCP_INFO_BYTES:
        return 0, 0
    acknowledged, received = struct.unpack_from("=QQ", info, _BYTE_COUNTS_OFFSET)
    return acknowledged, received
