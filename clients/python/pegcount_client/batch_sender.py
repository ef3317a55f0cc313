"""Sends serialized batches of records over a stream, again after failures, until each is answered."""

from collections import deque
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final, TypeAlias

import grpc
from pegcount.v1.records_pb2 import WriteRecordsResponse

from pegcount_client.errors import PegcountError, call_error
from pegcount_client.retry import Retries

WRITE_RECORDS: Final = "/pegcount.v1.RecordService/WriteRecords"

_END_SECONDS_MAX: Final = 5.0
"""Seconds to wait for the end of a call that is cancelled, which takes milliseconds."""

_STATUS_SECONDS_MAX: Final = 1.0
"""Seconds to wait for the status of a stream that owes nothing; the server counts it as cancelled without."""

_WriteRecords: TypeAlias = "grpc.StreamStreamMultiCallable[bytes, WriteRecordsResponse]"


class BatchSender:
    """Streams batches to a server, with several unanswered batches at once. Not thread-safe.

    If the server is unreachable, stopping or overloaded, the sender resends all unanswered batches
    in order. That is safe because a record is identified by key and version, so it counts once.
    """

    def __init__(self, channel: grpc.Channel, address: str, retries: Retries) -> None:
        self._write_records: _WriteRecords = channel.stream_stream(
            WRITE_RECORDS, None, WriteRecordsResponse.FromString
        )
        self.address = address
        self._unanswered: deque[PendingBatch] = deque()
        self._stream: _OpenStream | None = None
        self._retries = retries
        self._is_closed = Event()
        self.resent_count = 0
        """Batches that were sent again, each time counted."""

    def submit(self, batch: bytes) -> "PendingBatch":
        """Queues a serialized `WriteRecordsRequest` for sending; the caller bounds the unanswered batches."""
        if not self._unanswered and not self.has_stream():
            # The server ends streams that idle; a batch sent into one would only wait for its failure.
            self._drop_stream()
        if (stream := self._stream) is None:
            stream = self._open()
        pending = PendingBatch(self, batch)
        self._unanswered.append(pending)
        stream.send(batch)
        return pending

    def take_answer(self) -> None:
        """Waits for the answer to the oldest batch, or resends all unanswered batches after a failure.

        Raises PegcountError if the server refuses the batch, or the retries of the policy fail in a row, or
        another thread closes the sender.
        """
        stream = self._stream
        if stream is None:
            self.resent_count += len(self._unanswered)
            stream = self._open()
        try:
            answer = stream.answer()
        except grpc.RpcError as error:
            self._drop_stream()
            if self._is_closed.is_set():
                raise closed_sender() from error
            failure = call_error(error, self.address)
            failure.__cause__ = error
            self._is_closed.wait(self._retries.wait_seconds(failure))
            return
        except BaseException:
            # An interrupted wait may have lost an answer; the next stream gives it again.
            self._drop_stream()
            raise
        self._retries.answered()
        self._unanswered.popleft().answer = answer

    def has_stream(self) -> bool:
        """Returns whether a stream is open, as far as the server has told."""
        return self._stream is not None and not self._stream.is_over()

    def close(self) -> None:
        """Ends the stream for good; unanswered batches may be durable or not.

        Without any, the server sees it end; else it is cancelled.

        Another thread may do so, which ends the waiting of the one that uses the sender.
        """
        self._is_closed.set()
        stream = self._stream
        if stream is not None and not self._unanswered:
            stream.end()
        self._drop_stream()

    def __enter__(self) -> "BatchSender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> "_OpenStream":
        stream = self._stream = _OpenStream(self._write_records)
        if self._is_closed.is_set():
            self._drop_stream()
            raise closed_sender()
        for pending in self._unanswered:
            stream.send(pending.batch)
        return stream

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class PendingBatch:
    """A batch that may still be unanswered."""

    def __init__(self, sender: BatchSender, batch: bytes) -> None:
        self.batch = batch
        self.answer: WriteRecordsResponse | None = None
        self._sender = sender

    def wait(self) -> WriteRecordsResponse:
        """Waits until the server has acknowledged the batch; raises PegcountError if it refuses the batch."""
        while self.answer is None:
            self._sender.take_answer()
        return self.answer


class _OpenStream:
    """One call of WriteRecords: a queue of batches that gRPC sends, and a queue of answers.

    Threads of its own make the call, read it and cancel it. Ctrl-C may interrupt the main thread anywhere;
    within gRPC that leaves locks locked, for which the end of the program would wait for ever.
    """

    def __init__(self, write_records: _WriteRecords) -> None:
        self._batches: SimpleQueue[bytes | None] = SimpleQueue()
        self._answers: SimpleQueue[WriteRecordsResponse | Exception] = SimpleQueue()
        self._call: grpc.Call | None = None
        self._is_made = Event()
        self._is_over = Event()
        self._reader = Thread(target=self._read, args=(write_records,), daemon=True)
        self._reader.start()

    def send(self, batch: bytes) -> None:
        self._batches.put(batch)

    def answer(self) -> WriteRecordsResponse:
        answer = self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def is_over(self) -> bool:
        return self._is_over.is_set()

    def end(self) -> None:
        """Sends no further batch, and waits shortly for the status."""
        self._batches.put(None)
        self._reader.join(_STATUS_SECONDS_MAX)

    def close(self) -> None:
        """Cancels the call, and ends the gRPC thread that reads the queue.

        Waits for both threads: a channel that is closed while a call of it is cancelled may never end.
        """
        self._batches.put(None)
        if not self._is_over.is_set():
            canceller = Thread(target=self._cancel, daemon=True)
            canceller.start()
            for thread in (canceller, self._reader):
                thread.join(_END_SECONDS_MAX)

    def _read(self, write_records: _WriteRecords) -> None:
        end: Exception = PegcountError(ENDED_EARLY)
        try:
            call = write_records(iter(self._batches.get, None))
            self._call = call
            self._is_made.set()
            for answer in call:
                self._answers.put(answer)
        except Exception as error:
            end = error
        self._is_over.set()
        self._is_made.set()
        self._answers.put(end)

    def _cancel(self) -> None:
        self._is_made.wait()
        if self._call is not None:
            self._call.cancel()


ENDED_EARLY: Final = (
    "the server ended the stream before it answered every batch; write again what was not answered"
)


def closed_sender() -> PegcountError:
    """Returns the error of a sender that was closed while or before somebody used it."""
    return PegcountError(
        "the sender of batches was closed; write again what was not answered",
        code=grpc.StatusCode.CANCELLED,
    )
