"""Reads the texts of times: the one reader of requests, importers and the command line.

A caller passes the `TimeForm` that says which texts it accepts. The core prints times.
"""

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, NamedTuple

from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone

_US_PER_MINUTE: Final = 60 * US_PER_SECOND
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DATE: Final = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})")
_NEVER: Final = r"((?!))?"
"""A group that matches nothing, in place of a part that a form lacks."""


class TimeTextError(ValueError):
    """A text does not have the form of a time, or states a time that does not exist.

    The message continues a sentence that begins with the text.
    """


@dataclass(frozen=True, slots=True)
class TimeForm:
    """The texts that a caller accepts: a date, a separator, a time of day, and perhaps its UTC offset.

    The year has four digits; minutes and seconds have two.
    """

    date_separators: str = "-"
    """Characters of which one stands between year and month, and the same one between month and day."""
    time_separators: str = "T"
    """Characters of which one stands between the date and the time of day."""
    digit_count_min: int = 2
    """Least digits of month, day and hour."""
    allows_date_alone: bool = False
    allows_missing_seconds: bool = False
    fraction_digit_count_max: int = 0
    """Decimals of the seconds; those after the sixth are cut off."""
    has_offset: bool = False
    """Whether one of `utc_texts`, +HH:MM or -HH:MM may follow the time of day."""
    utc_texts: tuple[str, ...] = ("Z",)
    """Texts that mean UTC."""
    allows_short_offset: bool = False
    """Whether an offset may lack its colon or its minutes, too."""
    years: tuple[int, int] = (1, 9999)
    """The first and the last year."""
    pattern: re.Pattern[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self._expression()))

    def _expression(self) -> str:
        """Returns the regular expression, with a group for each variable of `read_time`."""
        number = f"([0-9]{{{self.digit_count_min},2}})"
        day = rf"([0-9]{{4}})([{self.date_separators}]){number}\2{number}"
        decimals = self.fraction_digit_count_max
        fraction = rf"(?:\.([0-9]{{1,{decimals}}}))?" if decimals else _NEVER
        seconds = f":([0-9]{{2}}){fraction}"
        if self.allows_missing_seconds:
            seconds = f"(?:{seconds})?"
        time = f"[{self.time_separators}]{number}:([0-9]{{2}}){seconds}{self._offset_expression()}"
        return f"{day}(?:{time})?" if self.allows_date_alone else day + time

    def _offset_expression(self) -> str:
        if not self.has_offset:
            return 4 * _NEVER
        utc = "|".join(map(re.escape, self.utc_texts))
        minute = "(?::?([0-9]{2}))?" if self.allows_short_offset else ":([0-9]{2})"
        return f"(?:({utc})|([+-])([0-9]{{2}}){minute})?"


# The store accepts [1970, 2200) in UTC; local time may be up to a day outside at either end.
_RECORD_YEARS: Final = (1969, 2200)

REQUEST: Final = TimeForm(allows_date_alone=True, fraction_digit_count_max=6, has_offset=True)
"""RFC 3339, or a date: the times of requests, and of the option `--from` of `pegcount export`."""
RFC_3339: Final = TimeForm(fraction_digit_count_max=9, has_offset=True, years=_RECORD_YEARS)
"""RFC 3339: the fields of records in pegcount-csv."""
POSTGRESQL: Final = TimeForm(
    time_separators=" T",
    fraction_digit_count_max=9,
    has_offset=True,
    utc_texts=("Z", "UTC", " UTC"),
    allows_short_offset=True,
    years=_RECORD_YEARS,
)
"""What PostgreSQL prints: the times of yeti-csv."""
SWITCH_LOG: Final = TimeForm(
    date_separators="-/",
    time_separators=" ",
    digit_count_min=1,
    allows_missing_seconds=True,
    fraction_digit_count_max=6,
    years=_RECORD_YEARS,
)
"""What Asterisk and FreeSWITCH log: `2026-03-29 02:30:00`, perhaps with a fraction, or as spreadsheets save
it, `2026/3/29 2:30`."""


