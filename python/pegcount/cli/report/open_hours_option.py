"""The open hours of `--open-hours "mon-fri 08:00-18:00"` and `--closed 2026-12-25`."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pegcount.cli.report.named_numbers import weekday
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.v1.traffic_pb2 import OpenHours

_HOURS: Final = re.compile(r"(?:(\S+)\s+)?([0-9]{1,2}:[0-9]{2})\s*-\s*([0-9]{1,2}:[0-9]{2})")
_ALL_DAY: Final = ("00:00", "24:00")


def open_hours(text: str | None, closed: Sequence[str]) -> OpenHours | None:
    """Returns the hours that two options state, None for all; raises ReportOptionError."""
    if text is None:
        start, end = _ALL_DAY
        return OpenHours(from_time=start, to_time=end, excluded_dates=closed) if closed else None
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ReportOptionError(
            f"--open-hours: {text!r} is not weekdays and hours, such as mon-fri 08:00-18:00,"
            " sat,sun 10:00-24:00 or 22:00-06:00"
        )
    days, start, end = match.groups()
    return OpenHours(
        weekdays=sorted(_weekdays(days)) if days else (),
        from_time=start.zfill(5),
        to_time=end.zfill(5),
        excluded_dates=closed,
    )


def _weekdays(text: str) -> set[int]:
    return {day for part in text.split(",") for day in _days_between(part)}


def _days_between(text: str) -> Iterator[int]:
    """Yields the days of `mon`, `mon-fri` or `sat-mon`."""
    first, dash, last = text.partition("-")
    start = weekday("--open-hours", first)
    end = weekday("--open-hours", last) if dash else start
    yield from (
        start + passed if start + passed <= 7 else start + passed - 7
        for passed in range((end - start) % 7 + 1)
    )
