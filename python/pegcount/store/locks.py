"""Waiting for a lock until a call ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from pegcount.core import CancelToken

# How late a caller that waits for the lock sees the end of its token.
_WAIT_SECONDS = 0.02


@contextmanager
def locked(lock: Lock, cancel_token: CancelToken) -> Iterator[None]:
    """Holds a lock within its block; raises CancelledError or DeadlineError if the token ends before."""
    while not lock.acquire(timeout=_WAIT_SECONDS):
        cancel_token.check()
    try:
        yield
    finally:
        lock.release()
