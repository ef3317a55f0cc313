"""A server that answers HTTP with the bytes of a test, also with wrong ones."""

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType

Answer = bytes | None
"""What is sent after a whole request; None closes the connection without an answer."""
_ROWS = b"X-ClickHouse-Format: Native\r\nKeep-Alive: timeout=30\r\n"


def answer(body: bytes, head: bytes = _ROWS) -> bytes:
    """A whole answer with rows."""
    return b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class ScriptedServer:
    """Sends one answer per request, in order, and closes the connection after each that `closes` names.

    Pings are answered and not counted.
    """

    def __init__(
        self,
        answers: Sequence[Answer] = (),
        *,
        closes: Callable[[int], bool] = lambda _number: False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[bytes] = []
        """Whole requests, with their heads."""
        self.connection_count = 0
        self._answers = list(answers)
        self._closes = closes
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "ScriptedServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the port and all connections."""
        # To close alone would not wake up the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_connections()

    def close_connections(self) -> None:
        """Closes all connections from this side, as a server does with idle ones."""
        while self._open:
            with suppress(OSError):
                # To close it would leave it open for the thread that reads from it.
                socket.socket.shutdown(self._open.pop(), socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connection_count += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connected = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            self._open.append(connected)
            with connected, connected.makefile("rb") as stream:
                while request := _read_request(stream.readline, stream.read):
                    if not self._answered(connected, request):
                        return
        except OSError:
            connection.close()

    def _answered(self, connection: socket.socket, request: bytes) -> bool:
        if request.startswith(b"GET /ping "):
            connection.sendall(answer(b"Ok.\n"))
            return True
        self.requests.append(request)
        number = len(self.requests)
        found = self._answers[number - 1]
        if found is None:
            return False
        connection.sendall(found)
        return not self._closes(number)


def _read_request(read_line: Callable[[], bytes], read: Callable[[int], bytes]) -> bytes:
    head, length = b"", 0
    while (line := read_line()) not in (b"\r\n", b""):
        head += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + line + read(length) if head else b""
