"""Times as people write them: English, year before month before day, and only what has a single meaning."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dateutil import parser
from dateutil.relativedelta import FR, MO, SA, SU, TH, TU, WE, relativedelta

from pegcount.cli.report.near_times import near_times
from pegcount.errors import PegcountError
from pegcount.suggestion import suggestion
from pegcount.time_text import (
    REQUEST,
    TimeForm,
    TimeTextError,
    has_form,
    read_date,
    read_time,
)
from pegcount.zone import US_PER_SECOND, Zone

TIME_FORMS: Final = (
    "2026-10-05, 2026-10-05 14:00, 2026-10-05T14:00:00+02:00, 5 oct 2026, yesterday, yesterday 14:00, "
    "monday, last monday, 3 days ago, 2h ago, now"
)
DAY_FORMS: Final = "2026-10-05, 20261005, 5 oct 2026, yesterday, monday, last monday, 3 days ago"
LENGTH_FORMS: Final = "90m, 24h, 7d, 4w"
WEEKDAYS: Final = {
    "monday": MO,
    "tuesday": TU,
    "wednesday": WE,
    "thursday": TH,
    "friday": FR,
    "saturday": SA,
    "sunday": SU,
}
DAYS_FROM_TODAY: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}

_EPOCH: Final = datetime(1970, 1, 1)
_YEARS: Final = (1970, 2199)
_WRITTEN: Final = TimeForm(
    time_separators=" T",
    allows_date_alone=True,
    allows_missing_seconds=True,
    fraction_digit_count_max=6,
    has_offset=True,
)
"""What the server reads, and the same with a blank or without seconds."""
_MONTHS: Final = (
    *("jan(?:uary)?", "feb(?:ruary)?", "mar(?:ch)?", "apr(?:il)?", "may", "june?", "july?", "aug(?:ust)?"),
    *("sep(?:tember)?", "oct(?:ober)?", "nov(?:ember)?", "dec(?:ember)?"),
)
_UNIT_NAMES: Final = {
    "seconds": ("s", "sec", "second", "seconds"),
    "minutes": ("m", "min", "minute", "minutes"),
    "hours": ("h", "hour", "hours"),
    "days": ("d", "day", "days"),
    "weeks": ("w", "week", "weeks"),
    "months": ("month", "months"),
    "years": ("year", "years"),
}
_UNITS: Final = {name: unit for unit, names in _UNIT_NAMES.items() for name in names}
_CLOCK_UNITS: Final = ("seconds", "minutes", "hours")
_MONTH: Final = f"(?:{'|'.join(_MONTHS)})"
_CLOCK: Final = "(?P<clock> [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
_NAMED_DAY: Final = re.compile(f"(?P<last>last )?(?P<day>[a-z]+){_CLOCK}")
_AGO: Final = re.compile(f"(?P<count>[0-9]{{1,5}}) ?(?P<unit>[a-z]+) ago{_CLOCK}")
_DATES: Final = (
    re.compile(f"(?P<date>(?P<day>[0-9]{{1,2}}) {_MONTH},? (?P<year>[0-9]{{4}})){_CLOCK}"),
    re.compile(f"(?P<date>{_MONTH} (?P<day>[0-9]{{1,2}}),? (?P<year>[0-9]{{4}})){_CLOCK}"),
)
_LENGTH: Final = re.compile("([0-9]{1,5}) ?([a-z]+)")


class HumanTimeError(PegcountError):
    """A text is not a time that this program reads; the message ends with the forms that it reads."""


@dataclass(frozen=True)
class Clock:
    """The time and the zone in which words such as `yesterday` are resolved."""

    now_us: int
    """Microseconds UTC."""
    zone: Zone

    @property
    def local(self) -> datetime:
        """What the local clock shows, without an offset."""
        offset_us = self.zone.offset_s_at(self.now_us) * US_PER_SECOND
        return _EPOCH + timedelta(microseconds=self.now_us + offset_us)

    @property
    def midnight(self) -> datetime:
        """The date of the DAY bin that contains now, at 00:00."""
        return _EPOCH + timedelta(days=self.zone.local_date(self.now_us))

    def before(self, length: timedelta) -> str:
        """Returns the instant that is a length before now, RFC 3339 in UTC."""
        us = self.now_us - length // timedelta(microseconds=1)
        return f"{(_EPOCH + timedelta(microseconds=us)).isoformat(timespec='seconds')}Z"


@dataclass(frozen=True)
class _Local:
    """A time that the local clock shows."""

    moment: datetime
    is_day: bool = False
    """Whether it means the start of a day, which is not 00:00 where the clock skips that."""
    has_clock: bool = False
    """Whether the text names a time of day."""

    @property
    def text(self) -> str:
        """The time for a request; the server resolves it in the zone."""
        return self.moment.date().isoformat() if self.is_day else self.moment.isoformat(timespec="seconds")


def read_moment(option: str, text: str, clock: Clock) -> str:
    """Returns a time for a request: local where the text is local; raises HumanTimeError.

    >>> from pegcount import calendar
    >>> clock = Clock(1_774_872_000_000_000, calendar.zone("Europe/Berlin"))  # Monday, 2026-03-30 14:00
    >>> [read_moment("--from", text, clock) for text in ("yesterday", "monday 9:30", "2h ago")]
    ['2026-03-29', '2026-03-30T09:30:00', '2026-03-30T10:00:00Z']
    """
    # The tables print an offset after a blank.
    plain = re.sub(r" (?=(?:Z|[+-][0-9]{2}:[0-9]{2})$)", "", " ".join(text.split()))
    try:
        if has_form(plain, _WRITTEN):
            read_time(plain, _WRITTEN)
            return plain if has_form(plain, REQUEST) else _with_seconds(plain)
        found = _words(plain.casefold(), clock)
    except (TimeTextError, ValueError, OverflowError) as error:
        raise HumanTimeError(f"{option}: {text!r} {_reason(error)}") from error
    if found is None:
        raise HumanTimeError(_refusal(option, text, clock, "time", TIME_FORMS))
    return found.text if isinstance(found, _Local) else found


def read_day(option: str, text: str, clock: Clock) -> str:
    """Returns a date for a request; raises HumanTimeError, also for a time of day."""
    plain = " ".join(text.split())
    try:
        if re.fullmatch("[0-9]{4}-?[0-9]{2}-?[0-9]{2}", plain):
            read_date(plain)
            return plain
        found = _words(plain.casefold(), clock)
    except (TimeTextError, ValueError, OverflowError) as error:
        raise HumanTimeError(f"{option}: {text!r} {_reason(error)}") from error
    if not isinstance(found, _Local) or found.has_clock:
        raise HumanTimeError(_refusal(option, text, clock, "day", DAY_FORMS))
    return found.moment.date().isoformat()


def start_of_last(option: str, text: str, clock: Clock) -> str:
    """Returns the start of the last minutes or hours before now, or of the last days or weeks.

    Raises HumanTimeError. Today is the last day: `1d` is today, `7d` today and the six days before it.
    """
    unit, count = _length(option, text)
    if unit in _CLOCK_UNITS:
        return clock.before(timedelta(**{unit: count}))
    return first_of_last_days(option, text, clock)


def first_of_last_days(option: str, text: str, clock: Clock) -> str:
    """Returns the first day of the last days or weeks, today included; raises HumanTimeError."""
    unit, count = _length(option, text)
    if unit in _CLOCK_UNITS:
        raise HumanTimeError(f"{option}: {text!r} is no number of days or weeks, such as 7d or 4w")
    day = clock.midnight - timedelta(**{unit: count}) + timedelta(days=1)
    if day.year < _YEARS[0]:
        raise HumanTimeError(f"{option}: {text!r} begins before the year {_YEARS[0]}")
    return day.date().isoformat()


def _length(option: str, text: str) -> tuple[str, int]:
    match = _LENGTH.fullmatch(" ".join(text.casefold().split()))
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit in (None, "months", "years") or int(match[1]) == 0:
        raise HumanTimeError(
            f"{option}: {text!r} is no length; it can be such as {LENGTH_FORMS}{_near(text)}"
        )
    return str(unit), int(match[1])


def _near(text: str) -> str:
    """Returns a hint for a number without a unit, and for a day, which `--last` does not take."""
    word = text.casefold().strip()
    if word.isdecimal():
        return suggestion(f"{word}d")
    return suggestion(f"--from {word}") if word in WEEKDAYS | DAYS_FROM_TODAY else ""


def _words(text: str, clock: Clock) -> _Local | str | None:
    """Returns the local time of some words, an instant as text, or None if they have another form."""
    if text == "now":
        return clock.before(timedelta(0))
    for match, read in (
        (_NAMED_DAY.fullmatch(text), _named_day),
        (_AGO.fullmatch(text), _ago),
        *((form.fullmatch(text), _date) for form in _DATES),
    ):
        found = None if match is None else read(match, clock)
        if isinstance(found, _Local) and not _YEARS[0] <= found.moment.year <= _YEARS[1]:
            raise ValueError(f"is not within the years {_YEARS[0]} to {_YEARS[1]}")
        if found is not None:
            return found
    return None


def _named_day(match: re.Match[str], clock: Clock) -> _Local | None:
    """Reads `yesterday` and `monday`, which is the last one that has begun, also if it is today."""
    name = match["day"]
    if name in DAYS_FROM_TODAY and not match["last"]:
        return _at(clock.midnight + timedelta(days=DAYS_FROM_TODAY[name]), match["clock"])
    if name not in WEEKDAYS:
        return None
    latest = clock.midnight - timedelta(days=1) if match["last"] else clock.midnight
    found = _at(latest + relativedelta(weekday=WEEKDAYS[name](-1)), match["clock"])
    if found.moment > clock.local:
        return _at(found.moment - timedelta(weeks=1), match["clock"])
    return found


def _ago(match: re.Match[str], clock: Clock) -> _Local | str | None:
    """Reads `2h ago`, an instant, and `3 days ago`, the same time of day where the text names none."""
    unit, count = _UNITS.get(match["unit"]), int(match["count"])
    if unit is None or (unit in _CLOCK_UNITS and match["clock"]):
        return None
    if unit in _CLOCK_UNITS:
        return clock.before(timedelta(**{unit: count}))
    moment = clock.local - relativedelta(**{unit: count})  # type: ignore[arg-type]
    return _at(moment, match["clock"]) if match["clock"] else _Local(moment)


def _date(match: re.Match[str], _: Clock) -> _Local:
    """Reads `5 oct 2026`."""
    moment = parser.parse(match["date"], default=_EPOCH)
    # The parser takes `12 oct 0026` for a day of 2026.
    if (moment.day, moment.year) != (int(match["day"]), int(match["year"])):
        raise ValueError("is no date")
    return _at(moment, match["clock"])


def _at(day: datetime, clock_text: str | None) -> _Local:
    if clock_text is None:
        return _Local(day, is_day=True)
    hour, minute, *second = map(int, clock_text.split(":"))
    return _Local(day.replace(hour=hour, minute=minute, second=second[0] if second else 0), has_clock=True)


def _with_seconds(text: str) -> str:
    """Returns a written time as the server reads it.

    >>> _with_seconds("2026-10-05 14:00+02:00")
    '2026-10-05T14:00:00+02:00'
    """
    date, clock, rest = text[:10], text[11:16], text[16:]
    return f"{date}T{clock}{rest if rest.startswith(':') else ':00' + rest}"


def _reason(error: Exception) -> str:
    text = str(error)
    return text if text.startswith(("is ", "has ")) else f"is no time: {text}"


def _refusal(option: str, text: str, clock: Clock, what: str, forms: str) -> str:
    near = " or ".join(f'"{each}"' for each in near_times(text, clock.local, WEEKDAYS | DAYS_FROM_TODAY))
    hint = f"; did you mean {near}? It" if near else "; it"
    return f"{option}: {text!r} is no {what}{hint} can be such as {forms}"
