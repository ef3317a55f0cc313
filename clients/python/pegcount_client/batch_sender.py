"""Sends serialized batches of records over a stream, again after failures, until each is answered."""

import time
from collections import deque
from queue import SimpleQueue
from typing import Final, TypeAlias

import grpc
from pegcount.v1.records_pb2 import WriteRecordsResponse

from pegcount_client.errors import PegcountError, call_error
from pegcount_client.retry import Retries

WRITE_RECORDS: Final = "/pegcount.v1.RecordService/WriteRecords"

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
        self._address = address
        self._unanswered: deque[PendingBatch] = deque()
        self._stream: _OpenStream | None = None
        self._retries = retries
        self.resent_count = 0
        """Batches that were sent again, each time counted."""

    def submit(self, batch: bytes) -> "PendingBatch":
        """Queues a serialized `WriteRecordsRequest` for sending; the caller bounds the unanswered batches.

        Raises what the function of a token raises; the batch is not queued then.
        """
        if not self._unanswered and not self.has_stream():
            # The server ends streams that idle; a batch sent into one would only wait for its failure.
            self.close()
        if self._stream is None:
            # Before it is queued: a token that cannot be had leaves the batch to the caller.
            self._open()
        assert self._stream is not None
        pending = PendingBatch(self, batch)
        self._unanswered.append(pending)
        self._stream.send(batch)
        return pending

    def take_answer(self) -> None:
        """Waits for the answer to the oldest batch, or resends all unanswered batches after a failure.

        Raises PegcountError if the server refuses the batch, or the retries of the policy fail in a row.
        """
        if self._stream is None:
            self.resent_count += len(self._unanswered)
            self._open()
        assert self._stream is not None
        try:
            answer = self._stream.answer()
        except grpc.RpcError as error:
            self.close()
            failure = call_error(error, self._address)
            failure.__cause__ = error
            time.sleep(self._retries.wait_seconds(failure))
            return
        except BaseException:
            # An interrupted wait may have lost an answer; the next stream gives it again.
            self.close()
            raise
        self._retries.answered()
        self._unanswered.popleft().answer = answer

    def has_stream(self) -> bool:
        """Returns whether a stream is open, as far as the server has told."""
        return self._stream is not None and not self._stream.is_over()

    def close(self) -> None:
        """Cancels the stream; unanswered batches may be durable or not."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self) -> "BatchSender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        self._stream = _OpenStream(self._write_records)
        for pending in self._unanswered:
            self._stream.send(pending.batch)


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
    """One call of WriteRecords: a queue of batches that gRPC sends, and the iterator of answers."""

    def __init__(self, write_records: _WriteRecords) -> None:
        self._batches: SimpleQueue[bytes | None] = SimpleQueue()
        self._call = write_records(iter(self._batches.get, None))

    def send(self, batch: bytes) -> None:
        self._batches.put(batch)

    def answer(self) -> WriteRecordsResponse:
        answer: WriteRecordsResponse | None = next(self._call, None)
        if answer is None:
            raise PegcountError(ENDED_EARLY)
        return answer

    def is_over(self) -> bool:
        return not self._call.is_active()

    def close(self) -> None:
        """Cancels the call, and ends the gRPC thread that reads the queue."""
        self._batches.put(None)
        self._call.cancel()


ENDED_EARLY: Final = (
    "the server ended the stream before it answered every batch; write again what was not answered"
)
