"""A clock that never goes back, so that nothing which has expired is accepted again."""

from collections.abc import Callable
from threading import Lock


class LatestTime:
    """The latest time that a clock has shown, in microseconds UTC. Thread-safe."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._latest_us = clock()
        self._lock = Lock()

    def __call__(self) -> int:
        """Returns the present time, or the latest one if the clock was set back since."""
        return self.latest(self._clock())

    def latest(self, now_us: int) -> int:
        """Takes a time that the clock has shown; returns the latest one."""
        with self._lock:
            self._latest_us = max(self._latest_us, now_us)
            return self._latest_us
