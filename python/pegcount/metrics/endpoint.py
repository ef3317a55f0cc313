"""`GET /metrics` over HTTP, on threads of its own, with bounds for what its clients may hold."""

import logging
import socket
import time
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from threading import BoundedSemaphore, Thread, Timer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import choose_encoder

from pegcount.errors import PegcountError, cause_of
from pegcount.host_port import HostPortError, host_and_port
from pegcount.server.minute_log import MinuteLog

PATH = "/metrics"
CONNECTION_COUNT_MAX = 8
REQUEST_SECONDS_MAX = 5.0
"""Seconds in which a request must have arrived."""
ANSWER_SECONDS_MAX = 15.0
"""Seconds after the request in which its answer must have been read."""

_STOP_LOOK_SECONDS = 0.1
_LOG = logging.getLogger(__name__)
_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


class MetricsListenError(PegcountError):
    """The address for metrics cannot be used."""


class MetricsEndpoint:
    """Answers scrapes from its construction on until `close`."""

    def __init__(
        self,
        address: str,
        registry: CollectorRegistry,
        request_seconds_max: float = REQUEST_SECONDS_MAX,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        """Listens on `HOST:PORT`, where port 0 is any free one and no host is all of this machine.

        Raises MetricsListenError if it cannot.
        """
        self._server = _listening(address)
        self._server.seconds_max = (request_seconds_max, answer_seconds_max)
        self._server.set_app(_app(registry))
        host = address.rpartition(":")[0] or "127.0.0.1"
        self.url = f"http://{host}:{self._server.server_port}{PATH}"
        """Where Prometheus reads the metrics."""
        self._thread = Thread(
            target=self._server.serve_forever, args=(_STOP_LOOK_SECONDS,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends; answers that are under way may be cut."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, of which there are few."""

    daemon_threads = True
    request_queue_size = 64
    """Connections that the system holds until the server looks; those beyond wait for a second."""
    seconds_max = (REQUEST_SECONDS_MAX, ANSWER_SECONDS_MAX)

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int]) -> None:
        self.address_family = family
        self._places = BoundedSemaphore(CONNECTION_COUNT_MAX)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the name service for the name of this machine, and may wait for it.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            # Without a free file the connection stays, and to look at it without a pause would take a core.
            time.sleep(_STOP_LOOK_SECONDS)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            request.setblocking(False)
            self._refuse(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients may leave or be cut off at any time, which needs no attention.
        _LOG.debug("a scrape has failed", exc_info=True)

    def _refuse(self, request: socket.socket) -> None:
        try:
            request.send(_BUSY)
        except OSError:
            _LOG.debug("a scrape beyond the limit of connections left", exc_info=True)


class _Handler(WSGIRequestHandler):
    """Reads one request and answers it, each in limited time, however slowly its bytes come and go."""

    server: _Server

    def setup(self) -> None:
        super().setup()
        self._deadline = self._cut_after(self.server.seconds_max[0])

    def parse_request(self) -> bool:
        try:
            return super().parse_request()
        finally:
            self._deadline.cancel()
            self._deadline = self._cut_after(self.server.seconds_max[1])

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name of the base class
        """Logs nothing: a line per scrape would hide others."""

    def _cut_after(self, seconds: float) -> Timer:
        timer = Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        return timer

    def _cut(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            _LOG.debug("a slow scrape had left before it was cut off", exc_info=True)


def _listening(address: str) -> _Server:
    try:
        host, port = host_and_port(address)
    except HostPortError as error:
        raise _unusable(address, f"it is not HOST:PORT: {error}") from None
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, (bound_host, bound_port, *_) = found[0]
        return _Server(family, (str(bound_host), int(bound_port)))
    except UnicodeError as error:
        # The name is encoded before anybody is asked for it.
        why = "in the name of a host, each part between dots has 1 to 63 characters"
        raise _unusable(address, why) from error
    except OSError as error:
        raise _unusable(address, cause_of(error).lower()) from error


def _unusable(address: str, why: str) -> MetricsListenError:
    return MetricsListenError(
        f"cannot offer metrics at --metrics-listen {address!r}: {why}; give another address, such as"
        " 127.0.0.1:0 for any free port, or none for no metrics"
    )


def _app(registry: CollectorRegistry) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    scrape = make_wsgi_app(registry)
    faults = MinuteLog(_LOG)

    def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environment["REQUEST_METHOD"], environment["PATH_INFO"]
        if method not in ("GET", "HEAD"):
            return _text(start_response, "405 Method Not Allowed", "allowed are GET and HEAD", method)
        if path == "/":
            return _text(start_response, "200 OK", f"Pegcount: its metrics are at {PATH}", method)
        if path != PATH:
            return _text(start_response, "404 Not Found", f"the metrics are at {PATH}", method)
        # Some metrics are not known by name before they are read, so that a choice of names would lack them.
        asked = {**environment, "REQUEST_METHOD": "GET", "QUERY_STRING": ""}
        try:
            choose_encoder(environment.get("HTTP_ACCEPT", ""))
        except (TypeError, ValueError):
            # A version that is not a number: the default is better than an error for whoever scrapes.
            asked.pop("HTTP_ACCEPT", None)
        try:
            content = b"".join(scrape(asked, start_response))
        except Exception as error:
            faults.add("scrape", "the metrics cannot be read", error)
            return _text(start_response, "500 Internal Server Error", "the log has the cause", method)
        return [] if method == "HEAD" else [content]

    return answer


def _text(start_response: StartResponse, status: str, text: str, method: str) -> Iterable[bytes]:
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
    start_response(status, [*headers, ("Allow", "GET, HEAD")] if status.startswith("405") else headers)
    return [] if method == "HEAD" else [f"{text}\n".encode()]
