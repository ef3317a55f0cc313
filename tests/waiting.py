"""Bounded waiting: until a condition holds, or to see that one keeps holding; and how long things take."""

import time
from collections.abc import Callable

LOOK_SECONDS = 0.005


def wait_until(
    condition: Callable[[], object],
    what: str = "what the test waits for",
    seconds_max: float = 60.0,
    look_seconds: float = LOOK_SECONDS,
) -> None:
    """Looks until a condition holds; fails if it still does not after `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds_max:g} s"
        time.sleep(look_seconds)


def at_best(seconds_of: Callable[[], float], seconds_max: float, attempt_count_max: int = 5) -> float:
    """Returns the seconds of the first attempt that took at most `seconds_max`; fails if all took longer.

    A busy host delays an attempt now and then, a fault each of them.
    """
    seconds: list[float] = []
    while not seconds or seconds[-1] > seconds_max:
        assert len(seconds) < attempt_count_max, f"{seconds} s, each more than {seconds_max:g} s"
        seconds.append(seconds_of())
    return seconds[-1]


def stays(condition: Callable[[], object], seconds: float) -> None:
    """Asserts that a condition holds now and for some seconds, in which its opposite had time to happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), "it no longer holds"
        time.sleep(LOOK_SECONDS)
    assert condition(), "it no longer holds"
