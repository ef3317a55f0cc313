"""Measures how long a call was in each of its phases."""

from dataclasses import dataclass
from enum import Enum
from time import perf_counter
from typing import Final

_SPAN_COUNT_MAX: Final = 64
"""Spans that a clock keeps; a call that returns to its phases more often has their sums all the same."""


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


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """A time that a call was in one phase, in seconds of `time.perf_counter`."""

    phase: Phase
    begin_s: float
    end_s: float


class CallClock:
    """A call is in one phase at a time. Threads may use the clock one after the other.

    When a call is aborted, its thread may still enter phases; the times that were sent stay.
    """

    def __init__(self) -> None:
        """The call begins now, in no phase."""
        self._begin_s = self._since_s = perf_counter()
        self._phase: Phase | None = None
        self._seconds: dict[Phase, float] = {}
        self._spans: list[tuple[Phase, float, float]] = []

    def enter(self, phase: Phase | None) -> None:
        """Ends the present phase, if there is one, and begins another."""
        now_s = perf_counter()
        if self._phase is not None:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0) + now_s - self._since_s
            if len(self._spans) < _SPAN_COUNT_MAX:
                self._spans.append((self._phase, self._since_s, now_s))
        self._phase, self._since_s = phase, now_s

    def phase_seconds(self) -> dict[str, float]:
        """Returns the seconds in each phase that has ended, by its name, in the order of `Phase`."""
        return {phase.value: self._seconds[phase] for phase in Phase if phase in self._seconds}

    def spans(self) -> list[PhaseSpan]:
        """Returns the phases that have ended, in their order, each with its start and end; at most 64."""
        return [PhaseSpan(*each) for each in self._spans.copy()]

    def server_timing(self) -> str:
        """Ends the present phase; returns the milliseconds in each phase, and since the call began.

        The form is that of https://www.w3.org/TR/server-timing/, such as `queue;dur=0.041, total;dur=0.310`.
        """
        self.enter(None)
        seconds = self.phase_seconds()
        seconds["total"] = self._since_s - self._begin_s
        return ", ".join(f"{name};dur={1_000 * each:.3f}" for name, each in seconds.items())
