"""Back-pressure of a write stream: a bounded queue between reading batches and answering them.

reading:   message -> rule, store.submit, on a thread -> queue      (pauses while the queue is full)
answering: queue -> wait until durable, on a thread -> response      (in the order of the messages)

A batch of corrections is submitted once the stream holds the sources of its records.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pegcount import core, request
from pegcount.config import Config
from pegcount.errors import CorrectedSourceLimitError, OverloadedError
from pegcount.server.call import Call
from pegcount.server.corrected_sources import CorrectedSources
from pegcount.server.places import Place
from pegcount.server.scope_check import WriteScope
from pegcount.server.stream_rules import StreamRules
from pegcount.store import PendingWrite

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _ToHold:
    """Sources that the stream must hold before a batch of corrections is submitted."""

    sources: frozenset[str]


class BatchStream:
    """The batches of one stream that are submitted and not yet answered, in order.

    Reading pauses at `stream_batch_count_max` batches, and while the rejected records of their answers take
    more than `stream_answer_bytes_max`. HTTP/2 flow control then slows the client down.
    """

    def __init__(
        self, call: Call, place: Place, rules: StreamRules, corrected: CorrectedSources, config: Config
    ) -> None:
        self._call = call
        self._scope = WriteScope(None if call.caller is None else call.caller.data_scope)
        self._place = place
        self._rules = rules
        self._corrected = corrected
        self._held_sources: frozenset[str] = frozenset()
        self._may_hold_sources = False
        # Each stream has its own threads: what one frees, its next batch uses again. (Tried: a pool for all
        # streams. Writing then took 40 % more processor time.)
        self._submitting = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="answer")
        self._cancel_token = core.CancelToken(call.time_remaining())
        self._room = asyncio.Semaphore(config.stream_batch_count_max)
        self._answer_bytes_max = config.stream_answer_bytes_max
        self._source_count_max = config.corrected_source_count_max
        self._answer_bytes = 0
        self._sent = asyncio.Event()
        self._queue: asyncio.Queue[PendingWrite | None] = asyncio.Queue()
        self._unanswered_count = 0
        self._answered = asyncio.Event()
        self._is_waiting_for_others = False
        self._is_ending = False
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(_retrieve_exception)

    def stop_reading(self) -> None:
        """Reads no further batch; `responses` still yields those of the batches that were read."""
        self._is_ending = True
        self._sent.set()
        # A batch that is being submitted still gets its answer.
        if self._is_waiting_for_others:
            self._reading.cancel()

    async def responses(self) -> AsyncIterator[bytes]:
        """Yields the response to each batch, serialized, as soon as the batch is durable.

        After the last one, raises the error that ended the reading, if any.
        """
        try:
            while (pending := await self._queue.get()) is not None:
                rejected_bytes = pending.rejected_bytes
                answer = await _on_thread(self._answering, _answer, pending)
                # A client that does not read holds up this loop, which would keep the batch meanwhile.
                del pending
                self._unanswered_count -= 1
                self._room.release()
                self._answered.set()
                self._place.end_work()
                with self._place.sending():
                    yield answer
                del answer
                self._answer_bytes -= rejected_bytes
                self._sent.set()
            await asyncio.wait([self._reading])
            if not self._reading.cancelled():
                self._reading.result()
        finally:
            self._reading.cancel()
            # Nobody waits for these batches any more; they are committed all the same.
            self._cancel_token.cancel()
            self._release_sources()
            self._submitting.shutdown(wait=False)
            self._answering.shutdown(wait=False)

    async def _read(self) -> None:
        """Submits batches until the client sends no more, a batch fails, or the stream ends."""
        try:
            while await self._may_read():
                message = await self._next_message()
                if message is None:
                    break
                self._place.begin_work()
                pending = await self._submit(message)
                self._answer_bytes += pending.rejected_bytes
                self._queue.put_nowait(pending)
                self._unanswered_count += 1
                # Neither is needed while this loop waits.
                del message, pending
        finally:
            self._queue.put_nowait(None)

    async def _may_read(self) -> bool:
        """Returns True once the stream owes little enough to read a batch, and False if it is ending."""
        if not self._is_ending:
            await self._room.acquire()
        while not self._is_ending and self._answer_bytes > self._answer_bytes_max:
            self._sent.clear()
            await self._sent.wait()
        return not self._is_ending

    async def _next_message(self) -> bytes | None:
        with self._waiting_for_others():
            return await self._call.read()

    @contextmanager
    def _waiting_for_others(self) -> Iterator[None]:
        """Waits in its block for the client or another stream: no further batch needs an answer yet."""
        self._is_waiting_for_others = True
        try:
            yield
        finally:
            self._is_waiting_for_others = False

    async def _submit(self, message: bytes) -> PendingWrite:
        while True:
            try:
                submitted = await _on_thread(self._submitting, self._submit_checked, message)
            except OverloadedError:
                # An unanswered batch may free room in the store. Without one, the client must retry later.
                if self._unanswered_count == 0 or self._is_ending:
                    raise
                self._answered.clear()
                await self._answered.wait()
                continue
            if not isinstance(submitted, _ToHold):
                return submitted
            await self._hold(submitted.sources)

    def _submit_checked(self, message: bytes) -> PendingWrite | _ToHold:
        # Before anything else looks at the records, which would tell something of those of others.
        self._scope.require_inside(message)
        corrected = request.corrected_sources(message)
        if not corrected <= self._held_sources:
            return _ToHold(corrected)
        return self._rules.submit(message, self._cancel_token, self._scope.records)

    async def _hold(self, sources: frozenset[str]) -> None:
        if self._is_ending:
            # As if `stop_reading` had found it waiting: the client sends the batch again.
            raise asyncio.CancelledError
        self._may_hold_sources = True
        held = self._held_sources | sources
        if len(held) > self._source_count_max:
            raise CorrectedSourceLimitError(len(held), self._source_count_max)
        with self._waiting_for_others():
            await self._corrected.hold(self, sources)
        self._held_sources = held

    def _release_sources(self) -> None:
        """Releases the sources once no batch of this stream is being submitted any more."""
        if self._may_hold_sources:
            loop = asyncio.get_running_loop()
            self._submitting.submit(loop.call_soon_threadsafe, self._corrected.release, self)


async def _on_thread(threads: Executor, work: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(threads, work, argument)


def _answer(pending: PendingWrite) -> bytes:
    return pending.wait_for_response()


def _retrieve_exception(reading: "asyncio.Future[None]") -> None:
    """asyncio logs the exception of a task that nobody retrieves, as if the client has gone."""
    if not reading.cancelled():
        reading.exception()
