"""One HTTP request to one server, in a thread of its own."""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from pegcount.store.clickhouse.wire.connections import Connection, Connections
from pegcount.store.clickhouse.wire.workers import Workers

_EXCEPTION_CODE: Final = "X-ClickHouse-Exception-Code"
_FORMAT: Final = "X-ClickHouse-Format"
_CODE_IN_TEXT: Final = re.compile(rb"Code: (\d{1,9})\b")
_OK: Final = 200
_STALE_SECONDS_MAX: Final = 1.0
"""Seconds within which a connection that the server had closed before fails."""
_EARLY_ANSWER_SECONDS: Final = 0.1
"""Seconds that the answer of a server may take which has closed a connection before it read the request."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. A repeatable one changes nothing, so that it may be sent twice."""

    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    is_repeatable: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that arrived whole. `code` is that of an error of ClickHouse, None without one."""

    status: int
    code: int | None
    format: str | None
    body: bytes


class AbandonedError(Exception):
    """Nobody waits for the answer any more."""


class Exchange:
    """A request on its way. Thread-safe: one thread runs it, another one may abandon it."""

    def __init__(self, connections: Connections, workers: Workers, request: Request) -> None:
        self._connections = connections
        self._workers = workers
        self._request = request
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_abandoned = False
        self._is_sending = False
        self._is_sent = False
        self._start_s = 0.0
        self._outcome: Answer | Exception = AbandonedError("the exchange has not ended")

    def start(self, at_end: Callable[[], None]) -> None:
        """Begins in a thread, which calls `at_end` when there is an answer or an error."""
        self._workers.run(partial(self._run, at_end))

    def answer(self) -> Answer:
        """Returns the answer of an exchange that ended; raises OSError or HTTPException without one."""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    @property
    def may_have_changed(self) -> bool:
        """Whether the server may have carried the request out, of an exchange that ended or was abandoned.

        A server that did not receive all of a request does not: a body that breaks off is an error to it.
        """
        return self._is_sending if self._is_abandoned else self._is_sent

    def abandon(self) -> None:
        """Ends the exchange: shuts its connection down, so that the server ends its work as well."""
        with self._lock:
            self._is_abandoned = True
            if self._socket is not None:
                _shut_down(self._socket)

    def _run(self, at_end: Callable[[], None]) -> None:
        self._start_s = time.monotonic()
        try:
            self._outcome = self._ask()
        except Exception as error:
            self._outcome = error
        at_end()

    def _ask(self) -> Answer:
        kept = self._connections.take_kept()
        if kept is not None:
            try:
                return self._ask_over(kept)
            except (ConnectionError, ssl.SSLError):
                # The server may have closed the connection while nobody used it.
                if not self._may_repeat():
                    raise
                self._is_sent = False
        return self._ask_over(self._connections.connect())

    def _may_repeat(self) -> bool:
        """Whether a request whose kept connection was lost may be sent again.

        A server that fails later than at once may have failed by the request itself.
        """
        is_harmless = self._request.is_repeatable or not self._is_sent
        return is_harmless and time.monotonic() < self._start_s + _STALE_SECONDS_MAX

    def _ask_over(self, connection: Connection) -> Answer:
        response = None
        try:
            with self._lock:
                if self._is_abandoned:
                    raise AbandonedError("the exchange was abandoned before it was sent")
                self._socket = connection.sock
                self._is_sending = True
            self._send(connection)
            response = connection.getresponse()
            answer = _read(response)
        except BaseException:
            # A connection forgets a response that its server ends by closing, which keeps the socket open.
            if response is not None:
                response.close()
            connection.close()
            raise
        finally:
            with self._lock:
                self._socket = None
        self._connections.keep(connection, response)
        return answer

    def _send(self, connection: Connection) -> None:
        request = self._request
        try:
            connection.request("POST", request.path, request.body, dict(request.headers))
        except ConnectionError:
            # A server that refuses a request early answers it and closes: its answer says why.
            if not connection.has_answer(_EARLY_ANSWER_SECONDS):
                raise
            return
        self._is_sent = True


def _read(response: http.client.HTTPResponse) -> Answer:
    """Reads an answer to its end; raises IncompleteRead if it breaks off, or does not say where it ends."""
    if not response.chunked and response.length is None:
        raise http.client.IncompleteRead(b"")
    body = response.read()
    return Answer(response.status, _code_of(response, body), response.headers.get(_FORMAT), body)


def _code_of(response: http.client.HTTPResponse, body: bytes) -> int | None:
    """Returns the code of an error of ClickHouse, None without one."""
    code = response.headers.get(_EXCEPTION_CODE)
    if code is not None:
        return int(code) if code.isdecimal() else 0
    # Versions of before 2020 have it only in the text.
    found = None if response.status == _OK else _CODE_IN_TEXT.match(body)
    return None if found is None else int(found[1])


def _shut_down(connected: socket.socket) -> None:
    """Ends all reads and writes of a socket, in whichever thread they wait."""
    try:
        # The method of the plain socket: that of TLS would make a reader take encrypted bytes as an answer.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
    except OSError:
        return
