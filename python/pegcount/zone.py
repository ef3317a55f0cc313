"""A time zone as arrays of UTC-offset changes: every conversion is a binary search.

`pegcount.calendar.zones` loads zones from the tzdata package.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

US_PER_SECOND = 1_000_000
US_PER_DAY = 86_400 * US_PER_SECOND


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone from 1968 to 2200. Zones with equal names are equal.

    `change_us`, int64 of shape (changes,), holds the instants at which the UTC offset changes,
    ascending, in microseconds UTC. `offset_s`, int32 of shape (changes + 1,), holds the offsets in
    seconds east of UTC: entry i applies before change i, entry i + 1 from change i on.

    The tuples hold the same data as Python integers, all in microseconds. A binary search for a
    single time, of which each request needs a few, is several times faster in a tuple than in an array.
    """

    name: str
    change_us: NDArray[np.int64] = field(compare=False, repr=False)
    offset_s: NDArray[np.int32] = field(compare=False, repr=False)
    offset_bounds_us: tuple[int, ...] = field(init=False, compare=False, repr=False)
    """Offset i applies from entry i to entry i + 1: the least int64, the changes, the greatest int64."""
    offsets_us: tuple[int, ...] = field(init=False, compare=False, repr=False)
    """The UTC offsets of `offset_s` in microseconds."""
    _local_change_us: tuple[int, ...] = field(init=False, compare=False, repr=False)
    """Entry i is the first local time that is converted with the offset after change i."""

    def __post_init__(self) -> None:
        int64 = np.iinfo(np.int64)
        tuples = {
            "offset_bounds_us": [int(int64.min), *self.change_us.tolist(), int(int64.max)],
            "offsets_us": [offset_s * US_PER_SECOND for offset_s in self.offset_s.tolist()],
            "_local_change_us": (self.change_us + larger_offset_us(self.offset_s)).tolist(),
        }
        for name, values in tuples.items():
            object.__setattr__(self, name, tuple(values))

    def instants_us(self, local_us: int) -> tuple[int, int]:
        """Returns the earlier and the later instant of a local time, in microseconds UTC.

        `local_us` is what the local clock shows, in microseconds since 1970-01-01T00:00:00 as if that were
        UTC. Both instants are equal unless the clock shows the time twice. A time that the clock skips moves
        forward by the gap.

        >>> from pegcount.calendar import zone
        >>> from pegcount.time_text import REQUEST, read_time
        >>> berlin = zone("Europe/Berlin")
        >>> earlier_us, later_us = berlin.instants_us(read_time("2026-10-25T02:30:00", REQUEST).us)
        >>> (later_us - earlier_us) // US_PER_SECOND
        3600
        >>> skipped, moved = ("2026-03-29T02:30:00", "2026-03-29T03:30:00")
        >>> [skipped_us, moved_us] = [read_time(text, REQUEST).us for text in (skipped, moved)]
        >>> berlin.instants_us(skipped_us) == berlin.instants_us(moved_us)
        True
        """
        change_count = bisect_right(self._local_change_us, local_us)
        earlier_us = local_us - self.offsets_us[change_count]
        if change_count < len(self._local_change_us):
            # The next change sets the clock back to the time or before it, so that it shows it again.
            later_us = local_us - self.offsets_us[change_count + 1]
            if later_us >= self.offset_bounds_us[change_count + 1]:
                return earlier_us, later_us
        return earlier_us, earlier_us

    def day_start_us(self, date: int) -> int:
        """Returns the first instant at which the local clock shows a date or a later date.

        The date is in days since 1970-01-01. A date that does not exist starts at the same instant as
        the next date.

        >>> from pegcount.calendar import zone
        >>> from pegcount.time_text import read_date
        >>> missing = read_date("2011-12-30")  # Samoa crossed the date line.
        >>> apia = zone("Pacific/Apia")
        >>> apia.day_start_us(missing) == apia.day_start_us(missing + 1)
        True
        >>> beirut = zone("Asia/Beirut")  # Its clock skips midnight: the day begins at one in the morning.
        >>> date = read_date("2026-03-29")
        >>> (beirut.day_start_us(date + 1) - beirut.day_start_us(date)) // (3600 * US_PER_SECOND)
        23
        """
        local_us = date * US_PER_DAY
        change_count = bisect_right(self._local_change_us, local_us)
        # If the clock skips midnight, the date starts at the change. The instant of midnight is later, as it
        # moves forward by the gap.
        return min(local_us - self.offsets_us[change_count], self.offset_bounds_us[change_count + 1])

    def day_starts_us(self, dates: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns `day_start_us` of each date of an array of any shape."""
        local_us = dates * US_PER_DAY
        change_count = np.searchsorted(self._local_change_us, local_us, side="right")
        offset_us = self.offset_s[change_count] * np.int64(US_PER_SECOND)
        return np.asarray(np.minimum(local_us - offset_us, np.array(self.offset_bounds_us)[change_count + 1]))

    def local_date(self, instant_us: int) -> int:
        """Returns the local date, in days since 1970-01-01, of the DAY bin that contains an instant."""
        date = (instant_us + self.offset_s_at(instant_us) * US_PER_SECOND) // US_PER_DAY
        # A clock set back across midnight shows the previous date again, whose DAY bin has already ended.
        return date + 1 if self.day_start_us(date + 1) <= instant_us else date

    def offset_s_at(self, instant_us: int) -> int:
        """Returns the UTC offset at an instant, in seconds east of UTC."""
        return self.offsets_us[bisect_right(self.offset_bounds_us, instant_us) - 1] // US_PER_SECOND

    @property
    def missing_date_count_max(self) -> int:
        """Upper bound of the local dates that do not exist because the clock skipped a whole day or more."""
        jump_s = np.maximum(np.diff(self.offset_s), 0)
        return int(np.sum(jump_s // (US_PER_DAY // US_PER_SECOND)))


def larger_offset_us(offset_s: NDArray[np.int32]) -> NDArray[np.int64]:
    """Returns the larger of the offsets before and after each change, in microseconds, shape (changes,).

    At a change the local clock jumps from change + before to change + after. Local times between
    the two are skipped or occur twice, and are converted with the offset before the change. The
    change plus the larger offset is therefore the first local time that is converted with the
    offset after the change.
    """
    return np.maximum(offset_s[:-1], offset_s[1:]) * np.int64(US_PER_SECOND)
