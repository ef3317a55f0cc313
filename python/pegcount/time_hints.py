"""Says what is wrong with the text of a time or a date of a request, and what its writer may have meant.

Texts of other forms are only suggested for, never accepted: a request that was understood in two ways would
count other records than its writer meant.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pegcount.errors import quoted
from pegcount.suggestion import suggestion
from pegcount.time_text import REQUEST, TimeTextError, has_form, has_form_of_date, read_time

TIME_FORM: Final = "YYYY-MM-DDTHH:mm:ss[.fraction][Z|+HH:MM|-HH:MM] or YYYY-MM-DD"
DATE_FORM: Final = "YYYYMMDD or YYYY-MM-DD"

_LENGTH_MAX: Final = 50
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
"""Years of records; a suggestion outside of them would be refused, too."""
_UNITS_PER_SECOND: Final = {10: 1, 13: 1_000, 16: 1_000_000}
"""What Unix times of today count, by the number of their digits."""
_UNIX: Final = re.compile(r"([0-9]+)(?:\.[0-9]+)?")
_DAY: Final = r"(?:([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})|([0-9]{4})([0-9]{2})([0-9]{2}))"
_REVERSED_DAY: Final = r"([0-9]{1,2})([-/.])([0-9]{1,2})\9([0-9]{4})"
_TIME: Final = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
_OFFSET: Final = r"(?:([Zz]|UTC|GMT)|([+-][0-9]{2}):?([0-9]{2})?)"
_NEAR: Final = re.compile(rf"(?:{_DAY}|{_REVERSED_DAY})(?:[ Tt_]+{_TIME}(?: ?{_OFFSET})?)?")


@dataclass(frozen=True, slots=True)
class TimeProblem:
    """What is wrong with a text."""

    description: str
    """A sentence about the text, which ends with the suggestion, if there is one."""
    suggestion: str | None
    """A text that would be accepted."""


def time_problem(text: str, error: TimeTextError) -> TimeProblem:
    """Returns why `read_time` refused a text of the form `REQUEST`.

    >>> def problem(text):
    ...     try:
    ...         read_time(text, REQUEST)
    ...     except TimeTextError as error:
    ...         return time_problem(text, error)
    >>> problem("2026-10-05 00:00:00").suggestion, problem("2026-13-01").description
    ('2026-10-05T00:00:00', "'2026-13-01' is not a date and time: months are 01 to 12")
    """
    near = None if len(text) > _LENGTH_MAX else _near_time(text)
    return _problem(text, near, error, TIME_FORM, has_form=has_form(text, REQUEST))


def date_problem(text: str, error: TimeTextError) -> TimeProblem:
    """Returns why `read_date` refused a text."""
    near = None if len(text) > _LENGTH_MAX else _near_date(text)
    return _problem(text, near, error, DATE_FORM, has_form=has_form_of_date(text))


def _problem(text: str, near: str | None, error: TimeTextError, form: str, *, has_form: bool) -> TimeProblem:
    hint = "" if near is None else suggestion(near)
    if has_form:
        return TimeProblem(f"{quoted(text)} {error}{hint}", near)
    what = "is a Unix time, not" if _is_unix_time(text) else "is not"
    return TimeProblem(f"{quoted(text)} {what} of the form {form}{hint}", near)


def _near_time(text: str) -> str | None:
    """Returns the time of the accepted form that a text states in another form, None if it states none."""
    if _is_unix_time(text):
        return _time_of_unix(text)
    match = _NEAR.fullmatch(text.strip())
    day = None if match is None else _day(match)
    if match is None or day is None:
        return None
    hour, minute, second, fraction, utc, offset_hour, offset_minute = match.groups()[11:]
    if hour is None:
        return _accepted_time(day.isoformat())
    if (int(hour), int(minute), int(second or 0)) == (24, 0, 0):
        day, hour = day + timedelta(days=1), "00"
    decimals = f".{fraction[:6]}" if fraction else ""
    offset = f"{offset_hour}:{offset_minute or '00'}" if offset_hour else "Z" if utc else ""
    return _accepted_time(f"{day}T{hour:0>2}:{minute}:{second or '00'}{decimals}{offset}")


def _near_date(text: str) -> str | None:
    match = _NEAR.fullmatch(text.strip())
    day = None if match is None else _day(match)
    if match is None or day is None:
        return None
    hour, *_, utc, offset_hour, _ = match.groups()[11:]
    # The day may be another one in the zone of the request, or begin at the end of this one.
    return None if utc or offset_hour or hour == "24" else day.isoformat()


def _day(match: re.Match[str]) -> date | None:
    """Returns the day of a text, None if it does not exist, has no records, or may be read in two ways."""
    year, _, month, day, *compact = match.groups()[:7]
    year, month, day = (year, month, day) if year else tuple(compact)
    if year is None:
        first, _, second, year = match.groups()[7:11]
        # Some write the day first, others the month.
        if int(first) <= 12 and int(second) <= 12 and first != second:
            return None
        day, month = sorted((first, second), key=int, reverse=True)
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _is_unix_time(text: str) -> bool:
    match = _UNIX.fullmatch(text)
    return match is not None and len(match[1]) in _UNITS_PER_SECOND


def _time_of_unix(text: str) -> str | None:
    digits, _, _ = text.partition(".")
    moment = datetime.fromtimestamp(int(digits) // _UNITS_PER_SECOND[len(digits)], UTC)
    return _accepted_time(f"{moment:%Y-%m-%dT%H:%M:%SZ}")


def _accepted_time(text: str) -> str | None:
    """Returns the text, or None if a request could not have it."""
    try:
        read_time(text, REQUEST)
    except TimeTextError:
        return None
    return text if _FIRST_YEAR <= int(text[:4]) <= _LAST_YEAR else None
