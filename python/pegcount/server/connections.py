"""Accounts of the client connections: what the calls of each have cost, and whether it floods the server.

Some HTTP/2 messages cost their sender next to nothing: calls that are cancelled at once, and control frames
such as SETTINGS and WINDOW_UPDATE. gRPC bounds only what they hold, not how often they come.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from pegcount.auth import Caller
from pegcount.config import Config
from pegcount.server.sockets import Endpoint, endpoint_of

_FRAMED_BYTES_PER_BYTE = 1.05
"""Bytes on the wire per byte of a message, at most, with its frame headers."""
_ABANDONED_PER_ANSWER = 10
"""Abandoned calls that one answered call makes up for. A client whose deadlines pass while the server is
overloaded looks as if it abandoned calls, but some of its calls are answered."""
_EXCEEDING_LOOK_COUNT = 2
"""Looks in a row that must find too many bytes: a long message may arrive just before its call is known."""
_DENIED_MESSAGE_COUNT_MAX = 8
"""Messages of one connection that are expected of a client before it notices that its key has ended."""
_INCOMPLETE_MESSAGE_COUNT_MAX = 8
"""Messages of one connection that may be under way at once."""


@dataclass(slots=True)
class LeakyBucket:
    """A level that rises with each event and falls at a constant rate."""

    level: float = 0.0
    at_s: float = 0.0

    def add(self, now_s: float, per_second: float) -> float:
        """Adds one event and returns the level."""
        self.level = max(0.0, self.level - (now_s - self.at_s) * per_second) + 1.0
        self.at_s = now_s
        return self.level

    def lower(self, count: float) -> None:
        """Takes events back."""
        self.level = max(0.0, self.level - count)


@dataclass(slots=True, eq=False)
class Connection:
    """A client connection. Times are seconds of the monotonic clock."""

    endpoint: Endpoint
    clock: Callable[[], float]
    opened_s: float
    last_call_s: float
    call_count: int = 0
    """Calls in progress."""
    total_call_count: int = 0
    message_bytes: int = 0
    """Bytes of all messages read."""
    refused_count: int = 0
    """Calls refused before their message was read."""
    denied_count: int = 0
    """Calls refused for their credential whose message explains bytes."""
    abandoned: LeakyBucket = field(default_factory=LeakyBucket)
    """Calls that the client began and gave up at once, or that were refused as cheaply."""
    explained_bytes: float = 0.0
    """Bytes received in excess of calls and messages that the budget has allowed so far."""
    updated_s: float = 0.0
    exceeding_look_count: int = 0
    """Looks in a row that found more bytes than the budget allows."""
    is_closing: bool = False
    is_paused: bool = False
    """Whether what it sends is left unread for a while."""
    caller_id: str | None = None
    """Id of the first credential that made a call."""
    is_shared: bool = False
    """Whether it carries calls of several credentials, as that of a proxy does."""

    @property
    def address(self) -> str:
        """The address of the client, without its port."""
        return self.endpoint[0]

    def note_caller(self, caller: Caller) -> None:
        """Notes whose calls the connection carries."""
        if self.caller_id is None:
            self.caller_id = caller.id
        self.is_shared |= self.caller_id != caller.id

    def age_s(self) -> float:
        """Returns the age in seconds."""
        return self.clock() - self.opened_s

    def __str__(self) -> str:
        host, port = self.endpoint
        return f"{host}:{port}" if port else host


def turn_of(connection: Connection, caller: Caller | None) -> Hashable:
    """Returns whose turn a call takes where calls wait, and whose memory its answer takes.

    That is its credential, however many connections it has, or its connection where nobody is authenticated.
    """
    return connection if caller is None else caller.id


class Connections:
    """The connections of the clients. Used on the event loop only."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._config = config
        self._clock = clock
        self._by_endpoint: dict[Endpoint, Connection] = {}

    def __len__(self) -> int:
        """Returns the number of known connections; may be called on any thread."""
        return len(self._by_endpoint)

    def enter(self, peer: str) -> Connection:
        """Accounts for the begin of a call and returns its connection.

        `peer` is the client as gRPC names it.
        """
        now_s = self._clock()
        connection = self._connection(endpoint_of(peer), now_s)
        connection.last_call_s = now_s
        connection.call_count += 1
        connection.total_call_count += 1
        return connection

    def of_peer(self, peer: str) -> Connection:
        """Returns the connection of a client as gRPC names it."""
        return self._connection(endpoint_of(peer), self._clock())

    def note_refused(self, connection: Connection) -> None:
        """Accounts for a call that is refused before its message is read."""
        connection.last_call_s = self._clock()
        connection.total_call_count += 1
        connection.refused_count += 1

    def note_denied(self, connection: Connection) -> None:
        """Accounts for the message of a call that began and is refused for its credential.

        Only the first few explain bytes: callers that nobody knows must not buy control frames with them.
        """
        if connection.denied_count < _DENIED_MESSAGE_COUNT_MAX:
            connection.denied_count += 1
            connection.refused_count += 1

    def leave(self, connection: Connection) -> None:
        """Accounts for the end of a call."""
        connection.call_count -= 1
        connection.last_call_s = self._clock()

    def note_answered(self, connection: Connection) -> None:
        """Accounts for an answered call."""
        if connection.abandoned.level:
            connection.abandoned.lower(_ABANDONED_PER_ANSWER)

    def floods_with_calls(self, connection: Connection) -> bool:
        """Accounts for an abandoned call; returns whether there are too many of them."""
        level = connection.abandoned.add(self._clock(), self._config.abandoned_calls_per_second_max)
        return level > self._config.abandoned_call_burst_max

    def update(self, bytes_received: Mapping[Endpoint, int]) -> list[Connection]:
        """Takes all open connections, with the bytes that each has received so far.

        Forgets the closed ones; returns those that received many more bytes than their calls explain.
        """
        now_s = self._clock()
        for connection in list(self._by_endpoint.values()):
            if connection.call_count == 0 and connection.endpoint not in bytes_received:
                del self._by_endpoint[connection.endpoint]
        return [
            connection
            for endpoint, received in bytes_received.items()
            if self._floods_with_frames(connection := self._connection(endpoint, now_s), received, now_s)
        ]

    def idle(self, count: int) -> list[Connection]:
        """Returns up to `count` connections without calls, those whose last call is the oldest first."""
        idle = [connection for connection in self._by_endpoint.values() if connection.call_count == 0]
        return sorted(idle, key=lambda connection: connection.last_call_s)[:count]

    def _connection(self, endpoint: Endpoint, now_s: float) -> Connection:
        connection = self._by_endpoint.get(endpoint)
        if connection is None:
            connection = Connection(endpoint, self._clock, opened_s=now_s, last_call_s=now_s, updated_s=now_s)
            self._by_endpoint[endpoint] = connection
        return connection

    def _floods_with_frames(self, connection: Connection, received: int, now_s: float) -> bool:
        config = self._config
        calls_bytes = config.call_overhead_bytes * connection.total_call_count
        # Nobody reads the message of a report that is refused, but the client sent it.
        calls_bytes += config.report_request_bytes_max * connection.refused_count
        excess = received - _FRAMED_BYTES_PER_BYTE * connection.message_bytes - calls_bytes
        rate = config.control_bytes_per_second_max * (now_s - connection.updated_s)
        connection.explained_bytes = min(excess, connection.explained_bytes + rate)
        connection.updated_s = now_s
        incomplete_count = min(connection.call_count, _INCOMPLETE_MESSAGE_COUNT_MAX)
        # gRPC holds further messages of a stream that the server does not read at the moment.
        held_count = incomplete_count + (1 if connection.call_count else 0)
        allowed = config.control_burst_bytes_max + held_count * config.request_bytes_max
        exceeds = excess - connection.explained_bytes > allowed
        connection.exceeding_look_count = connection.exceeding_look_count + 1 if exceeds else 0
        return connection.exceeding_look_count >= _EXCEEDING_LOOK_COUNT
