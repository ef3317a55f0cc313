"""`batch_sender` for asyncio."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc import aio
from pegcount.v1.records_pb2 import WriteRecordsResponse

from pegcount_client.batch_sender import ENDED_EARLY, WRITE_RECORDS, closed_sender
from pegcount_client.errors import PegcountError, call_error, status_of
from pegcount_client.retry import Retries


class AsyncBatchSender:
    """Streams batches to a server, as `BatchSender`; several tasks may wait for answers at once.

    A task that is cancelled while it waits loses nothing: the next one resends what was not answered.
    """

    def __init__(self, channel: aio.Channel, address: str, retries: Retries) -> None:
        self._write_records: Any = channel.stream_stream(WRITE_RECORDS, None, WriteRecordsResponse.FromString)
        self.address = address
        self._unanswered: deque[AsyncPendingBatch] = deque()
        self._stream: _OpenStream | None = None
        self._retries = retries
        self._turn = asyncio.Lock()
        self._is_closed = asyncio.Event()
        self.resent_count = 0
        """Batches that were sent again, each time counted."""

    def submit(self, batch: bytes) -> "AsyncPendingBatch":
        """Queues a serialized `WriteRecordsRequest` for sending; the caller bounds the unanswered batches."""
        if not self._unanswered and not self.has_stream():
            # The server ends streams that idle; a batch sent into one would only wait for its failure.
            self._drop_stream()
        pending = AsyncPendingBatch(self, batch)
        self._unanswered.append(pending)
        if self._stream is None:
            self._open()
        else:
            self._stream.send(batch)
        return pending

    async def take_answer(self, pending: "AsyncPendingBatch") -> None:
        """Waits for the oldest answer, unless another task takes that of `pending`; see `BatchSender`."""
        async with self._turn:
            if pending.answer is None:
                await self._take_oldest()

    async def _take_oldest(self) -> None:
        stream = self._stream
        if stream is None:
            self.resent_count += len(self._unanswered)
            stream = self._open()
        try:
            answer = await stream.answer()
        except grpc.RpcError as error:
            failure = self._failure(error)
        except asyncio.CancelledError as error:
            # gRPC cancels the stream with the task that reads it; and by itself, without the status that the
            # server gave, if it was about to send a batch when the stream ended.
            self._drop_stream()
            if is_cancelled():
                raise
            failure = self._lost_stream(error)
        except BaseException:
            # A token could not be had; the next stream asks for it again.
            self._drop_stream()
            raise
        else:
            self._retries.answered()
            self._unanswered.popleft().answer = answer
            return
        self._drop_stream()
        if self._is_closed.is_set():
            raise closed_sender() from failure
        await self._wait_or_close(self._retries.wait_seconds(failure))

    async def _wait_or_close(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._is_closed.wait(), seconds)
        except TimeoutError:
            return

    def _failure(self, error: grpc.RpcError) -> PegcountError:
        failure = call_error(error, self.address)
        failure.__cause__ = error
        is_from_grpc = failure.code is grpc.StatusCode.INTERNAL and status_of(error) is None
        return self._lost_stream(error) if is_from_grpc else failure

    def _lost_stream(self, error: BaseException) -> PegcountError:
        """Returns an error that is retried: if the server refused a batch, it will do so again."""
        failure = PegcountError(
            f"the stream to {self.address} ended while a batch was sent",
            code=grpc.StatusCode.UNAVAILABLE,
        )
        failure.__cause__ = error
        return failure

    def has_stream(self) -> bool:
        """Returns whether a stream is open, as far as the server has told."""
        return self._stream is not None and not self._stream.is_over()

    def close(self) -> None:
        """Cancels the stream for good, and ends all waiting; unanswered batches may be durable or not."""
        self._is_closed.set()
        self._drop_stream()

    async def __aenter__(self) -> "AsyncBatchSender":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> "_OpenStream":
        if self._is_closed.is_set():
            raise closed_sender()
        stream = self._stream = _OpenStream(self._write_records)
        for pending in self._unanswered:
            stream.send(pending.batch)
        return stream

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class AsyncPendingBatch:
    """A batch that may still be unanswered."""

    def __init__(self, sender: AsyncBatchSender, batch: bytes) -> None:
        self.batch = batch
        self.answer: WriteRecordsResponse | None = None
        self._sender = sender

    async def wait(self) -> WriteRecordsResponse:
        """Waits until the server has acknowledged the batch; raises PegcountError if it refuses the batch."""
        while self.answer is None:
            await self._sender.take_answer(self)
        return self.answer


class _OpenStream:
    """One call of WriteRecords: a queue of batches that gRPC sends, and the iterator of answers."""

    def __init__(self, write_records: Any) -> None:
        self._batches: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._call = write_records(self._queued())
        self._answers = aiter(self._call)

    async def _queued(self) -> AsyncIterator[bytes]:
        while (batch := await self._batches.get()) is not None:
            yield batch

    def send(self, batch: bytes) -> None:
        self._batches.put_nowait(batch)

    async def answer(self) -> WriteRecordsResponse:
        answer: WriteRecordsResponse | None = await anext(self._answers, None)
        if answer is None:
            raise PegcountError(ENDED_EARLY)
        return answer

    def is_over(self) -> bool:
        return bool(self._call.done())

    def close(self) -> None:
        """Cancels the call, and ends what reads the queue."""
        self._batches.put_nowait(None)
        self._call.cancel()


def is_cancelled() -> bool:
    """Returns whether somebody cancels the present task, rather than gRPC a call of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
