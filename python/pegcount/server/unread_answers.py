"""Answers that clients have not read yet: they hold memory, so their bytes are bounded.

gRPC holds an answer until the client has read it, as HTTP/2 flow control demands. A client that asks and does
not read would otherwise fill the memory with answers.
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from pegcount.config import LiveConfig
from pegcount.errors import OverloadedError
from pegcount.server.connections import Connection
from pegcount.server.sockets import Endpoint

_CALL_BYTES = 1_024
"""Bytes that a call may cost on the wire besides its answer, such as the status of a refusal."""
_ALL_REFUSED_TIMES = 2
"""Times the allowed bytes at which connections without unread answers are refused, too: a client may open any
number of them."""
_READ_BYTES_MIN = 16 * 1_024
"""Bytes of answers that a client must read within `answer_read_seconds`."""


@dataclass(slots=True)
class _Unread:
    """The unread answers of one connection."""

    byte_count: int = 0
    read_count: int = 0
    """Answers that the client has read."""
    seen_read_count: int = 0
    seen_acknowledged: int = 0
    """Bytes of answers that the client had acknowledged when it last made progress."""
    since_s: float | None = None
    """When that was."""


class UnreadAnswers:
    """Counts the bytes of unread answers. Used on the event loop only."""

    def __init__(self, live: LiveConfig) -> None:
        self._live = live
        self._config = live.now
        self._by_connection: dict[Connection, _Unread] = {}
        self._held_by_turn: Counter[Hashable] = Counter()
        self._byte_count = 0

    def add(self, connection: Connection, turn: Hashable, byte_count: int) -> None:
        """Notes that gRPC has got an answer to send; `turn` is that of `connections.turn_of`."""
        self._by_connection.setdefault(connection, _Unread()).byte_count += byte_count
        self._held_by_turn[turn] += byte_count
        self._byte_count += byte_count

    def remove(self, connection: Connection, turn: Hashable, byte_count: int) -> None:
        """Notes that gRPC has sent an answer, or dropped it with its connection."""
        self._held_by_turn[turn] -= byte_count
        if not self._held_by_turn[turn]:
            del self._held_by_turn[turn]
        unread = self._by_connection[connection]
        unread.byte_count -= byte_count
        unread.read_count += 1
        self._byte_count -= byte_count
        if unread.byte_count == 0:
            del self._by_connection[connection]

    def refusal(self, turn: Hashable) -> OverloadedError | None:
        """Returns why a connection, or a credential, gets no more answers for now; None if it does.

        When all together hold too much, those that hold more than their share are refused, and when they hold
        twice as much, all are.
        """
        config = self._config
        held, allowed = self._held_by_turn[turn], config.unread_answer_bytes_per_connection_max
        whose = "connection" if isinstance(turn, Connection) else "credential"
        if held >= allowed:
            text = f"{held} bytes of answers of this {whose} are unread; {allowed} are allowed"
        elif self._holds_too_much(held):
            text = (
                f"{self._byte_count} bytes of answers are unread, {held} of them of this {whose};"
                f" {config.unread_answer_bytes_max} are allowed"
            )
        else:
            return None
        return OverloadedError(f"{text}: read them first", self._live.overload_retry_seconds())

    def require_room(self, turn: Hashable) -> None:
        """Raises the error of `refusal`."""
        error = self.refusal(turn)
        if error is not None:
            raise error

    def stalled(self, now_s: float, bytes_acknowledged: Mapping[Endpoint, int]) -> list[Connection]:
        """Returns the connections whose client has read nothing for too long.

        Takes the bytes that each client has acknowledged so far. Reading shows in them before an answer is
        sent in full. The few bytes that each call costs besides its answer do not count.
        """
        return [
            connection
            for connection, unread in self._by_connection.items()
            if self._is_stalled(connection, unread, now_s, bytes_acknowledged.get(connection.endpoint, 0))
        ]

    def read_seconds_max(self) -> float:
        """Returns the seconds within which a client must go on reading: fewer while too much is unread."""
        config = self._config
        is_beyond = self._byte_count >= config.unread_answer_bytes_max
        beyond_seconds = min(config.answer_read_seconds_beyond, config.answer_read_seconds)
        return beyond_seconds if is_beyond else config.answer_read_seconds

    def byte_count_of(self, connection: Connection) -> int:
        """Returns the bytes of unread answers of a connection."""
        unread = self._by_connection.get(connection)
        return 0 if unread is None else unread.byte_count

    def _holds_too_much(self, held: int) -> bool:
        """Returns whether one that holds `held` bytes must wait for others to be read."""
        allowed = self._config.unread_answer_bytes_max
        if self._byte_count < allowed:
            return False
        share = allowed // max(1, len(self._held_by_turn))
        return held >= share or self._byte_count >= _ALL_REFUSED_TIMES * allowed

    def _is_stalled(self, connection: Connection, unread: _Unread, now_s: float, acknowledged: int) -> bool:
        read = acknowledged - _CALL_BYTES * connection.total_call_count
        progressed = read - unread.seen_acknowledged >= _READ_BYTES_MIN
        if unread.since_s is None or progressed or unread.read_count != unread.seen_read_count:
            unread.since_s = now_s
            unread.seen_acknowledged = read
            unread.seen_read_count = unread.read_count
        return now_s - unread.since_s > self.read_seconds_max()
