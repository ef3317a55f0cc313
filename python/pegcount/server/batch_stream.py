"""Back-pressure of a write stream: a bounded queue between reading batches and answering them.

reading:   message -> store.submit, on a thread -> queue      (pauses while the queue is full)
answering: queue -> wait until durable, on a thread -> response      (in the order of the messages)
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from pegcount import response
from pegcount.errors import OverloadedError
from pegcount.server.calls import Call
from pegcount.server.places import Place
from pegcount.store import PendingWrite, Store

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class BatchStream:
    """The batches of one stream that are submitted and not yet answered, in order.

    Reading pauses at `batch_count_max` batches, so that HTTP/2 flow control slows the client down.
    """

    def __init__(self, call: Call, place: Place, store: Store, batch_count_max: int) -> None:
        self._call = call
        self._place = place
        self._store = store
        # Each stream has its own threads: what one frees, its next batch uses again. (Tried: a pool for all
        # streams. Writing then took 40 % more processor time.)
        self._submitting = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="answer")
        self._room = asyncio.Semaphore(batch_count_max)
        self._queue: asyncio.Queue[PendingWrite | None] = asyncio.Queue()
        self._unanswered_count = 0
        self._answered = asyncio.Event()
        self._is_waiting_for_message = False
        self._is_ending = False
        self._reading = asyncio.ensure_future(self._read())
        self._reading.add_done_callback(_retrieve_exception)

    def stop_reading(self) -> None:
        """Reads no further batch; `responses` still yields those of the batches that were read."""
        self._is_ending = True
        # A batch that is being submitted still gets its answer.
        if self._is_waiting_for_message:
            self._reading.cancel()

    async def responses(self) -> AsyncIterator[bytes]:
        """Yields the response to each batch, serialized, as soon as the batch is durable.

        After the last one, raises the error that ended the reading, if any.
        """
        try:
            while (pending := await self._queue.get()) is not None:
                answer = await _on_thread(self._answering, _answer, pending)
                self._unanswered_count -= 1
                self._room.release()
                self._answered.set()
                self._place.end_work()
                with self._place.sending():
                    yield answer
            await asyncio.wait([self._reading])
            if not self._reading.cancelled():
                self._reading.result()
        finally:
            self._reading.cancel()
            self._submitting.shutdown(wait=False)
            self._answering.shutdown(wait=False)

    async def _read(self) -> None:
        """Submits batches until the client sends no more, a batch fails, or the stream ends."""
        try:
            while not self._is_ending:
                await self._room.acquire()
                message = await self._next_message()
                if message is None:
                    break
                self._place.begin_work()
                self._queue.put_nowait(await self._submit(message))
                self._unanswered_count += 1
        finally:
            self._queue.put_nowait(None)

    async def _next_message(self) -> bytes | None:
        self._is_waiting_for_message = True
        try:
            return await self._call.read()
        finally:
            self._is_waiting_for_message = False

    async def _submit(self, message: bytes) -> PendingWrite:
        while True:
            try:
                return await _on_thread(self._submitting, self._store.submit, message)
            except OverloadedError:
                # An unanswered batch may free room in the store. Without one, the client must retry later.
                if self._unanswered_count == 0 or self._is_ending:
                    raise
            self._answered.clear()
            await self._answered.wait()


async def _on_thread(threads: Executor, work: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
    return await asyncio.get_running_loop().run_in_executor(threads, work, argument)


def _answer(pending: PendingWrite) -> bytes:
    return response.written(pending.wait())


def _retrieve_exception(reading: "asyncio.Future[None]") -> None:
    """asyncio logs the exception of a task that nobody retrieves, as if the client has gone."""
    if not reading.cancelled():
        reading.exception()
