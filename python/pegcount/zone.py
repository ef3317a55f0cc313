"""A time zone as arrays of UTC-offset changes: every conversion is a binary search.

Where the rules come from is the calendar's business; see `calendar.zones`.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

US_PER_SECOND = 1_000_000
US_PER_DAY = 86_400 * US_PER_SECOND


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone from 1968 to 2200; zones are equal where their names are.

    `change_us` has shape (changes,), int64: the instants, ascending, in microseconds
    UTC, at which the UTC offset takes another value. `offset_s` has shape
    (changes + 1,), int32, in seconds east of UTC: entry i holds before change i, and
    entry i + 1 from it on.

    The tuples hold the same as numbers of Python, microseconds all: for one time at a time
    they are several times as quick as arrays, and every request has a few.
    """

    name: str
    change_us: NDArray[np.int64] = field(compare=False, repr=False)
    offset_s: NDArray[np.int32] = field(compare=False, repr=False)
    limits_us: tuple[int, ...] = field(init=False, compare=False, repr=False)
    """The changes between the extremes of int64: offset i holds from entry i to entry i + 1."""
    offsets_us: tuple[int, ...] = field(init=False, compare=False, repr=False)
    _counts_from_us: tuple[int, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        ever = np.iinfo(np.int64)
        numbers = {
            "limits_us": [int(ever.min), *self.change_us.tolist(), int(ever.max)],
            "offsets_us": [offset_s * US_PER_SECOND for offset_s in self.offset_s.tolist()],
            "_counts_from_us": (self.change_us + counts_from_us(self.offset_s)).tolist(),
        }
        for name, values in numbers.items():
            object.__setattr__(self, name, tuple(values))

    def instant_us(self, local_us: int) -> int:
        """Instant of a local time, both in microseconds since 1970-01-01T00:00:00.

        `local_us` counts as if the local clock were UTC. A time that the clock skips is
        moved forward by the gap; one that occurs twice means the earlier.
        """
        return local_us - self.offsets_us[bisect_right(self._counts_from_us, local_us)]

    def day_start_us(self, date: int) -> int:
        """First instant of a local date given in days since 1970-01-01.

        That is the first instant at which the local clock shows this date or a later
        one, so that a date that does not exist starts where the next one does.
        """
        local_us = date * US_PER_DAY
        done = bisect_right(self._counts_from_us, local_us)
        # A clock that jumps over midnight shows the new date from the jump on, not only
        # once it has made up for the gap.
        return min(local_us - self.offsets_us[done], self.limits_us[done + 1])

    def day_starts_us(self, dates: NDArray[np.int64]) -> NDArray[np.int64]:
        """`day_start_us` of an array of any shape."""
        local_us = dates * US_PER_DAY
        done = np.searchsorted(self._counts_from_us, local_us, side="right")
        offset_us = self.offset_s[done] * np.int64(US_PER_SECOND)
        return np.asarray(np.minimum(local_us - offset_us, np.array(self.limits_us)[done + 1]))

    def local_date(self, instant_us: int) -> int:
        """Local date of the DAY bin that an instant falls in, in days since 1970-01-01."""
        date = (instant_us + self.offset_s_at(instant_us) * US_PER_SECOND) // US_PER_DAY
        # Where the clock went back over midnight it shows a date whose bin is over.
        return date + 1 if self.day_start_us(date + 1) <= instant_us else date

    def offset_s_at(self, instant_us: int) -> int:
        """UTC offset at an instant, in seconds east."""
        return self.offsets_us[bisect_right(self.limits_us, instant_us) - 1] // US_PER_SECOND

    @property
    def missing_date_count_max(self) -> int:
        """Dates that do not exist because the clock jumped over them, at most."""
        jump_s = np.maximum(np.diff(self.offset_s), 0)
        return int(np.sum(jump_s // (US_PER_DAY // US_PER_SECOND)))


def counts_from_us(offset_s: NDArray[np.int32]) -> NDArray[np.int64]:
    """What to add to each change to have the local time from which on it counts.

    Until a change the clock runs up to change + before, from it on it starts at
    change + after. What lies between is skipped or occurs twice; in both cases the
    offset before the change gives the instant asked for. So a change counts from the
    larger of the two on.
    """
    return np.maximum(offset_s[:-1], offset_s[1:]) * np.int64(US_PER_SECOND)
