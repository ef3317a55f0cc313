"""Admission control: bounds the calls in progress and in the queue, and refuses further calls at once."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

from pegcount.errors import OverloadedError
from pegcount.server.fair_queue import FairQueue

_Result = TypeVar("_Result")


class AdmissionGate:
    """Admits up to `running_max` calls at once and queues up to `waiting_max` more, fair to connections."""

    def __init__(self, name: str, running_max: int, waiting_max: int, retry_seconds: float) -> None:
        """`name` names the calls, in the plural, in the error of a refused call."""
        waiting = f" and {waiting_max} wait" if waiting_max else ""
        self._refusal = f"{running_max} {name} are in progress{waiting}; no more are allowed"
        self._retry_seconds = retry_seconds
        self._free_slot_count = running_max
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue(waiting_max)

    async def enter(self, connection: Hashable) -> None:
        """Takes a slot, once one is free; `leave` frees it.

        Raises OverloadedError if the queue is full and no connection waits with more calls, or, later, if
        the call must make room in the queue for one of another connection.
        """
        if self._free_slot_count > 0:
            self._free_slot_count -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        refused = self._waiting.add(connection, turn)
        if refused is turn:
            raise self._overloaded()
        if refused is not None and not refused.done():
            refused.set_exception(self._overloaded())
        try:
            await turn
        except asyncio.CancelledError:
            self._give_up(connection, turn)
            raise

    def leave(self) -> None:
        """Frees a slot, or passes it to the next call in the queue."""
        while (turn := self._waiting.pop()) is not None:
            if not turn.done():
                turn.set_result(None)
                return
        self._free_slot_count += 1

    async def run(self, threads: Executor, work: Callable[[], _Result]) -> _Result:
        """Runs `work` on a thread in the slot that the call has taken, and frees the slot.

        A call that is cancelled returns at once; its slot stays taken until `work` has ended.
        """
        loop = asyncio.get_running_loop()

        def leave_soon(_: object) -> None:
            # The loop may be closed if the work outlasts the server.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.leave)

        try:
            running = threads.submit(work)
        except BaseException:
            self.leave()
            raise
        running.add_done_callback(leave_soon)
        try:
            return await asyncio.wrap_future(running)
        finally:
            # The future has an error whose traceback has this frame: a cycle, which would keep in memory what
            # the frames of the work hold.
            del running

    def _give_up(self, connection: Hashable, turn: "asyncio.Future[None]") -> None:
        was_waiting = self._waiting.remove(connection, turn)
        if not was_waiting and turn.done() and not turn.cancelled() and turn.exception() is None:
            # The call was cancelled after it had been given its slot.
            self.leave()

    def _overloaded(self) -> OverloadedError:
        return OverloadedError(self._refusal, self._retry_seconds)
