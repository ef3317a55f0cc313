"""Values as people read them: rounded, with separators, without what the title already says."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pegcount import calendar
from pegcount.cli.report.report_table import Kind, ReportTable, Row, Value
from pegcount.time_text import RFC_3339, TimeForm, read_time
from pegcount.zone import Zone

NO_VALUE: Final = "-"
ROLLED_UP: Final = "(all)"
OTHER: Final = "(other)"
NO_TEXT: Final = "(none)"
"""The empty text, which is a value; a folder that calls lack is one."""
TOTAL: Final = "total"

_DAY_BINS: Final = ("DAY", "WEEK", "MONTH")
_LOCAL: Final = TimeForm(fraction_digit_count_max=6)
_FRACTION: Final = re.compile(r"\.[0-9]+")
_EXACT_RATE_MIN: Final = 1_000
"""Calls per second, or erlangs, from which three digits would hide some before the decimal point."""
_RATE_DIGITS: Final = 3


@dataclass(frozen=True)
class TimeStyle:
    """How the times of one report are written."""

    zone: Zone | None
    """The zone of the title; None if this program does not know it, so that times keep their offsets."""
    dates_alone: bool = False
    """Whether a time at midnight is written as its date."""

    def text(self, rfc_3339: str) -> str:
        """Returns a time for people: local, with an offset only if the clock shows it twice.

        >>> style = TimeStyle(calendar.zone("Europe/Berlin"))
        >>> style.text("2026-10-25T01:30:00+02:00"), style.text("2026-10-25T02:30:00+02:00")
        ('2026-10-25 01:30', '2026-10-25 02:30 +02:00')
        """
        date, _, rest = rfc_3339.partition("T")
        sign = max(rest.find("+"), rest.find("-"), rest.find("Z"))
        clock, offset = rest[:sign], rest[sign:]
        shown = clock.removesuffix(":00") if clock.count(":") == 2 else clock
        if self.zone is None or self._is_told_by_another_clock(f"{date}T{clock}", rfc_3339, self.zone):
            return f"{date} {shown} {offset}"
        if self.dates_alone and shown == "00:00":
            return date
        return f"{date} {shown}"

    def _is_told_by_another_clock(self, local: str, rfc_3339: str, zone: Zone) -> bool:
        """Whether the local text alone would be another instant, or one of two."""
        earlier_us, later_us = zone.instants_us(read_time(local, _LOCAL).us)
        return not earlier_us == later_us == read_time(rfc_3339, RFC_3339).us


def time_style(table: ReportTable) -> TimeStyle:
    """Returns how a report writes its times: bins of days or longer by their dates."""
    return TimeStyle(calendar.zone(table.range.time_zone), table.range.granularity in _DAY_BINS)


def title(table: ReportTable) -> str:
    """Returns the subject, the range and the zone of a report; the present time is shown to the second."""
    span = table.range
    style = TimeStyle(calendar.zone(span.time_zone))
    start, end = (
        style.text(_FRACTION.sub("", time) if time == span.generated_at else time)
        for time in (span.from_time, span.to_time)
    )
    if span.granularity is None and span.from_time == span.to_time:
        return f"{table.subject} as of {start}, {span.time_zone}"
    return f"{table.subject}, from {start} to {end}, {span.time_zone}"


def cells(table: ReportTable, row: Row, style: TimeStyle) -> list[str]:
    """Returns the texts of a row; key columns that are rolled up say so."""
    kept = table.key_count if row.level is None else row.level
    texts = [
        ROLLED_UP if kept <= place < table.key_count else figure(value, column.kind, style)
        for place, (value, column) in enumerate(zip(row.values, table.columns, strict=True))
    ]
    if row.is_other:
        # A time is the bin, which all other groups together have as well.
        keys = zip(texts[: table.key_count], table.columns, strict=False)
        texts[: table.key_count] = [text if column.kind is Kind.TIME else OTHER for text, column in keys]
    return [TOTAL, *texts[1:]] if table.key_count and kept == 0 else texts


def figure(value: Value, kind: Kind, style: TimeStyle) -> str:
    """Returns a value rounded for people, `-` if it has none.

    >>> style = TimeStyle(None)
    >>> [figure(value, Kind.RATE, style) for value in (0.0016666, 2.3, 0.0, 123.4, 12345.6)]
    ['0.00167', '2.30', '0', '123', '12,346']
    >>> figure(3_661_000, Kind.DURATION_MS, style), figure(86.111, Kind.PERCENT, style)
    ('1:01:01', '86.1%')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NO_VALUE
    if isinstance(value, str):
        return style.text(value) if kind is Kind.TIME else printable(value) or NO_TEXT
    return _NUMBERS[kind](value)


def printable(text: str) -> str:
    r"""Returns a text whose control characters are escaped, as they could move the cursor of a terminal.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def _mean(value: float) -> str:
    return f"{value:,.1f}"


def _rate(value: float) -> str:
    if value == 0:
        return "0"
    if value >= _EXACT_RATE_MIN:
        return f"{value:,.0f}"
    decimals = _RATE_DIGITS - 1 - math.floor(math.log10(value))
    return f"{value:.{decimals}f}" if decimals > 0 else f"{value:.0f}"


def _duration(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:,}:{minute:02}:{second:02}"


_NUMBERS: Final[dict[Kind, Callable[[int | float], str]]] = {
    Kind.ID: str,
    Kind.COUNT: "{:,}".format,
    Kind.MEAN: _mean,
    Kind.SECONDS: _mean,
    Kind.PERCENT: "{:.1f}%".format,
    Kind.RATE: _rate,
    Kind.DURATION_MS: lambda value: _duration(int(value) // 1_000),
    Kind.DURATION_S: lambda value: _duration(int(value)),
    Kind.DURATION_US: lambda value: _duration(int(value) // 1_000_000),
    Kind.ERLANGS: _rate,
    Kind.CHANGE: "{:+,.1f}%".format,
    Kind.MILLISECONDS: "{:,}".format,
    Kind.FLAG: lambda value: "yes" if value else "no",
}
