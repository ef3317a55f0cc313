"""Limits the log lines per second of each kind that clients can cause in any number."""

import time
from collections.abc import Callable
from threading import Lock

LINES_PER_SECOND = 10


class LineBudget:
    """Lets the first lines of a kind in each second through, and counts the others.

    The server chooses the kinds, so their number is bounded. Any thread may use it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._lock = Lock()
        self._seconds: dict[str, _Second] = {}

    def allows(self, kind: str) -> bool:
        """Takes a line of a kind; returns whether it may be written."""
        now_s = self._clock()
        with self._lock:
            second = self._seconds.get(kind)
            if second is None or now_s - second.begin_s >= 1:
                omitted_count = 0 if second is None else second.omitted_count
                second = self._seconds[kind] = _Second(now_s, omitted_count)
            second.line_count += 1
            if second.line_count <= LINES_PER_SECOND:
                return True
            second.omitted_count += 1
            return False

    def take_omitted(self, *, at_once: bool = False) -> dict[str, int]:
        """Returns how many lines of each kind were left out since the last time, and forgets them.

        Those of a second that goes on come the next time, unless they are wanted `at_once`.
        """
        now_s = self._clock()
        omitted = {}
        with self._lock:
            for kind, second in self._seconds.items():
                if second.omitted_count and (at_once or now_s - second.begin_s >= 1):
                    omitted[kind], second.omitted_count = second.omitted_count, 0
        return omitted


class _Second:
    """A second of one kind."""

    __slots__ = ("begin_s", "line_count", "omitted_count")

    def __init__(self, begin_s: float, omitted_count: int) -> None:
        self.begin_s = begin_s
        self.line_count = 0
        self.omitted_count = omitted_count
