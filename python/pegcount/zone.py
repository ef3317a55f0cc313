"""A time zone as arrays of UTC-offset changes: every conversion is a binary search.

Where the rules come from is the calendar's business; see `calendar.zones`.
"""

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
    """

    name: str
    change_us: NDArray[np.int64] = field(compare=False, repr=False)
    offset_s: NDArray[np.int32] = field(compare=False, repr=False)
    limit_us: NDArray[np.int64] = field(init=False, compare=False, repr=False)
    """The changes between the extremes of int64: offset i holds from entry i to entry i + 1."""
    _counts_from_us: NDArray[np.int64] = field(init=False, compare=False, repr=False)
    """The local time that each change counts from."""

    def __post_init__(self) -> None:
        # Once, as every request reads them.
        ever = np.iinfo(np.int64)
        limit_us = np.concatenate(([ever.min], self.change_us, [ever.max]))
        object.__setattr__(self, "limit_us", limit_us)
        object.__setattr__(self, "_counts_from_us", self.change_us + counts_from_us(self.offset_s))

    def instant_us(self, local_us: int) -> int:
        """Instant of a local time, both in microseconds since 1970-01-01T00:00:00.

        `local_us` counts as if the local clock were UTC. A time that the clock skips is
        moved forward by the gap; one that occurs twice means the earlier.
        """
        local = np.array(local_us)
        return int(local - self._offset_us(self._changes_until(local)))

    def day_start_us(self, date: int) -> int:
        """First instant of a local date given in days since 1970-01-01.

        That is the first instant at which the local clock shows this date or a later
        one, so that a date that does not exist starts where the next one does.
        """
        return int(self.day_starts_us(np.array(date)))

    def day_starts_us(self, dates: NDArray[np.int64]) -> NDArray[np.int64]:
        """`day_start_us` of an array of any shape."""
        local_us = dates * US_PER_DAY
        done = self._changes_until(local_us)
        # A clock that jumps over midnight shows the new date from the jump on, not only
        # once it has made up for the gap.
        return np.asarray(np.minimum(local_us - self._offset_us(done), self.limit_us[done + 1]))

    def local_date(self, instant_us: int) -> int:
        """Local date of the DAY bin that an instant falls in, in days since 1970-01-01."""
        date = (instant_us + self.offset_s_at(instant_us) * US_PER_SECOND) // US_PER_DAY
        # Where the clock went back over midnight it shows a date whose bin is over.
        return date + 1 if self.day_start_us(date + 1) <= instant_us else date

    def offset_s_at(self, instant_us: int) -> int:
        """UTC offset at an instant, in seconds east."""
        return int(self.offset_s[self.change_us.searchsorted(instant_us, side="right")])

    @property
    def missing_date_count_max(self) -> int:
        """Dates that do not exist because the clock jumped over them, at most."""
        jump_s = np.maximum(np.diff(self.offset_s), 0)
        return int(np.sum(jump_s // (US_PER_DAY // US_PER_SECOND)))

    def _changes_until(self, local_us: NDArray[np.int64]) -> NDArray[np.intp]:
        """How many changes a local time lies behind."""
        return np.asarray(self._counts_from_us.searchsorted(local_us, side="right"))

    def _offset_us(self, index: NDArray[np.intp]) -> NDArray[np.int64]:
        return self.offset_s[index] * np.int64(US_PER_SECOND)


def counts_from_us(offset_s: NDArray[np.int32]) -> NDArray[np.int64]:
    """What to add to each change to have the local time from which on it counts.

    Until a change the clock runs up to change + before, from it on it starts at
    change + after. What lies between is skipped or occurs twice; in both cases the
    offset before the change gives the instant asked for. So a change counts from the
    larger of the two on.
    """
    return np.maximum(offset_s[:-1], offset_s[1:]) * np.int64(US_PER_SECOND)
