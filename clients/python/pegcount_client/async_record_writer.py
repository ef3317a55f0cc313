"""`record_writer` for asyncio."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from pegcount.v1.records_pb2 import SessionRecord

from pegcount_client.async_batch_sender import AsyncBatchSender, AsyncPendingBatch
from pegcount_client.errors import PegcountError
from pegcount_client.record import Record
from pegcount_client.record_batches import RecordBatch, RecordBatches
from pegcount_client.record_writer import checked_unanswered_max, require_usable
from pegcount_client.write_summary import Rejection, WriteSummary, WriteTally


class AsyncRecordWriter:
    """Writes records as `RecordWriter`, in an `async with` block, at whose end all records are durable.

    Several tasks may write. A task that is cancelled while it waits has still written its record. The
    callbacks are plain functions.
    """

    def __init__(
        self,
        sender: AsyncBatchSender,
        *,
        batch_record_max: int = 1_000,
        unanswered_batch_max: int = 8,
        correct: bool = False,
        on_rejected: Callable[[Rejection], object] | None = None,
        progress: Callable[[WriteSummary], object] | None = None,
    ) -> None:
        self._batches = RecordBatches(batch_record_max, correct=correct)
        self._tally = WriteTally(on_rejected, progress)
        self._unanswered_max = checked_unanswered_max(unanswered_batch_max)
        self._sender = sender
        self._unanswered: deque[tuple[RecordBatch, AsyncPendingBatch]] = deque()
        self._failure: PegcountError | None = None
        self._is_open = False
        self._turn = asyncio.Lock()

    @property
    def summary(self) -> WriteSummary:
        """The figures until now."""
        return replace(
            self._tally.summary, written=self._batches.record_count, resent=self._sender.resent_count
        )

    async def write(self, record: Record | SessionRecord) -> None:
        """Takes a record, and sends it with the others of its batch; waits while too many are unanswered.

        Raises PegcountError if the server refused a batch for good, ValueError outside the block,
        TypeError for anything but a record.
        """
        self._require_usable()
        self._batches.add(record)
        if self._batches.sealed:
            async with self._turn:
                await self._send_sealed()

    async def flush(self) -> None:
        """Returns when all records written so far are durable or rejected; raises as `write`."""
        self._require_usable()
        self._batches.seal()
        async with self._turn:
            while self._batches.sealed or self._unanswered:
                await self._send_sealed()
                await self._take_oldest()

    async def __aenter__(self) -> "AsyncRecordWriter":
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.flush()
        except BaseException as failure:
            self._tally.note_rejected(failure)
            raise
        finally:
            self._is_open = False
            self._sender.close()
        if error is not None:
            self._tally.note_rejected(error)
        elif (rejected := self._tally.rejected_error()) is not None:
            raise rejected

    def _require_usable(self) -> None:
        require_usable(self._is_open, self._failure)

    async def _send_sealed(self) -> None:
        """Sends complete batches. A cancelled caller leaves the rest of them to the next one."""
        while self._batches.sealed:
            if len(self._unanswered) >= self._unanswered_max:
                await self._take_oldest()
            else:
                batch = self._batches.sealed.popleft()
                self._unanswered.append((batch, self._sender.submit(batch.data)))

    async def _take_oldest(self) -> None:
        """Waits for the oldest unanswered batch, and counts its answer."""
        # The task that had the turn before may have met the end of the writer.
        self._require_usable()
        batch, pending = self._unanswered[0]
        try:
            answer = await pending.wait()
            self._unanswered.popleft()
            self._tally.take_answer(batch, answer, self._batches.record_count, self._sender.resent_count)
        except PegcountError as error:
            self._failure = error
            raise
