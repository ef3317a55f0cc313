"""Admission control: bounds the calls in progress and in the queue, and refuses further calls at once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from pegcount.errors import OverloadedError
from pegcount.server.fair_queue import FairQueue
from pegcount.server.server_state import LaneLoad

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    """A call that waits for its slot."""

    caller: Hashable
    begins: "asyncio.Future[None]"


class AdmissionGate:
    """Admits up to `running_max` calls at once and queues up to `waiting_max` more, fair to callers."""

    def __init__(
        self,
        name: str,
        running_max: int,
        waiting_max: int,
        retry_seconds: Callable[[], float],
        running_per_caller_max: int | None = None,
    ) -> None:
        """`name` names the calls, in the plural, in the error of a refused call, and `retry_seconds` returns
        when it may come again.

        With `running_per_caller_max`, further calls of one caller wait although slots are free.
        """
        waiting = f" and {waiting_max} wait" if waiting_max else ""
        self._refusal = f"{running_max} {name} are in progress{waiting}; no more are allowed"
        self._retry_seconds = retry_seconds
        self._running_max = self._free_slot_count = running_max
        self._running_per_caller_max = running_per_caller_max or running_max
        self._running: Counter[Hashable] = Counter()
        self._waiting: FairQueue[_Turn] = FairQueue(waiting_max)

    def load(self) -> LaneLoad:
        """Returns how many calls run and wait; may be called on any thread."""
        return LaneLoad(self._running_max - self._free_slot_count, len(self._waiting))

    async def enter(self, caller: Hashable) -> None:
        """Takes a slot, once one is free; `leave` frees it.

        Raises OverloadedError if the queue is full and no caller waits with more calls, or, later, if the
        call must make room in the queue for one of another caller.
        """
        if self._free_slot_count > 0 and self._may_run(caller):
            self._take_slot(caller)
            return
        turn = _Turn(caller, asyncio.get_running_loop().create_future())
        refused = self._waiting.add(caller, turn)
        if refused is turn:
            raise self._overloaded()
        if refused is not None and not refused.begins.done():
            refused.begins.set_exception(self._overloaded())
        try:
            await turn.begins
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def leave(self, caller: Hashable) -> None:
        """Frees the slot of a caller's call, or passes it to the next call in the queue."""
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
        self._free_slot_count += 1
        while self._free_slot_count > 0 and (turn := self._waiting.pop(self._may_run)) is not None:
            if not turn.begins.done():
                self._take_slot(turn.caller)
                turn.begins.set_result(None)

    async def run(self, caller: Hashable, threads: Executor, work: Callable[[], _Result]) -> _Result:
        """Runs `work` on a thread in the slot that the caller's call has taken, and frees the slot.

        A call that is cancelled returns at once; its slot stays taken until `work` has ended.
        """
        loop = asyncio.get_running_loop()

        def leave_soon(_: object) -> None:
            # The loop may be closed if the work outlasts the server.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.leave, caller)

        try:
            running = threads.submit(work)
        except BaseException:
            self.leave(caller)
            raise
        running.add_done_callback(leave_soon)
        try:
            return await asyncio.wrap_future(running)
        finally:
            # The future has an error whose traceback has this frame: a cycle, which would keep in memory what
            # the frames of the work hold.
            del running

    def _may_run(self, caller: Hashable) -> bool:
        return self._running[caller] < self._running_per_caller_max

    def _take_slot(self, caller: Hashable) -> None:
        self._free_slot_count -= 1
        self._running[caller] += 1

    def _give_up(self, turn: _Turn) -> None:
        was_waiting = self._waiting.remove(turn.caller, turn)
        begins = turn.begins
        if not was_waiting and begins.done() and not begins.cancelled() and begins.exception() is None:
            # The call was cancelled after it had been given its slot.
            self.leave(turn.caller)

    def _overloaded(self) -> OverloadedError:
        return OverloadedError(self._refusal, self._retry_seconds())
