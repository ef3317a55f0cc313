"""Bounded waiting: until a condition holds, or to see that one keeps holding."""

import time
from collections.abc import Callable

LOOK_SECONDS = 0.005


def wait_until(
    condition: Callable[[], object],
    what: str = "what the test waits for",
    seconds_max: float = 20.0,
    look_seconds: float = LOOK_SECONDS,
) -> None:
    """Looks until a condition holds; fails if it still does not after `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds_max:g} s"
        time.sleep(look_seconds)


def stays(condition: Callable[[], object], seconds: float) -> None:
    """Asserts that a condition holds now and for some seconds, in which its opposite had time to happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), "it no longer holds"
        time.sleep(LOOK_SECONDS)
    assert condition(), "it no longer holds"
