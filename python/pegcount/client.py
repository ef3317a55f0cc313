"""A client of the service: report and admin stubs, a record writer with retries, and readable errors."""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeAlias

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from pegcount.config import Config
from pegcount.errors import CorrectionInProgressError, PegcountError
from pegcount.model import WriteOutcome
from pegcount.v1 import admin_pb2_grpc, records_pb2, reports_pb2_grpc
from pegcount.write_outcome import write_outcome

DEFAULT_ADDRESS = "127.0.0.1:50051"

_WriteRecords: TypeAlias = "grpc.StreamStreamMultiCallable[bytes, records_pb2.WriteRecordsResponse]"
_WRITE_RECORDS = "/pegcount.v1.RecordService/WriteRecords"
_REFUSED = "Connection refused"
_NO_SERVER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED)
"""What calls end with that reach no server, or one that knows none of the services."""


class CallError(PegcountError):
    """A call to the server failed; the message is meant for people."""


class Client:
    """Calls one server. Leaving its block closes the channel and raises CallError for a gRPC error.

    A call of a report or an administrative one fails without an answer within `timeout_seconds`. Absent: it
    waits for ever.
    """

    def __init__(
        self, address: str, config: Config | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        config = config or Config()
        self._address = address
        self._channel = grpc.insecure_channel(
            address,
            [
                ("grpc.max_receive_message_length", config.answer_bytes_max),
                ("grpc.max_reconnect_backoff_ms", config.tuning.client_reconnect_ms_max),
            ],
        )
        self._timeout_seconds = timeout_seconds
        timed = grpc.intercept_channel(self._channel, _Timeout(timeout_seconds))
        self.reports = reports_pb2_grpc.ReportServiceStub(timed)
        self.admin = admin_pb2_grpc.AdminServiceStub(timed)

    def record_writer(self, config: Config) -> "RecordWriter":
        """Returns a writer for batches of records, to be used as a context manager."""
        return RecordWriter(self._channel, config)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
            raise CallError(self._sentence(error)) from error

    def _sentence(self, error: grpc.Call) -> str:
        """Returns an error for people: what the server says, or why none says anything."""
        code, details = error.code(), error.details() or ""
        if rpc_status.from_call(error) is not None:
            return f"{code.name}: {details}"
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"no answer from {self._address} within {self._timeout_seconds:g} s"
        if code is grpc.StatusCode.UNAVAILABLE and _REFUSED in details:
            return f"no server answers at {self._address}; `pegcount serve` starts one"
        if code in _NO_SERVER:
            return f"no Pegcount server answers at {self._address}: {details.rpartition('last error: ')[2]}"
        return f"{code.name}: {details}"


@dataclass(frozen=True)
class _CallDetails(grpc.ClientCallDetails):
    """How a call is made; gRPC reads these names."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class _Timeout(grpc.UnaryUnaryClientInterceptor):
    """Limits the time of calls that have no limit of their own."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Sends a call with the limit."""
        sent = client_call_details
        limited = _CallDetails(
            method=sent.method,
            timeout=self._seconds if sent.timeout is None else sent.timeout,
            metadata=sent.metadata,
            credentials=sent.credentials,
            wait_for_ready=sent.wait_for_ready,
            compression=sent.compression,
        )
        return continuation(limited, request)


class RecordWriter:
    """Streams batches to a server, with several unanswered batches at once. Not thread-safe.

    If the server is unreachable, stopping or overloaded, the writer resends all unanswered batches
    in order. That is safe because a record is identified by key and version, so it counts once.
    """

    def __init__(self, channel: grpc.Channel, config: Config) -> None:
        self._write_records: _WriteRecords = channel.stream_stream(
            _WRITE_RECORDS, None, records_pb2.WriteRecordsResponse.FromString
        )
        self._config = config
        self._unanswered: deque[SentBatch] = deque()
        self._stream: _OpenStream | None = None
        self._failure_count = 0
        self._has_lost_stream = False

    def submit(self, batch: bytes) -> "SentBatch":
        """Queues a serialized `WriteRecordsRequest` for sending; the caller bounds the unanswered batches."""
        sent = SentBatch(self, batch)
        self._unanswered.append(sent)
        if self._stream is None:
            self._open()
        else:
            self._stream.send(batch)
        return sent

    def take_answer(self) -> None:
        """Waits for the answer to the oldest batch, or resends all unanswered batches after a failure.

        Raises grpc.RpcError if the server refuses the batch or `retry_count_max` retries fail in a row.
        """
        if self._stream is None:
            self._open()
        assert self._stream is not None
        try:
            answer = self._stream.answer()
        except grpc.RpcError as error:
            self._wait_before_retry(error)
            return
        self._failure_count = 0
        self._unanswered.popleft().outcome = write_outcome(answer)

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _open(self) -> None:
        self._stream = _OpenStream(self._write_records)
        for sent in self._unanswered:
            self._stream.send(sent.batch)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _wait_before_retry(self, error: grpc.RpcError) -> None:
        self._close()
        server_seconds = _retry_seconds(error)
        if self._has_lost_stream and _is_correction_in_progress(error):
            # The stream that corrects these records may be the one that this writer has lost.
            server_seconds = 0.0
        self._has_lost_stream |= server_seconds is not None
        if server_seconds is None or self._failure_count >= self._config.retry_count_max:
            raise error
        exponential_seconds = self._config.retry_seconds_min * 2**self._failure_count
        backoff_seconds = min(exponential_seconds, self._config.retry_seconds_max)
        self._failure_count += 1
        # Jitter: clients that were refused at the same time retry at different times.
        time.sleep(server_seconds + backoff_seconds * random.uniform(0.5, 1.0))


class SentBatch:
    """A batch that may still be unanswered."""

    def __init__(self, writer: RecordWriter, batch: bytes) -> None:
        self.batch = batch
        self.outcome: WriteOutcome | None = None
        self._writer = writer

    def wait(self) -> WriteOutcome:
        """Waits until the server has acknowledged the batch; raises grpc.RpcError if it refuses the batch."""
        while self.outcome is None:
            self._writer.take_answer()
        return self.outcome


class _OpenStream:
    """One call of WriteRecords: a queue of batches that gRPC sends, and the iterator of answers."""

    def __init__(self, write_records: _WriteRecords) -> None:
        self._batches: SimpleQueue[bytes | None] = SimpleQueue()
        self._call = write_records(iter(self._batches.get, None))

    def send(self, batch: bytes) -> None:
        self._batches.put(batch)

    def answer(self) -> records_pb2.WriteRecordsResponse:
        answer: records_pb2.WriteRecordsResponse | None = next(self._call, None)
        if answer is None:
            raise CallError("the server ended the stream before it answered every batch")
        return answer

    def close(self) -> None:
        """Cancels the call, and ends the gRPC thread that reads the queue."""
        self._batches.put(None)
        self._call.cancel()


def _is_correction_in_progress(error: grpc.RpcError) -> bool:
    status = rpc_status.from_call(error) if isinstance(error, grpc.Call) else None
    info = error_details_pb2.ErrorInfo()
    found = status is not None and any(detail.Unpack(info) for detail in status.details)
    return found and info.reason == CorrectionInProgressError.reason


def _retry_seconds(error: grpc.RpcError) -> float | None:
    """Returns the seconds that the server asks to wait before a retry, or None if a retry is useless."""
    if not isinstance(error, grpc.Call):
        return None
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return 0.0
    status = rpc_status.from_call(error)
    info = error_details_pb2.RetryInfo()
    if status is None or not any(detail.Unpack(info) for detail in status.details):
        return None
    return float(info.retry_delay.ToNanoseconds() / 1e9)
