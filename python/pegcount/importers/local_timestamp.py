"""Timestamps of local time, as switches log them, and the instants that they may mean."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone

# The store accepts [1970, 2200) in UTC; local time may be up to a day outside at either end.
_YEAR_MIN = 1969
_YEAR_MAX = 2200
_EPOCH_DAY = datetime(1970, 1, 1).toordinal()
_LOCAL_TIMESTAMP = re.compile(
    r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2}) ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?",
)


@dataclass(frozen=True, slots=True)
class LocalTimestamp:
    """Local time, truncated to `resolution_us`.

    `local_us` are microseconds from 1970-01-01T00:00:00 as the local clock shows it.
    """

    local_us: int
    resolution_us: int


def read_local_timestamp(name: str, text: str) -> LocalTimestamp:
    """Reads `2026-03-29 02:30:00`, or the form in which spreadsheets save it: `2026/3/29 2:30`.

    Raises UnreadableRowError, naming the column, for any other text.
    """
    match = _LOCAL_TIMESTAMP.fullmatch(text)
    if match is None:
        raise UnreadableRowError(f"{name}: {text!r} is no date and time")
    year, _, month, day, hour, minute, second = match.groups()
    parts = (int(year), int(month), int(day), int(hour), int(minute), int(second or 0))
    local_us = clock_us(f"{name}: {text!r}", *parts)
    return LocalTimestamp(local_us, US_PER_SECOND if second else 60 * US_PER_SECOND)


def is_local_timestamp(text: str) -> bool:
    """Returns whether a text has the form of a local timestamp; its numbers may be out of range."""
    return _LOCAL_TIMESTAMP.fullmatch(text) is not None


def clock_us(label: str, year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Returns the microseconds from 1970-01-01T00:00:00 to a date and time of the same clock.

    Raises UnreadableRowError, whose text begins with `label`, unless the date and time
    exist and are of the years 1969 to 2200.
    """
    if not _YEAR_MIN <= year <= _YEAR_MAX:
        raise UnreadableRowError(f"{label} is not within the years {_YEAR_MIN} to {_YEAR_MAX}")
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise UnreadableRowError(f"{label} is no date and time: {error}") from error
    days = moment.toordinal() - _EPOCH_DAY
    return days * US_PER_DAY + ((hour * 60 + minute) * 60 + second) * US_PER_SECOND


class LocalClock:
    """Converts local times of one zone to the instants that they may mean."""

    def __init__(self, zone: Zone) -> None:
        self._change_us: list[int] = zone.change_us.tolist()
        self._offset_us = [offset_s * US_PER_SECOND for offset_s in zone.offset_s.tolist()]
        new_offset_us = self._offset_us[1:]
        self._local_after_change_us = [
            change_us + offset_us for change_us, offset_us in zip(self._change_us, new_offset_us, strict=True)
        ]

    def instants_us(self, local_us: int) -> tuple[int, int]:
        """Returns the earlier and the later instant of a local time, in microseconds UTC.

        They are equal unless the clock shows this time twice. A time that the clock skips
        is moved forward by the gap, as in `Zone.instant_us`.
        """
        change_count = bisect_right(self._local_after_change_us, local_us)
        later_us = local_us - self._offset_us[change_count]
        if change_count:
            earlier_us = local_us - self._offset_us[change_count - 1]
            if earlier_us < self._change_us[change_count - 1]:
                return earlier_us, later_us
        return later_us, later_us
