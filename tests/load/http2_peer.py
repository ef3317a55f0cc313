"""A raw HTTP/2 peer: sends frames that no gRPC library sends, and notes how each stream ends."""

import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import grpc
from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from load.entrance import Entrance
from load.tls_socket import TlsSession

CONNECT_SECONDS_MAX = 10.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CANCEL = 8
"""The RST_STREAM code of a caller that lost interest."""
_FRAME_HEADER_BYTES = 9
_DATA_BYTES_MAX = 16_384
_WINDOW_BYTES = 65_535
_OUR_WINDOW_BYTES = 2**30
_POLL_MS = 50
_STATUS_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
_RESET_NAMES = {
    0: "NO_ERROR",
    1: "PROTOCOL_ERROR",
    2: "INTERNAL_ERROR",
    3: "FLOW_CONTROL_ERROR",
    5: "STREAM_CLOSED",
    7: "REFUSED_STREAM",
    8: "CANCEL",
    9: "COMPRESSION_ERROR",
    11: "ENHANCE_YOUR_CALM",
}

Header = tuple[str, str]

CLOSED = "closed"
"""The end of a stream whose connection the server closed."""
OPEN = "open"
"""Instead of an end: the stream is still open."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a stream ended: a status name, `RST_STREAM` with its code, `HTTP` with a status, or `closed`."""

    how: str
    seconds: float
    """Seconds since the stream began."""
    message: str = ""


