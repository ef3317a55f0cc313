"""Times and dates as requests write them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pegcount.zone import US_PER_DAY, Zone

# Narrower than what `datetime` reads, which also differs between Python versions.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE: Final = re.compile(r"[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}")

_EPOCH: Final = datetime(1970, 1, 1)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ParsedTime:
    """A well-formed time, of which the zone may still be needed to know the instant.

    `us` counts from 1970-01-01T00:00:00, in UTC if `is_instant`, else as the local
    clock reads. `is_day` tells that only a date was written: the day's first instant.
    """

    us: int
    is_instant: bool = False
    is_day: bool = False

    def instant_us(self, zone: Zone) -> int:
        """The instant in microseconds UTC; `zone` matters only where none was written."""
        if self.is_instant:
            return self.us
        if self.is_day:
            return zone.day_start_us(self.us // US_PER_DAY)
        return zone.instant_us(self.us)


def parse_time(text: str) -> ParsedTime | None:
    """A text of the form YYYY-MM-DDTHH:mm:ss[.fraction][Z|+HH:MM|-HH:MM] or YYYY-MM-DD.

    None for any other text and for days that no calendar has. The years are 0001 to
    9999; whether a time is within the limits of the data is for the caller to check.
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
    """Days since 1970-01-01 of a text YYYYMMDD or YYYY-MM-DD, None for any other text."""
    if _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def format_date(days: int) -> str:
    """YYYY-MM-DD of a date in days since 1970-01-01."""
    return date.fromordinal(days + _EPOCH_DAY).isoformat()
