"""Short work on the event loop, in rounds of bounded time, so that other calls get their turn of the loop."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from pegcount.errors import OverloadedError
from pegcount.server.fair_queue import FairQueue
from pegcount.server.server_state import LaneLoad

_Result = TypeVar("_Result")

_PASSES_BETWEEN_ROUNDS = 6
"""Passes of the event loop between two rounds. gRPC needs about five to hand over one call; with fewer, calls
would wait unseen behind those that wait here, instead of being refused."""


@dataclass(slots=True, eq=False)
class _Turn:
    """Work that waits, and its result."""

    work: Callable[[], Any]
    result: "asyncio.Future[Any]"


class LoopTurns:
    """Lets calls work on the event loop for `round_seconds` in each round; the others wait."""

    def __init__(
        self, name: str, round_seconds: float, waiting_max: int, retry_seconds: Callable[[], float]
    ) -> None:
        """`name` names the calls, in the plural, in the error of a refused call."""
        self._round_seconds = round_seconds
        self._refusal = f"{waiting_max} {name} wait; no more are allowed"
        self._retry_seconds = retry_seconds
        self._waiting: FairQueue[_Turn] = FairQueue(waiting_max)
        self._spent_s = 0.0
        self._is_round_open = False

    def load(self) -> LaneLoad:
        """Returns how many calls wait; may be called on any thread."""
        return LaneLoad(None, len(self._waiting))

    def refusal(self, caller: Hashable) -> OverloadedError | None:
        """Returns the error with which `run` would refuse a new call of a caller now, if it would."""
        return self._overloaded() if self._waiting.refuses(caller) else None

    async def run(self, caller: Hashable, work: Callable[[], _Result]) -> _Result:
        """Runs `work` when the call has its turn.

        Raises the errors of `work`, and OverloadedError if too many calls wait. A call that is cancelled
        while it waits costs nothing further.
        """
        if not self._waiting and self._has_time():
            return self._timed(work)
        turn = _Turn(work, asyncio.get_running_loop().create_future())
        refused = self._waiting.add(caller, turn)
        if refused is turn:
            raise self._overloaded()
        if refused is not None and not refused.result.done():
            refused.result.set_exception(self._overloaded())
        try:
            result: _Result = await turn.result
        except asyncio.CancelledError:
            self._waiting.remove(caller, turn)
            if not turn.result.cancelled():
                # The call was cancelled after its turn; asyncio logs an error that nobody retrieves.
                turn.result.exception()
            raise
        finally:
            # The turn has an error whose traceback has this frame: a cycle, which would keep in memory what
            # the frames of the work hold.
            del turn
        return result

    def _has_time(self) -> bool:
        return self._spent_s < self._round_seconds

    def _timed(self, work: Callable[[], _Result]) -> _Result:
        """Runs work and counts its time towards the round."""
        loop = asyncio.get_running_loop()
        if not self._is_round_open:
            self._is_round_open = True
            loop.call_soon(self._pass, _PASSES_BETWEEN_ROUNDS)
        begin_s = loop.time()
        try:
            return work()
        finally:
            self._spent_s += loop.time() - begin_s

    def _pass(self, left_count: int) -> None:
        """Begins the next round after some passes of the event loop, at once if nothing waits for it."""
        if left_count and (self._waiting or not self._has_time()):
            asyncio.get_running_loop().call_soon(self._pass, left_count - 1)
            return
        self._is_round_open = False
        self._spent_s = 0.0
        while self._has_time() and (turn := self._waiting.pop()) is not None:
            if not turn.result.done():
                self._answer(turn)

    def _answer(self, turn: _Turn) -> None:
        try:
            turn.result.set_result(self._timed(turn.work))
        except BaseException as error:
            # A panic of the core, too, is the call's own error.
            turn.result.set_exception(error)
        finally:
            del turn  # As in `run`.

    def _overloaded(self) -> OverloadedError:
        return OverloadedError(self._refusal, self._retry_seconds())