class ParsedTime(NamedTuple):
    """A well-formed time; a local time becomes an instant only in a time zone."""

    us: int
    """Microseconds since 1970-01-01T00:00:00: in UTC if `is_instant`, else as shown by the local clock."""
    is_instant: bool = False
    resolution_us: int = US_PER_SECOND
    """The last unit of the text, without a fraction: a second, a minute or a day."""

    @property
    def is_day(self) -> bool:
        """Whether it is a date alone, which stands for the first instant of the day."""
        return self.resolution_us == US_PER_DAY

    def instant_us(self, zone: Zone) -> int:
        """Returns the instant in microseconds UTC; `zone` is used only if the text had no UTC offset.

        A local time that occurs twice means its first occurrence.
        """
        if self.is_instant:
            return self.us
        return zone.day_start_us(self.us // US_PER_DAY) if self.is_day else zone.instants_us(self.us)[0]


def read_time(text: str, form: TimeForm) -> ParsedTime:
    """Reads a time; raises TimeTextError for texts of another form, and for times that do not exist.

    A text without an offset is not an instant yet, and decimals after the sixth are cut off, not rounded.

    >>> read_time("1970-01-01T00:00:01", REQUEST)
    ParsedTime(us=1000000, is_instant=False, resolution_us=1000000)
    >>> read_time("1970-01-01T00:00:00.999999999Z", RFC_3339).us
    999999
    >>> read_time("1970-01-01T00:00:00-00:30", REQUEST).us == 30 * 60 * US_PER_SECOND
    True
    >>> read_time("2026-02-29", REQUEST)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    TimeTextError: a day that does not exist
    """
    match = form.pattern.fullmatch(text)
    if match is None:
        raise TimeTextError("is not a date and time")
    year, _, month, day, hour, minute, second, fraction, utc, sign, offset_hour, offset_minute = (
        match.groups()
    )
    us = _clock_us(form, int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    if fraction:
        us += int(fraction[:6].ljust(6, "0"))
    if sign:
        return ParsedTime(us - _offset_us(sign, offset_hour, offset_minute), True)
    resolution_us = US_PER_SECOND if second else _US_PER_MINUTE if hour else US_PER_DAY
    return ParsedTime(us, utc is not None, resolution_us)


def has_form(text: str, form: TimeForm) -> bool:
    """Returns whether a text has a form; its numbers may be out of range."""
    return form.pattern.fullmatch(text) is not None


def has_form_of_date(text: str) -> bool:
    """Returns whether a text has the form of `read_date`; its numbers may be out of range."""
    return _DATE.fullmatch(text) is not None


def read_date(text: str) -> int:
    """Reads YYYYMMDD or YYYY-MM-DD, the dates of requests, into days since 1970-01-01.

    Raises TimeTextError for any other text, and for dates that do not exist.

    >>> read_date("1970-01-02") == read_date("19700102") == 1
    True
    >>> read_date("1970-0102")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    TimeTextError: one hyphen of two
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise TimeTextError("is not a date")
    year, month, day = int(match[1]), int(match[3]), int(match[4])
    try:
        return date(year, month, day).toordinal() - _EPOCH_ORDINAL
    except ValueError as error:
        raise TimeTextError(f"is not a date: {_missing(year, month, day)}") from error


def _clock_us(form: TimeForm, year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Returns the microseconds from 1970-01-01T00:00:00 to a date and time of the same clock."""
    first, last = form.years
    if not first <= year <= last:
        raise TimeTextError(f"is not within the years {first} to {last}")
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        missing = _missing(year, month, day, hour, minute)
        raise TimeTextError(f"is not a date and time: {missing}") from error
    days = moment.toordinal() - _EPOCH_ORDINAL
    return days * US_PER_DAY + ((hour * 60 + minute) * 60 + second) * US_PER_SECOND


def _missing(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> str:
    """Returns why a date and time does not exist, given that it does not."""
    if year < 1:
        return "years are 0001 to 9999"
    if not 1 <= month <= 12:
        return "months are 01 to 12"
    if not 1 <= day <= 31:
        return "days are 01 to 31"
    if day > monthrange(year, month)[1]:
        leap = ", which is not a leap year" if day == 29 else ""
        return f"there is no {day} {_MONTHS[month - 1]} {year}{leap}"
    if hour > 23:
        return "hours are 00 to 23"
    return "minutes are 00 to 59" if minute > 59 else "seconds are 00 to 59"


def _offset_us(sign: str, hour_text: str, minute_text: str | None) -> int:
    hour, minute = int(hour_text), int(minute_text or 0)
    if hour > 23 or minute > 59:
        raise TimeTextError("has a UTC offset beyond 23:59, or of more than 59 minutes")
    offset_us = (hour * 60 + minute) * _US_PER_MINUTE
    return offset_us if sign == "+" else -offset_us
