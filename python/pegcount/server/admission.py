"""Admission control: bounds the calls in progress and in the queue, and refuses further calls at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

from pegcount.errors import OverloadedError

_Result = TypeVar("_Result")


class AdmissionGate:
    """Admits up to `running_max` calls at once and queues up to `waiting_max` more, first in, first out."""

    def __init__(self, name: str, running_max: int, waiting_max: int, retry_seconds: float) -> None:
        """`name` names the calls, in the plural, in the error of a refused call."""
        self._name = name
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._retry_seconds = retry_seconds
        self._free_slot_count = running_max
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Takes a slot, once one is free; `leave` frees it. Raises OverloadedError if the queue is full."""
        if self._free_slot_count > 0:
            self._free_slot_count -= 1
            return
        if len(self._waiting) >= self._waiting_max:
            raise OverloadedError(self._refusal(), self._retry_seconds)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def leave(self) -> None:
        """Frees a slot, or passes it to the oldest call in the queue."""
        while self._waiting:
            turn = self._waiting.popleft()
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
        return await asyncio.wrap_future(running)

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif turn.done() and not turn.cancelled():
            # The call was cancelled after it had been given its slot.
            self.leave()

    def _refusal(self) -> str:
        waiting = f" and {self._waiting_max} wait" if self._waiting_max else ""
        return f"{self._running_max} {self._name} are in progress{waiting}; no more are allowed"


class TurnQueue:
    """Lets calls work on the event loop, a few in each of its rounds, so that other calls get their turn.

    The turn of a call lasts until it next waits for something.
    """

    def __init__(self, name: str, count_per_round: int, waiting_max: int, retry_seconds: float) -> None:
        """`name` names the calls, in the plural, in the error of a refused call."""
        self._gate = AdmissionGate(name, count_per_round, waiting_max, retry_seconds)

    async def turn(self) -> None:
        """Waits for the turn of the call; raises OverloadedError if too many wait."""
        await self._gate.enter()
        asyncio.get_running_loop().call_soon(self._gate.leave)
