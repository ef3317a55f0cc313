"""A watch of the traffic question, for threads and for asyncio."""

import logging
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Final, TypeAlias

import grpc
from pegcount.v1 import traffic_pb2

from pegcount_client.alerts import TrafficAlert, alert_of
from pegcount_client.errors import call_error
from pegcount_client.lifetime import Lifetime, closed_client
from pegcount_client.reports.traffic import Traffic, dimension_name
from pegcount_client.retry import Retries
from pegcount_client.watched_answer import WatchedAnswer

_Open: TypeAlias = Callable[[traffic_pb2.WatchTrafficRequest], Any]
"""Opens a stream of answers."""
_END_SECONDS_MAX: Final = 5.0
_LOGGER: Final = logging.getLogger("pegcount_client")


class WatchState:
    """What a watch knows at the moment."""

    def __init__(self, request: traffic_pb2.WatchTrafficRequest) -> None:
        self._request = request
        self._answer = WatchedAnswer()
        self._dimensions = [dimension_name(spec) for spec in request.query.group_by]
        self._alerts: Sequence[traffic_pb2.Alert] = ()
        self.revision = 0
        """Number of the last message of the present stream."""
        self.stream_count = 0
        """Streams that were opened; each begins with a whole answer."""

    @property
    def traffic(self) -> Traffic:
        """The whole present answer, made anew at each use. Its notices are logged each time."""
        return Traffic.from_response(self._answer.response(), self._request.query)

    @property
    def response(self) -> traffic_pb2.QueryTrafficResponse:
        """The whole present answer as the contract has it."""
        return self._answer.response()

    @property
    def as_of_text(self) -> str:
        """The instant of the present answer, RFC 3339; "" before the first message."""
        return self._answer.as_of_text

    @property
    def alerts(self) -> tuple[TrafficAlert, ...]:
        """What the last message told: alerts that began or ended."""
        return tuple(alert_of(alert, self._dimensions) for alert in self._alerts)

    @property
    def firing(self) -> tuple[TrafficAlert, ...]:
        """All alerts that fire at present."""
        return tuple(alert_of(alert, self._dimensions) for alert in self._answer.firing)

    def begin(self) -> None:
        """Notes that a new stream begins."""
        self.stream_count += 1
        self._answer.begin()

    def take(self, message: traffic_pb2.WatchTrafficResponse) -> None:
        """Takes the next message."""
        self.revision = message.revision
        self._alerts = message.alerts
        self._answer.take(message)


class TrafficWatch(WatchState):
    """A watch, to be used in a `with` block: each iteration waits for the next message and takes it.

    A lost stream is logged and opened again, as the policy of the client says; the first message of the new
    one has the whole answer. Iterating raises PegcountError where that is useless, or has failed too often.
    """

    def __init__(
        self,
        open_stream: _Open,
        request: traffic_pb2.WatchTrafficRequest,
        address: str,
        retries: Retries,
        lifetime: Lifetime,
    ) -> None:
        super().__init__(request)
        self._open_stream = open_stream
        self._address = address
        self._retries = retries
        self._lifetime = lifetime
        self._stream: _Stream | None = None
        self._lock = Lock()
        self._is_closed = Event()

    def __iter__(self) -> "TrafficWatch":
        return self

    def __next__(self) -> WatchState:
        """Waits for the next message; returns this object, which has taken it."""
        while True:
            with self._lock:
                if self._is_closed.is_set():
                    raise StopIteration
                if self._stream is None:
                    self._stream = _Stream(self._open_stream, self._request)
                    self.begin()
                stream = self._stream
            try:
                message = stream.next_message()
            except grpc.RpcError as error:
                self._wait_after(error)
                continue
            self._retries.answered()
            self.take(message)
            return self

    def close(self) -> None:
        """Ends the stream; another thread may do so, which ends its iteration."""
        with self._lock:
            self._is_closed.set()
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def __enter__(self) -> "TrafficWatch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_after(self, error: grpc.RpcError) -> None:
        """Waits until the stream may be opened again; raises PegcountError if that would be useless."""
        with self._lock:
            self._stream = None
        if self._is_closed.is_set():
            return
        self._is_closed.wait(wait_seconds(error, self._address, self._lifetime, self._retries))


def wait_seconds(error: grpc.RpcError, address: str, lifetime: Lifetime, retries: Retries) -> float:
    """Returns the seconds to wait until a lost stream is opened again, and logs why it was lost.

    Raises PegcountError if another stream would be useless.
    """
    failure = call_error(error, address)
    if lifetime.is_closed and failure.code is grpc.StatusCode.CANCELLED:
        failure = closed_client()
    failure.__cause__ = error
    seconds = retries.wait_seconds(failure)
    # A connection that has reached its age ends as well, and the next one follows at once.
    level = logging.INFO if retries.failure_count == 1 else logging.WARNING
    _LOGGER.log(level, "the watch is interrupted, and tries again in %.1f s: %s", seconds, failure)
    return seconds


class _Stream:
    """One call of WatchTraffic, which threads of its own make, read and cancel, as those of a `BatchSender`.

    It reads a message when the one before was taken: the server makes the next one of the newest state.
    """

    def __init__(self, open_stream: _Open, request: traffic_pb2.WatchTrafficRequest) -> None:
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._messages: SimpleQueue[traffic_pb2.WatchTrafficResponse | Exception] = SimpleQueue()
        self._call: Any = None
        self._is_made = Event()
        self._reader = Thread(target=self._read, args=(open_stream, request), daemon=True)
        self._reader.start()

    def next_message(self) -> traffic_pb2.WatchTrafficResponse:
        self._wanted.put(True)
        message = self._messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    def close(self) -> None:
        """Cancels the call."""
        self._wanted.put(False)
        canceller = Thread(target=self._cancel, daemon=True)
        canceller.start()
        for thread in (canceller, self._reader):
            thread.join(_END_SECONDS_MAX)

    def _read(self, open_stream: _Open, request: traffic_pb2.WatchTrafficRequest) -> None:
        end: Exception = EndedStreamError()
        try:
            self._call = open_stream(request)
            self._is_made.set()
            while self._wanted.get():
                self._messages.put(next(self._call))
        except StopIteration:
            pass
        except Exception as error:
            end = error
        self._is_made.set()
        self._messages.put(end)

    def _cancel(self) -> None:
        self._is_made.wait()
        if self._call is not None:
            self._call.cancel()


class EndedStreamError(grpc.RpcError):
    """A stream that its server has ended without an error, which none does."""

    def code(self) -> grpc.StatusCode:
        """Returns the status that says to call again."""
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        """Returns the reason."""
        return "the server ended the stream"

    def trailing_metadata(self) -> tuple[Any, ...]:
        """Returns the metadata, which it has none of."""
        return ()
