"""`record_writer` for asyncio."""

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final

from pegcount.v1.records_pb2 import SessionRecord

from pegcount_client.async_batch_sender import AsyncBatchSender, AsyncPendingBatch
from pegcount_client.errors import PegcountError
from pegcount_client.record import Record
from pegcount_client.record_batches import RecordBatch, RecordBatches
from pegcount_client.write_summary import Rejection, WriteSummary, WriteTally
from pegcount_client.writer_arguments import checked_unanswered_max
from pegcount_client.writer_state import Stage, WriterState


class AsyncRecordWriter:
    """Writes records as `RecordWriter`, in an `async with` block, at whose end all records are durable.

    Several tasks may write until the block ends. A task that is cancelled while it waits has still written
    its record. The callbacks are plain functions or coroutine functions, which are awaited; meanwhile, no
    other task sends. A callback may write, which then does not wait.
    """

    def __init__(
        self,
        sender: AsyncBatchSender,
        *,
        batch_record_max: int = 1_000,
        unanswered_batch_max: int = 8,
        correct: bool = False,
        on_rejected: Callable[[Rejection], Awaitable[None] | None] | None = None,
        progress: Callable[[WriteSummary], Awaitable[None] | None] | None = None,
    ) -> None:
        self._batches = RecordBatches(batch_record_max, correct=correct)
        self._tally = WriteTally(on_rejected, progress)
        self._unanswered_max = checked_unanswered_max(unanswered_batch_max)
        self._sender = sender
        self._unanswered: deque[tuple[RecordBatch, AsyncPendingBatch]] = deque()
        self._state = WriterState()
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
        is_callback = self._is_in_callback()
        self._state.require_usable(is_callback=is_callback)
        self._batches.add(record)
        # Whoever called the callback has the turn, and sends what it wrote.
        if self._batches.sealed and not is_callback:
            async with self._turn:
                await self._send_sealed()

    async def flush(self) -> None:
        """Returns when all records written so far are durable or rejected; raises as `write`.

        Raises ValueError in a callback, for which it would wait.
        """
        if self._is_in_callback():
            raise ValueError("a callback cannot flush, as the flush would wait for the callback")
        self._state.require_usable()
        async with self._turn:
            await self._send_all()

    def __repr__(self) -> str:
        stage, written = self._state.stage.name.lower(), self._batches.record_count
        return f"<{type(self).__name__} to {self._sender.address}, {stage}, {written:,} written>"

    async def __aenter__(self) -> "AsyncRecordWriter":
        self._state.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._state.require_usable()
                self._state.stage = Stage.ENDING
                async with self._turn:
                    await self._send_all()
                    self._state.stage = Stage.ENDED
                self._tally.require_all_answered(self._batches.record_count)
        except BaseException as failure:
            self._tally.note_rejected(failure)
            raise
        finally:
            self._state.stage = Stage.ENDED
            self._sender.close()
        if error is not None:
            self._tally.note_rejected(error)
        elif (rejected := self._tally.rejected_error()) is not None:
            raise rejected

    async def _send_all(self) -> None:
        self._batches.seal()
        while self._batches.sealed or self._unanswered or self._tally.has_due():
            await self._send_sealed()
            if self._unanswered:
                await self._take_oldest()
            await self._call_back()
            # A callback, or another task, may have written more.
            self._batches.seal()

    async def _send_sealed(self) -> None:
        """Sends complete batches. A cancelled caller leaves the rest of them to the next one."""
        while self._batches.sealed:
            # The task that had the turn before may have met the end of the writer.
            self._state.require_usable(is_callback=True)
            if len(self._unanswered) >= self._unanswered_max:
                await self._take_oldest()
                await self._call_back()
            else:
                batch = self._batches.sealed.popleft()
                self._unanswered.append((batch, self._sender.submit(batch.data)))

    async def _take_oldest(self) -> None:
        """Waits for the oldest unanswered batch, and counts its answer."""
        self._state.require_usable(is_callback=True)
        batch, pending = self._unanswered[0]
        try:
            answer = await pending.wait()
            self._unanswered.popleft()
            self._tally.take_answer(batch, answer, self._batches.record_count, self._sender.resent_count)
        except PegcountError as error:
            self._state.failure = error
            raise

    async def _call_back(self) -> None:
        while (event := self._tally.take_due()) is not None:
            try:
                with self._callback():
                    result = self._tally.call_back(event)
                    if inspect.isawaitable(result):
                        await result
            except asyncio.CancelledError:
                # Who cancels a task that writes does not mean the callback, which gets the event again.
                self._tally.put_back(event)
                raise

    @contextmanager
    def _callback(self) -> Iterator[None]:
        callback = _Callback(self)
        token = _CALLBACKS.set((*_CALLBACKS.get(), callback))
        try:
            yield
        finally:
            callback.is_running = False
            _CALLBACKS.reset(token)

    def _is_in_callback(self) -> bool:
        return any(each.writer is self and each.is_running for each in _CALLBACKS.get())


@dataclass(eq=False, slots=True)
class _Callback:
    """A callback that a writer awaits."""

    writer: AsyncRecordWriter
    is_running: bool = True
    """False: a task that the callback began, and that goes on, is like any other."""


_CALLBACKS: Final[ContextVar[tuple[_Callback, ...]]] = ContextVar("callbacks", default=())
"""The callbacks within which a task runs. Tasks that a callback begins inherit them."""
