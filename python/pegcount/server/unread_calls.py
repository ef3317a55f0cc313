"""Calls whose request message has not arrived yet.

A client may open a call and never send its message. Such a call takes memory and no thread, but it must not
last; an honest client sends the message together with the call.
"""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import grpc

from pegcount.errors import MissingMessageError, OverloadedError, PegcountError, RequestReadError

Context: TypeAlias = "grpc.aio.ServicerContext[object, object]"

_ENDS_PER_TICK = 2
_TICK_SECONDS = 0.001
"""Overdue calls end a few at a time, so that other calls get their turn of the event loop."""
_SECONDS_PER_END = 0.001
"""Seconds that the end of one overdue call takes in this way; timers are late by a millisecond or two."""
_CALLS_PER_TIMER = 128
"""Calls that begin to wait before the time of the next end is calculated anew."""
_MARGIN_SHARE = 0.1
"""Share of the limit that a call may have waited, in a burst of calls, before the event loop saw it."""
_EARLY_SHARE_MAX = 0.5
"""Share of the limit by which a call may end early at most."""


async def whole_read(context: Context) -> object:
    """Reads a message by a coroutine that runs to its end even if the current task is cancelled before.

    It ends with the call at the latest. gRPC frees what a read has allocated only then: else each call that
    its client resets would leave 96 bytes, and the page that they are in could not be given back.
    """
    reading = asyncio.ensure_future(context.read())
    reading.add_done_callback(_note_end)
    return await asyncio.shield(reading)


class UnreadCalls:
    """Reads request messages within a time limit, and bounds the calls that wait for theirs.

    If many calls are overdue, the first ones end early, so that the last one is in time.
    """

    def __init__(self, seconds_max: float, count_max: int, retry_seconds: Callable[[], float]) -> None:
        """Beyond `count_max` calls, the one that has waited for longest ends."""
        self._seconds_max = seconds_max
        self._count_max = count_max
        self._retry_seconds = retry_seconds
        self._due_s: dict[asyncio.Task[object], float] = {}
        self._errors: dict[asyncio.Task[object], PegcountError] = {}
        self._timer: asyncio.Handle | None = None

    async def read(self, context: Context) -> bytes:
        """Returns the request message of the current call.

        Raises RequestReadError if it does not arrive in time, OverloadedError if too many calls wait, and
        MissingMessageError if the client sends no message.
        """
        task = asyncio.current_task()
        assert task is not None
        self._add(task)
        try:
            message = await whole_read(context)
        except asyncio.CancelledError:
            error = self._errors.pop(task, None)
            if error is None:
                raise
            task.uncancel()
            raise error from None
        finally:
            self._due_s.pop(task, None)
        if not isinstance(message, bytes):
            raise MissingMessageError("the call ended without a request message")
        return message

    def _add(self, task: "asyncio.Task[object]") -> None:
        loop = asyncio.get_running_loop()
        if len(self._due_s) >= self._count_max:
            text = f"{self._count_max} calls wait for their request message; no more are allowed"
            self._end(next(iter(self._due_s)), OverloadedError(text, self._retry_seconds()))
        self._due_s[task] = loop.time() + self._seconds_max * (1 - _MARGIN_SHARE)
        # The more calls wait, the earlier the first one ends.
        if self._timer is None or len(self._due_s) % _CALLS_PER_TIMER == 0:
            self._set_timer()

    def _end_overdue(self) -> None:
        """Ends the calls that have waited for longest if it is time, and comes back for the next ones."""
        now_s = asyncio.get_running_loop().time()
        for _ in range(_ENDS_PER_TICK):
            if not self._due_s or self._next_end_s() > now_s:
                break
            text = f"the request message did not arrive within {self._seconds_max:g} s"
            error = RequestReadError(text, limit_seconds=f"{self._seconds_max:g}")
            self._end(next(iter(self._due_s)), error)
        self._set_timer()

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._due_s:
            end_s = max(self._next_end_s(), loop.time() + _TICK_SECONDS)
            self._timer = loop.call_at(end_s, self._end_overdue)

    def _next_end_s(self) -> float:
        """Returns the time at which the call that has waited for longest must end."""
        early_s = len(self._due_s) * _SECONDS_PER_END
        return next(iter(self._due_s.values())) - min(early_s, self._seconds_max * _EARLY_SHARE_MAX)

    def _end(self, task: "asyncio.Task[object]", error: PegcountError) -> None:
        del self._due_s[task]
        self._errors[task] = error
        task.cancel()


def _note_end(reading: "asyncio.Future[object]") -> None:
    """Looks at how a read has ended, which nobody else does once its call is over."""
    if not reading.cancelled():
        reading.exception()
