"""Closes connections that flood the server or do not read their answers.

Also closes idle connections when the process runs out of open files.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from pegcount.config import Config
from pegcount.server.connections import Connection, Connections
from pegcount.server.minute_log import MinuteLog
from pegcount.server.sockets import Endpoint, ListeningPort, PortState
from pegcount.server.unread_answers import UnreadAnswers

_NUMBERING_SECONDS = 0.02
"""Least seconds between two searches for the open files of new connections."""
_SHARE_OF_TIME_MAX = 0.05
"""Share of the time of one core that looking at the sockets may take, and these searches too."""

_WAITING_BYTES_MAX = 4 * 1024
"""Bytes that may wait at the end of a pause. With more, the client has given calls up and begun others in
their place, and to refuse these, which nobody waits for any more, would take the time of others."""


class ConnectionGuard:
    """Watches the connections of an address.

    Clients of a Unix socket cannot be told apart, so none of their connections is closed; they are all
    programs of one user of this machine.
    """

    def __init__(
        self, config: Config, connections: Connections, unread_answers: UnreadAnswers, log: MinuteLog
    ) -> None:
        self._config = config
        self._connections = connections
        self._unread_answers = unread_answers
        self._port: ListeningPort | None = None
        self._log = log
        self._closing: set[asyncio.Future[None]] = set()
        self._numbers: Mapping[Endpoint, int] = {}
        """Numbers of the open files of the connections, as of the last look."""
        self._unnumbered: dict[Connection, float] = {}
        """Connections to pause once the numbers of their files are known, and until when they stay so."""
        self._numbering: asyncio.Task[None] | None = None

    async def run(self, port: ListeningPort) -> None:
        """Looks at the sockets of an address again and again, until cancelled."""
        self._port = port
        while True:
            begin_s = time.monotonic()
            state = await asyncio.to_thread(port.look)
            took_s = time.monotonic() - begin_s
            self._act(state)
            await asyncio.sleep(max(self._config.connection_look_seconds, took_s / _SHARE_OF_TIME_MAX))

    def note_abandoned_call(self, connection: Connection) -> None:
        """Accounts for a call that its client gave up at once, or that was refused as cheaply.

        Closes the connection after too many.
        """
        floods = self._connections.floods_with_calls(connection)
        if floods and self._can_disconnect() and not connection.is_closing:
            connection.is_closing = True
            text = "began and gave up too many calls, or was refused too many; closed its connection"
            self._log.add("abandoned calls", f"client {connection} {text}")
            self._disconnect([connection])

    def pause(self, connection: Connection, seconds: float) -> None:
        """Leaves what a connection sends unread for some seconds; 0 has no effect.

        Its client can send only so much, and the calls that it has begun stay on its side of the network:
        to refuse each of them would take the time of others. A connection that carries calls of several
        credentials is not paused.
        """
        port = self._port
        if not seconds or connection.is_paused or connection.is_shared or port is None:
            return
        until_s = asyncio.get_running_loop().time() + seconds
        if self._pause_until(port, connection, until_s):
            return
        # A new connection. To wait for the next look would let in too many of its calls.
        self._unnumbered[connection] = until_s
        if self._numbering is None or self._numbering.done():
            self._numbering = asyncio.create_task(self._pause_new(port))

    async def _pause_new(self, port: ListeningPort) -> None:
        """Pauses new connections, for as long as there are any.

        The search for their files reads all open ones, so it runs on a thread, and seldom if it takes long.
        """
        while self._unnumbered:
            begin_s = time.monotonic()
            self._numbers = await asyncio.to_thread(port.numbers)
            took_s = time.monotonic() - begin_s
            # Those that are not found are closed, or pause at their next call.
            waiting, self._unnumbered = self._unnumbered, {}
            now_s = asyncio.get_running_loop().time()
            for connection, until_s in waiting.items():
                if until_s > now_s:
                    self._pause_until(port, connection, until_s)
            await asyncio.sleep(max(_NUMBERING_SECONDS, took_s / _SHARE_OF_TIME_MAX))

    def _pause_until(self, port: ListeningPort, connection: Connection, until_s: float) -> bool:
        """Pauses a connection if the number of its file is known; returns whether it is."""
        number = self._numbers.get(connection.endpoint)
        if number is None or not port.pause(number, connection.endpoint):
            return False
        connection.is_paused = True
        asyncio.get_running_loop().call_at(until_s, self._resume, port, connection, number)
        return True

    def _resume(self, port: ListeningPort, connection: Connection, number: int) -> None:
        connection.is_paused = False
        if not port.resume(number, connection.endpoint, _WAITING_BYTES_MAX):
            text = "went on to begin calls although its credential had reached a limit; closed its connection"
            self._log.add("calls beyond limits", f"client {connection} {text}")

    def _act(self, state: PortState) -> None:
        self._numbers = state.numbers
        flooding = self._connections.update(state.bytes_received)
        for connection in flooding:
            text = "sent too many control frames; closed its connection"
            self._log.add("control frames", f"client {connection} {text}")
        stalled = self._stalled(state)
        for connection in stalled:
            unread = f"left {self._unread_answers.byte_count_of(connection)} bytes of answers unread"
            text = f"{unread} for {self._unread_answers.read_seconds_max():g} s; closed its connection"
            self._log.add("unread answers", f"client {connection} {text}")
        missing_count = self._config.free_file_count_min - state.free_file_count
        idle = self._connections.idle(missing_count) if missing_count > 0 and self._can_disconnect() else []
        if missing_count > 0:
            text = f"only {state.free_file_count} more files can be opened (see ulimit -n)"
            self._log.add("open files", f"{text}; closed the {len(idle)} connections idle for longest")
        self._disconnect([*flooding, *stalled, *idle])

    def _stalled(self, state: PortState) -> list[Connection]:
        if not self._can_disconnect():
            return []
        return self._unread_answers.stalled(time.monotonic(), state.bytes_acknowledged)

    def _can_disconnect(self) -> bool:
        return self._port is not None and self._port.names_clients

    def _disconnect(self, connections: Sequence[Connection]) -> None:
        if self._port is None or not connections:
            return
        endpoints = {connection.endpoint for connection in connections}
        closing = asyncio.ensure_future(asyncio.to_thread(self._port.disconnect, endpoints))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