class Peer:
    """One connection. The end of the `with` block closes it."""

    def __init__(
        self, entrance: Entrance | str, local_host: str | None = None, opening: bytes | None = None
    ) -> None:
        """Connects, from `local_host` if given, and sends `opening`, by default the preface and SETTINGS.

        `entrance` may be the address of a server in plain text.
        """
        self._entrance = Entrance(entrance) if isinstance(entrance, str) else entrance
        host, _, port = self._entrance.address.rpartition(":")
        source = None if local_host is None else (local_host, 0)
        self._socket = socket.create_connection((host, int(port)), CONNECT_SECONDS_MAX, source)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        authority = self._entrance.authority
        self._tls = None if authority is None else TlsSession(self._socket, host, authority)
        self._unsent = b""
        """Records of TLS that are encrypted and not yet sent."""
        self._writable = select.poll()  # Not `select`, which takes no descriptor above 1,023.
        self._writable.register(self._socket, select.POLLOUT)
        self._encoder, self._decoder = Encoder(), Decoder()
        # Without a table, a block of headers means the same on every stream, so a flood encodes it once.
        self._encoder.header_table_size = 0
        self._next_stream = 1
        self._send_lock = threading.Lock()
        self._changed = threading.Condition()
        self._begun: dict[int, float] = {}
        self._ends: dict[int, StreamEnd] = {}
        self._windows: dict[int, int] = {0: _WINDOW_BYTES}
        self._first_window = _WINDOW_BYTES
        self.closed_time: float | None = None
        """When the server closed the connection (monotonic)."""
        self.go_away: str | None = None
        self.received: Counter[str] = Counter()
        """The frames received, by type."""
        # Sent before the reader begins to acknowledge: the preface must come first.
        self.send(opening_with_window(_OUR_WINDOW_BYTES) if opening is None else opening)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # ---- Sending ----

    def send(self, data: bytes, deadline: float | None = None) -> bool:
        """Sends bytes; returns False if the connection closed or the deadline (monotonic) passed before."""
        with self._send_lock:
            return self._send_all(memoryview(data), deadline)

    def open_window(self, window_bytes: int) -> None:
        """Lets the server send more bytes of each answer, also of those that have begun."""
        self.send(_window(window_bytes))

    def headers(self, block: bytes, end_stream: bool = False) -> tuple[int, bytes]:
        """Returns the number of a new stream and the HEADERS frame that opens it."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        flags = ["END_HEADERS", *(["END_STREAM"] if end_stream else [])]
        return stream, HeadersFrame(stream, data=block, flags=flags).serialize()

    def block(
        self, method: str, more: Sequence[Header] = (), content_type: str = "application/grpc"
    ) -> bytes:
        """Encodes the headers of a call of `/package.Service/Method`."""
        fields = [
            (":method", "POST"),
            (":scheme", "http" if self._tls is None else "https"),
            (":path", method),
            (":authority", "pegcount"),
            ("te", "trailers"),
            ("content-type", content_type),
            *self._entrance.headers(),
            *more,
        ]
        return self._encoder.encode(fields)

    def open_call(self, block: bytes, end_stream: bool = False) -> int:
        """Sends the HEADERS of a call and returns its stream."""
        stream, frame = self.headers(block, end_stream)
        with self._changed:
            self._begun[stream] = time.monotonic()
            self._windows[stream] = self._first_window
        self.send(frame)
        return stream

    def send_data(self, stream: int, data: bytes, deadline: float, end_stream: bool = True) -> bool:
        """Sends DATA frames as the windows of the server allow; returns whether all were sent in time."""
        view = memoryview(data)
        while view:
            size = self._take_window(stream, min(len(view), _DATA_BYTES_MAX), deadline)
            if size == 0:
                return False
            flags = ["END_STREAM"] if end_stream and size == len(view) else []
            if not self.send(DataFrame(stream, data=bytes(view[:size]), flags=flags).serialize(), deadline):
                return False
            view = view[size:]
        return True

    # ---- Observing ----

    @property
    def is_closed(self) -> bool:
        return self.closed_time is not None

    def wait_for_close(self, seconds: float) -> bool:
        """Waits until the server has closed the connection; returns whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_closed, seconds)

    def wait_for_ends(self, seconds: float) -> None:
        """Waits until every stream that `open_call` opened has ended, or the time has passed."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_closed or len(self._ends) == len(self._begun), seconds)

    def end_of(self, stream: int) -> StreamEnd:
        """Returns the end of a stream that `open_call` opened."""
        with self._changed:
            return self._end_of(stream)

    @property
    def local_address(self) -> str:
        """`HOST:PORT` of this side of the connection."""
        host, port = self._socket.getsockname()[:2]
        return f"{host}:{port}"

    def ends(self) -> list[StreamEnd]:
        """Returns the end of every stream that `open_call` opened."""
        with self._changed:
            return [self._end_of(stream) for stream in self._begun]

    def close(self) -> None:
        """Closes the connection."""
        with suppress(OSError):  # The server may have closed it before.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._socket.close()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- Inner parts ----

    def _end_of(self, stream: int) -> StreamEnd:
        now = self.closed_time or time.monotonic()
        unended = StreamEnd(CLOSED if self.is_closed else OPEN, now - self._begun[stream], self.go_away or "")
        return self._ends.get(stream, unended)

    def _send_all(self, view: memoryview, deadline: float | None) -> bool:
        if self._tls is None:
            return not self._send_rest(view, deadline)
        # A record that is cut would make all later ones unreadable.
        self._unsent = self._send_rest(memoryview(self._unsent + self._tls.encrypted(view)), deadline)
        return not self._unsent

    def _send_rest(self, view: memoryview, deadline: float | None) -> bytes:
        """Sends bytes; returns those that were not sent as the connection closed or the deadline passed."""
        while view:
            if self.is_closed or (deadline is not None and time.monotonic() > deadline):
                return bytes(view)
            try:
                # A short wait: a server that closes the connection does not make the socket writable.
                if not self._writable.poll(_POLL_MS):
                    continue
                view = view[self._socket.send(view, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
            except OSError:
                return bytes(view)
        return b""

    def _acknowledge(self, frame: Frame) -> None:
        # A flood may hold the lock until we read on, so an acknowledgement must not wait for it.
        if self._send_lock.acquire(timeout=0.1):
            try:
                self._send_all(memoryview(frame.serialize()), time.monotonic() + 0.1)
            finally:
                self._send_lock.release()

    def _take_window(self, stream: int, size: int, deadline: float) -> int:
        """Waits for room in both windows and takes up to `size` bytes of it; returns 0 if there is none."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.is_closed or stream in self._ends or self._room(stream) > 0,
                max(0.0, deadline - time.monotonic()),
            )
            if self.is_closed or stream in self._ends:
                return 0
            size = max(0, min(size, self._room(stream)))
            self._windows[0] -= size
            self._windows[stream] -= size
            return size

    def _room(self, stream: int) -> int:
        return min(self._windows[0], self._windows[stream])

    def _read(self) -> None:
        try:
            for frame in self._frames():
                self._take(frame)
        except OSError:
            pass  # The server reset the connection.
        with self._changed:
            self.closed_time = time.monotonic()
            self._changed.notify_all()

    def _frames(self) -> Iterator[Frame]:
        rest = b""
        while data := self._socket.recv(2**16) if self._tls is None else self._tls.receive():
            view, begin = memoryview(rest + data), 0
            while len(view) - begin >= _FRAME_HEADER_BYTES:
                body = begin + _FRAME_HEADER_BYTES
                frame, size = Frame.parse_frame_header(view[begin:body])
                if len(view) - body < size:
                    break
                begin = body + size
                frame.parse_body(view[body:begin])
                yield frame
            rest = bytes(view[begin:])

    def _take(self, frame: Frame) -> None:
        self.received[type(frame).__name__.removesuffix("Frame")] += 1
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self._change_first_window(frame)
            self._acknowledge(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            self._acknowledge(PingFrame(0, frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, WindowUpdateFrame):
            with self._changed:
                self._windows[frame.stream_id] = (
                    self._windows.get(frame.stream_id, 0) + frame.window_increment
                )
                self._changed.notify_all()
        elif isinstance(frame, HeadersFrame):
            self._take_headers(frame)
        elif isinstance(frame, RstStreamFrame):
            self._end(frame.stream_id, f"RST_STREAM {_reset_name(frame.error_code)}")
        elif isinstance(frame, GoAwayFrame):
            self.go_away = f"GOAWAY {_reset_name(frame.error_code)} {frame.additional_data.decode()}".strip()

    def _change_first_window(self, frame: SettingsFrame) -> None:
        size = frame.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, self._first_window)
        with self._changed:
            for stream in self._begun:
                self._windows[stream] += size - self._first_window
            self._first_window = size
            self._changed.notify_all()

    def _take_headers(self, frame: HeadersFrame) -> None:
        # Every block is decoded, also of streams that nobody asks about: it may change the table.
        fields = {_text(name): _text(value) for name, value, *_ in self._decoder.decode(frame.data)}
        if "grpc-status" in fields:
            status = int(fields["grpc-status"])
            how = _STATUS_NAMES.get(status, f"status {status}")
            self._end(frame.stream_id, how, fields.get("grpc-message", ""))
        elif "END_STREAM" in frame.flags:
            self._end(frame.stream_id, f"HTTP {fields.get(':status', 'without a status')}")

    def _end(self, stream: int, how: str, message: str = "") -> None:
        with self._changed:
            begun = self._begun.get(stream)
            # A RST_STREAM may follow the status, and floods open streams that nobody asks about.
            if begun is not None and stream not in self._ends:
                self._ends[stream] = StreamEnd(how, time.monotonic() - begun, message)
                self._changed.notify_all()


def message(body: bytes, compressed: bool = False) -> bytes:
    """Returns a gRPC message: its flag, its length and its bytes."""
    return bytes([compressed]) + len(body).to_bytes(4, "big") + body


def opening_with_window(window_bytes: int) -> bytes:
    """Returns the preface, and SETTINGS that let the server send up to `window_bytes` of each answer."""
    return PREFACE + _window(window_bytes)


def _window(size: int) -> bytes:
    settings = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: size})
    return settings.serialize() + WindowUpdateFrame(0, window_increment=max(size, 1)).serialize()


def _reset_name(code: int) -> str:
    return _RESET_NAMES.get(code, str(code))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
