"""Formats of the times of mapped files: names of our own, and those of `strptime`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from pegcount.time_text import TimeForm, TimeTextError, read_time
from pegcount.zone import US_PER_SECOND

ISO = "iso"
_EPOCHS = {"epoch_s": US_PER_SECOND, "epoch_ms": 1_000, "epoch_us": 1}
NAMED_FORMATS = (ISO, *_EPOCHS)
"""Formats that have a name."""

_YEARS = (1969, 2200)
_ISO = TimeForm(
    date_separators="-/",
    time_separators=" T",
    digit_count_min=1,
    allows_missing_seconds=True,
    fraction_digit_count_max=9,
    has_offset=True,
    utc_texts=("Z", "UTC", " UTC"),
    allows_short_offset=True,
    years=_YEARS,
)
_US_PER_MINUTE = 60 * US_PER_SECOND
_FRACTION = re.compile(r"\.([0-9]{1,6})")
_EPOCH = re.compile(r"([0-9]{1,17})(?:\.([0-9]{1,9}))?")
_DIRECTIVE = re.compile(r"%(.?)")
_DIRECTIVES = "YymbBdjHIpMSfzaA"
_PARTS = re.compile(r"%.|.", re.DOTALL)
_WIDTHS = {**dict.fromkeys(("%m", "%d", "%H", "%I", "%M", "%S", "%y"), 2), "%Y": 4, "%j": 3}
_NEEDED = {"a year": "Yy", "an hour": "HI", "minutes": "M"}
_LOCAL_EPOCH = datetime(1970, 1, 1)
_EPOCH_OF_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class StatedTime:
    """A time as a cell states it."""

    us: int
    """Microseconds since 1970-01-01T00:00:00: in UTC if `is_instant`, else as shown by the local clock."""
    is_instant: bool
    resolution_us: int
    """The last unit of the text."""


TimeReader = Callable[[str], StatedTime | None]
"""Reads a time: None for Unix time 0, by which programs say never. Raises TimeTextError."""


def format_problem(time_format: str) -> str:
    """Returns why a format cannot be used, "" if it can."""
    if time_format in NAMED_FORMATS:
        return ""
    directives = _DIRECTIVE.findall(time_format)
    if not directives:
        return f"{time_format!r} is neither one of {', '.join(NAMED_FORMATS)} nor has directives such as %Y"
    unknown = [f"%{directive}" for directive in directives if directive not in {*_DIRECTIVES, "%"}]
    if unknown:
        known = ", ".join(f"%{directive}" for directive in _DIRECTIVES)
        zone = (
            "; names of zones are ambiguous: write them as text, and give `zone`" if "%Z" in unknown else ""
        )
        return f"{', '.join(unknown)} cannot be read; the directives are {known}{zone}"
    return _missing(directives)


def _missing(directives: Sequence[str]) -> str:
    given = set(directives)
    missing = [what for what, any_of in _NEEDED.items() if given.isdisjoint(any_of)]
    if "j" not in given and ("d" not in given or given.isdisjoint("mbB")):
        missing.append("a month and a day")
    if missing:
        return f"the format lacks {', '.join(missing)}"
    repeated = sorted({f"%{each}" for each in directives if each != "%" and directives.count(each) > 1})
    if repeated:
        return f"the format has {', '.join(repeated)} twice"
    if ("I" in given) != ("p" in given):
        return "%I, hours from 1 to 12, goes with %p, AM or PM; %H, hours from 0 to 23, needs no %p"
    return ""


def time_reader(formats: Sequence[str], has_decimal_comma: bool) -> TimeReader:
    """Returns a reader of formats without problems, of which the first that fits a text counts.

    A decimal comma is one of formats that have a name: in others, a comma is text as it is.
    """
    readers = [_reader(each, has_decimal_comma and each in NAMED_FORMATS) for each in formats]
    if len(readers) == 1:
        return readers[0]
    names = " or ".join(repr(each) for each in formats)

    def read(text: str) -> StatedTime | None:
        for reader in readers:
            try:
                return reader(text)
            except TimeTextError:
                pass
        raise TimeTextError(f"does not have the format {names}")

    return read


def _reader(time_format: str, replaces_comma: bool) -> TimeReader:
    if replaces_comma:
        read = _reader(time_format, replaces_comma=False)
        return lambda text: read(text.replace(",", "."))
    if time_format == ISO:
        return _read_iso
    if time_format in _EPOCHS:
        return lambda text: _read_epoch(text, time_format)
    return lambda text: _read_by_directives(text, time_format)


def _read_iso(text: str) -> StatedTime:
    time = read_time(text, _ISO)
    fraction = _FRACTION.search(text)
    resolution_us = time.resolution_us if fraction is None else 10 ** (6 - len(fraction[1]))
    return StatedTime(time.us, time.is_instant, resolution_us)


def _read_epoch(text: str, time_format: str) -> StatedTime | None:
    match = _EPOCH.fullmatch(text)
    unit_us = _EPOCHS[time_format]
    digits = "" if match is None else (match[2] or "")[: len(str(unit_us)) - 1]
    if match is None or (match[2] and time_format != "epoch_s"):
        raise TimeTextError(f"is not Unix time ({time_format})")
    resolution_us = unit_us // 10 ** len(digits)
    us = int(match[1]) * unit_us + int(digits or 0) * resolution_us
    if us == 0:
        return None
    year = 1970 + us // (366 * 86_400 * US_PER_SECOND)
    if not 1970 < year <= _YEARS[1]:
        others = ", ".join(name for name in _EPOCHS if name != time_format)
        where = "in the year 1970" if year == 1970 else f"beyond the year {_YEARS[1]}"
        raise TimeTextError(f"is {time_format} {where}: is it {others}?")
    return StatedTime(us, True, resolution_us)


@cache
def _widths(time_format: str) -> re.Pattern[str]:
    """Returns an expression of texts of a format in which numbers beside each other have all digits.

    `strptime` takes `10500` for the time of day 10:50:0, which a spreadsheet made of 010500.
    """
    parts = _PARTS.findall(time_format)
    patterns = []
    for number, part in enumerate(parts):
        width = _WIDTHS.get(part)
        beside = (parts[number - 1] if number else "", parts[number + 1] if number + 1 < len(parts) else "")
        if width is not None:
            is_exact = part == "%Y" or any(other in _WIDTHS for other in beside)
            patterns.append(rf"\d{{{width}}}" if is_exact else rf"\d{{1,{width}}}")
        elif part.isspace():
            patterns.append(r"\s+")
        else:
            patterns.append(".+" if part.startswith("%") and part != "%%" else re.escape(part))
    return re.compile("".join(patterns))


def _read_by_directives(text: str, time_format: str) -> StatedTime:
    try:
        found = datetime.strptime(text, time_format)
    except ValueError as error:
        raise TimeTextError(f"does not have the format {time_format!r}") from error
    if not _widths(time_format).fullmatch(text):
        raise TimeTextError(f"lacks a digit of the format {time_format!r}: is it rounded by a spreadsheet?")
    if not _YEARS[0] <= found.year <= _YEARS[1]:
        raise TimeTextError(f"is not within the years {_YEARS[0]} to {_YEARS[1]}")
    resolution_us = 1 if "%f" in time_format else US_PER_SECOND if "%S" in time_format else _US_PER_MINUTE
    if found.tzinfo is None:
        return StatedTime((found - _LOCAL_EPOCH) // _MICROSECOND, False, resolution_us)
    return StatedTime((found - _EPOCH_OF_UTC) // _MICROSECOND, True, resolution_us)
