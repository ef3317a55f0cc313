"""Connections to one server that are kept for the next request."""

import http.client
import re
import select
import ssl
import threading
import time
from typing import Final

CONNECT_SECONDS_MAX: Final = 2.0
"""Seconds that a server may take for each step of a new connection."""
_KEPT_COUNT_MAX: Final = 64
_KEEP_SECONDS: Final = 3.0
"""Seconds for which a connection is kept if its server does not say how long it does."""
_KEEP_ALIVE: Final = re.compile(r"\btimeout=(\d{1,6})\b")
_MS_PER_S: Final = 1_000


class Connection(http.client.HTTPConnection):
    """A connection, with TLS if there is a context for it."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=CONNECT_SECONDS_MAX)
        self._tls = tls
        self.kept_until_s = 0.0

    def connect(self) -> None:
        """Connects; raises OSError, of which ssl.SSLError is one, if the server does not accept in time."""
        super().connect()
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)
        self.sock.settimeout(None)

    def has_answer(self, wait_seconds: float = 0.0) -> bool:
        """Whether something has arrived; of a connection without a request, also if the server closed it."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(wait_seconds * _MS_PER_S))


class Connections:
    """New and kept connections to one server. Thread-safe."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._lock = threading.Lock()
        self._kept: list[Connection] = []
        self._is_closed = False

    def connect(self) -> Connection:
        """Returns a new connection; raises OSError if the server cannot be reached."""
        connection = Connection(self._host, self._port, self._tls)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection

    def take_kept(self) -> Connection | None:
        """Returns a kept connection that its server has not closed, None without one."""
        while (connection := self._popped()) is not None:
            if connection.kept_until_s > time.monotonic() and not connection.has_answer():
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection, response: http.client.HTTPResponse) -> None:
        """Keeps a connection whose answer was read, unless its server closes it."""
        connection.kept_until_s = time.monotonic() + _keep_seconds(response)
        with self._lock:
            may_be_kept = connection.sock is not None and not self._is_closed
            if may_be_kept and len(self._kept) < _KEPT_COUNT_MAX:
                self._kept.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Closes all kept connections, and from now on each one after its answer."""
        with self._lock:
            self._is_closed = True
            kept, self._kept = self._kept, []
        for connection in kept:
            connection.close()

    def _popped(self) -> Connection | None:
        with self._lock:
            return self._kept.pop() if self._kept else None


def _keep_seconds(response: http.client.HTTPResponse) -> float:
    """Half of the time that the server keeps an idle connection: the other half is for the way to it."""
    found = _KEEP_ALIVE.search(response.headers.get("Keep-Alive") or "")
    return _KEEP_SECONDS if found is None else int(found[1]) / 2
