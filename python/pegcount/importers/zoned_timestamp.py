"""Timestamps that may carry a UTC offset: RFC 3339, and those that PostgreSQL prints."""

import re

from pegcount.importers.local_timestamp import LocalClock, clock_us
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.zone import US_PER_SECOND

_DAY = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
_RFC_3339 = re.compile(rf"{_DAY}T{_CLOCK}(?:(Z)|([+-])([0-9]{{2}}):([0-9]{{2}}))?")
_POSTGRES = re.compile(rf"{_DAY}[ T]{_CLOCK}(?:(Z| ?UTC)|([+-])([0-9]{{2}})(?::?([0-9]{{2}}))?)?")


def read_rfc_3339(name: str, text: str, clock: LocalClock) -> int:
    """Returns the microseconds UTC of an RFC 3339 timestamp; one without an offset is local time.

    Truncates a finer fraction to microseconds. A local time that occurs twice means the
    earlier instant. Raises UnreadableRowError, naming the column, for any other text.
    """
    return _read(_RFC_3339, name, text, clock)


def read_postgres(name: str, text: str) -> int:
    """Returns the microseconds UTC of a timestamp that PostgreSQL printed; one without an offset is UTC.

    Raises UnreadableRowError, naming the column, for any other text.
    """
    return _read(_POSTGRES, name, text, None)


def _read(pattern: re.Pattern[str], name: str, text: str, clock: LocalClock | None) -> int:
    match = pattern.fullmatch(text)
    if match is None:
        raise UnreadableRowError(f"{name}: {text!r} is no date and time")
    *parts, fraction, utc, sign, offset_hour, offset_minute = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    local_us = clock_us(f"{name}: {text!r}", year, month, day, hour, minute, second)
    local_us += int((fraction or "")[:6].ljust(6, "0"))
    if sign:
        return local_us - _offset_us(name, text, sign, int(offset_hour), int(offset_minute or 0))
    return local_us if utc or clock is None else clock.instants_us(local_us)[0]


def _offset_us(name: str, text: str, sign: str, hour: int, minute: int) -> int:
    if hour > 23 or minute > 59:
        raise UnreadableRowError(f"{name}: {text!r} has no valid UTC offset")
    offset_us = (hour * 60 + minute) * 60 * US_PER_SECOND
    return offset_us if sign == "+" else -offset_us
