"""A door before a real shard, which calls the test at a chosen point of the next insert of records."""

import http.client
import threading
from collections.abc import Callable
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from clickhouse.rig import Server

_INSERT = "INSERT INTO ledger"
_MARKER = b"SELECT writer FROM ledger"
_SECONDS_MAX = 60.0


class Point(Enum):
    """Where the request of a commit stands."""

    BEFORE = "before the insert"
    DURING = "half of the insert sent"
    AFTER = "after the insert, before its answer"
    MARKER = "before the marker is read"


class HeldShard:
    """Passes requests on to a server, until the point that it was told of."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._armed: tuple[Point, Callable[[], object]] | None = None
        self.refusal: int | None = None
        """A code of ClickHouse by which inserts are refused."""
        door = self

        class Handler(_Handler):
            held = door

        self._listener = _Listener(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._listener.server_address[1]}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,))

    def __enter__(self) -> "HeldShard":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()

    def arm(self, point: Point, act: Callable[[], object]) -> None:
        """Has the next commit call `act` at the point, once; the request then goes on as it can."""
        self._armed = (point, act)

    @property
    def has_acted(self) -> bool:
        return self._armed is None

    def port(self) -> int:
        return self._server.port

    def reach(self, point: Point) -> None:
        """Acts if this is the point."""
        with self._lock:
            armed = self._armed
            if armed is None or armed[0] is not point:
                return
            armed[1]()
            self._armed = None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    held: HeldShard

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

    def _pass_on(self, body: bytes) -> None:
        (query,) = parse_qs(urlsplit(self.path).query).get("query", [""])
        is_insert = query.startswith(_INSERT)
        if is_insert and self.held.refusal is not None:
            self.send_response_only(500)
            self.send_header("X-ClickHouse-Exception-Code", str(self.held.refusal))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if is_insert:
            self.held.reach(Point.BEFORE)
        elif _MARKER in body:
            self.held.reach(Point.MARKER)
        connection = http.client.HTTPConnection("127.0.0.1", self.held.port(), timeout=_SECONDS_MAX)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(body[: len(body) // 2])
            if is_insert:
                self.held.reach(Point.DURING)
            connection.send(body[len(body) // 2 :])
            response = connection.getresponse()
            answer = response.read()
            if is_insert:
                self.held.reach(Point.AFTER)
            self._answer(response, answer)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            connection.close()

    def _answer(self, response: http.client.HTTPResponse, answer: bytes) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "keep-alive"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""
