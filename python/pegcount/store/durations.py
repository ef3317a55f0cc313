"""How long background work took, and how often it failed."""

import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from pegcount.counters import SecondsHistogram
from pegcount.errors import CancelledError, DeadlineError

_BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Durations:
    """The durations of one kind of work. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self._seconds = 0.0
        self._failed_count = 0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measures the work in its block, or counts it as failed if it raises.

        Work that ends because its caller gave it up is neither.
        """
        begin_s = time.perf_counter()
        try:
            yield
        except (CancelledError, DeadlineError):
            raise
        except BaseException:
            with self._lock:
                self._failed_count += 1
            raise
        self._note(time.perf_counter() - begin_s)

    @property
    def failed_count(self) -> int:
        """How often the work failed."""
        return self._failed_count

    def histogram(self) -> SecondsHistogram:
        """Returns the durations of the work that succeeded."""
        with self._lock:
            return SecondsHistogram(_BOUNDS_S, tuple(self._counts), self._seconds)

    def _note(self, seconds: float) -> None:
        with self._lock:
            self._counts[bisect_left(_BOUNDS_S, seconds)] += 1
            self._seconds += seconds
