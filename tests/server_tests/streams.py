"""Client streams of WriteRecords, and a store with delayed writes."""

import queue
import threading
import time
from types import TracebackType
from typing import Any, TypeAlias

import grpc
import pytest
from pegcount import core
from pegcount.model import WriteOutcome
from pegcount.store import PendingWrite
from pegcount.v1 import records_pb2
from service import Service

from server_tests.example_requests import call_record

METHOD = "/pegcount.v1.RecordService/WriteRecords"
Request, Response = records_pb2.WriteRecordsRequest, records_pb2.WriteRecordsResponse


WriteRecords: TypeAlias = "grpc.StreamStreamMultiCallable[bytes, records_pb2.WriteRecordsResponse]"


def batch(batch_id: str | None, *session_ids: str) -> bytes:
    """Encodes a WriteRecordsRequest with calls of account a1."""
    records = [call_record(session_id) for session_id in session_ids]
    return Request(batch_id=batch_id, records=records).SerializeToString()


class Stream:
    """One open WriteRecords stream; the end of the `with` block cancels it."""

    def __init__(
        self,
        channel: grpc.Channel,
        timeout_s: float = 60,
        metadata: tuple[tuple[str, str], ...] | None = None,
    ) -> None:
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        write_records: WriteRecords = channel.stream_stream(METHOD, None, Response.FromString)
        self.call = write_records(iter(self._requests.get, None), timeout=timeout_s, metadata=metadata)

    def send(self, *batches: bytes) -> None:
        for message in batches:
            self._requests.put(message)

    def answer(self) -> records_pb2.WriteRecordsResponse:
        return next(self.call)

    def end(self) -> list[records_pb2.WriteRecordsResponse]:
        """Half-closes the stream and returns the remaining answers."""
        self.half_close()
        return list(self.call)

    def half_close(self) -> None:
        """Sends no further batch."""
        self._requests.put(None)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.put(None)
        self.call.cancel()


def half_sent(
    service: Service, method: str, seconds: float, metadata: tuple[tuple[str, str], ...] | None = None
) -> Any:
    """Opens a call of a unary method and never sends its message; returns its future."""
    call: Any = service.channel.stream_unary(f"/{method}")
    return call.future(iter(queue.SimpleQueue().get, None), timeout=seconds, metadata=metadata)


class DelayedStore:
    """Delays each write of the store until `go` is set, or for a number of seconds."""

    def __init__(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, seconds: float | None = None
    ) -> None:
        self.go = threading.Event()
        self.submitted: list[int] = []
        self.bytes_in_flight = self.bytes_in_flight_peak = 0
        self._seconds = seconds
        self._lock = threading.Lock()
        self._submit = service.store.submit
        monkeypatch.setattr(service.store, "submit", self.submit)

    def submit(self, message: bytes, cancel_token: core.CancelToken, writer: object = None) -> "DelayedWrite":
        self.submitted.append(len(message))
        self.add_in_flight(len(message))
        return DelayedWrite(self, self._submit(message, cancel_token), len(message))

    def add_in_flight(self, size: int) -> None:
        with self._lock:
            self.bytes_in_flight += size
            self.bytes_in_flight_peak = max(self.bytes_in_flight_peak, self.bytes_in_flight)

    def delay(self) -> None:
        if self._seconds is None:
            assert self.go.wait(20), "the test did not set `go` within 20 s"
        else:
            # The load itself: a store that takes as long as this.
            time.sleep(self._seconds)


class DelayedWrite:
    def __init__(self, store: DelayedStore, pending: PendingWrite, size: int) -> None:
        self._store, self._pending, self._size = store, pending, size

    def wait(self) -> WriteOutcome:
        self._store.delay()
        self._store.add_in_flight(-self._size)
        return self._pending.wait()

    def wait_for_response(self) -> bytes:
        self.wait()
        return self._pending.wait_for_response()

    @property
    def rejected_bytes(self) -> int:
        return self._pending.rejected_bytes
