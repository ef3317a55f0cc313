"""Measures how long a call was in each of its phases."""

from enum import Enum
from time import perf_counter


class Phase(Enum):
    """What a call does, or waits for. Calls have those of the phases that they need."""

    READ = "read"
    """Waits for the request message, and for the event loop to see it."""
    QUEUE = "queue"
    """Waits for its turn of the event loop, for a place in a lane, or for a thread."""
    CALENDAR = "calendar"
    """The request is validated, and its calendar bins are made."""
    STORE = "store"
    """The store is scanned or changed, of which waiting for its locks is a part."""
    FINISH = "finish"
    """The sums become an answer, and the answer gets to the event loop."""


class CallClock:
    """A call is in one phase at a time. Threads may use the clock one after the other.

    When a call is aborted, its thread may still enter phases; the times that were sent stay.
    """

    def __init__(self) -> None:
        """The call begins now, in no phase."""
        self._begin_s = self._since_s = perf_counter()
        self._phase: Phase | None = None
        self._seconds: dict[Phase, float] = {}

    def enter(self, phase: Phase | None) -> None:
        """Ends the present phase, if there is one, and begins another."""
        now_s = perf_counter()
        if self._phase is not None:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0) + now_s - self._since_s
        self._phase, self._since_s = phase, now_s

    def server_timing(self) -> str:
        """Ends the present phase; returns the milliseconds in each phase, and in all since the begin.

        The form is that of https://www.w3.org/TR/server-timing/, such as `queue;dur=0.041, total;dur=0.310`.
        """
        self.enter(None)
        seconds = {phase.value: self._seconds[phase] for phase in Phase if phase in self._seconds}
        seconds["total"] = self._since_s - self._begin_s
        return ", ".join(f"{name};dur={1_000 * each:.3f}" for name, each in seconds.items())
