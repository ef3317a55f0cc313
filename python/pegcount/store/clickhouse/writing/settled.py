"""Which commits have been looked at, so that none of their records is left beside another row of its key.

A commit of one home day cannot see one that is made at the same time for the day beside it, and a record of
two home days becomes one by two commits. So a commit is settled only when its writer has made all commits of
its plan, has looked at the days beside them, and has joined what it found. A writer that dies before leaves
it unsettled. The marker of each commit says how many of the last ones were not known to be settled, in the
low bits of its random number: servers know where to look for what a dead one has left, and look once.
"""

import secrets
from threading import Lock
from typing import Final

_COUNT_BITS: Final = 16
_UNKNOWN: Final = 2**_COUNT_BITS - 1
_RANDOM_BITS: Final = 47


def new_nonce(unsettled_count: int = _UNKNOWN) -> int:
    """Returns a random number for the marker of a commit.

    `unsettled_count` is how many commits are not known to be settled: itself and those before it.
    """
    return (secrets.randbits(_RANDOM_BITS) + 1) << _COUNT_BITS | min(unsettled_count, _UNKNOWN)


def settles_all(nonce: int) -> bool:
    """Whether a marker says that its commit and all before it are settled."""
    return not nonce & _UNKNOWN


class Settled:
    """Up to which number the commits of each home day are settled. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._up_to: dict[int, int] = {}
        self._beyond: dict[int, set[int]] = {}
        """By day, settled commits after one of which nothing is known."""

    def up_to(self, day: int, head: int) -> int:
        """Returns the number up to which all commits of a day are known to be settled.

        `head` is the last number: the numbers of a day begin anew after it was dropped as a whole.
        """
        up_to = self._up_to.get(day, 0)
        return up_to if up_to <= head else 0

    def note_marker(self, day: int, seq: int, nonce: int) -> None:
        """Notes what the marker of the last commit of a day says."""
        unsettled_count = nonce & _UNKNOWN
        with self._lock:
            if self._up_to.get(day, 0) > seq:
                del self._up_to[day]
                self._beyond.pop(day, None)
        if unsettled_count != _UNKNOWN:
            self.note_up_to(day, seq - unsettled_count)

    def note_up_to(self, day: int, seq: int) -> None:
        """Notes that a commit and all before it are settled."""
        with self._lock:
            self._up_to[day] = max(seq, self._up_to.get(day, 0))
            self._advance(day)

    def note(self, day: int, seq: int) -> None:
        """Notes that a commit is settled."""
        with self._lock:
            self._beyond.setdefault(day, set()).add(seq)
            self._advance(day)

    def _advance(self, day: int) -> None:
        up_to, beyond = self._up_to.get(day, 0), self._beyond.get(day, set())
        while up_to + 1 in beyond:
            up_to += 1
        self._up_to[day] = up_to
        self._beyond[day] = {seq for seq in beyond if seq > up_to}
