"""Parses the times and dates of requests."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pegcount.zone import US_PER_DAY, Zone

# `datetime.fromisoformat` accepts more forms, and which ones depends on the Python version.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE: Final = re.compile(r"[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}")

_EPOCH: Final = datetime(1970, 1, 1)
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ParsedTime:
    """A well-formed time; a local time becomes an instant only in a time zone.

    `us` is microseconds since 1970-01-01T00:00:00: in UTC if `is_instant`, else as shown by the
    local clock. `is_day` marks a date without a time, which stands for the first instant of the day.
    """

    us: int
    is_instant: bool = False
    is_day: bool = False

    def instant_us(self, zone: Zone) -> int:
        """Returns the instant in microseconds UTC; `zone` is used only if the text had no UTC offset."""
        if self.is_instant:
            return self.us
        if self.is_day:
            return zone.day_start_us(self.us // US_PER_DAY)
        return zone.instant_us(self.us)


def parse_time(text: str) -> ParsedTime | None:
    """Parses YYYY-MM-DDTHH:mm:ss[.fraction][Z|+HH:MM|-HH:MM] or YYYY-MM-DD.

    Returns None for any other text and for dates that do not exist, such as February 30. Accepts
    the years 0001 to 9999; the caller checks that the time is within the limits of the data.
    """
    is_day = _DAY.fullmatch(text) is not None
    if not is_day and _TIME.fullmatch(text) is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    if parsed.tzinfo is None:
        return ParsedTime((parsed - _EPOCH) // _MICROSECOND, is_day=is_day)
    return ParsedTime((parsed - _EPOCH.replace(tzinfo=UTC)) // _MICROSECOND, is_instant=True)


def parse_date(text: str) -> int | None:
    """Parses YYYYMMDD or YYYY-MM-DD into days since 1970-01-01; returns None for any other text."""
    if _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return None
