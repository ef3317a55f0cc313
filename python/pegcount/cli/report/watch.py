"""Repeats a query until somebody ends it."""

import re
import sys
import time
from collections.abc import Callable
from typing import Final

import typer

from pegcount.cli.report.option_error import ReportOptionError
from pegcount.client import CallError

_INTERVAL: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]+)?)(s|m|h)")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600}
_SECONDS_MIN: Final = 1.0


def read_interval(text: str, option: str = "--watch") -> float:
    """Returns the seconds of an interval such as `5s`; raises ReportOptionError below 1 s."""
    match = _INTERVAL.fullmatch(text.strip())
    if match is None:
        hint = f'; did you mean "{text}s"?' if text.isdecimal() else ""
        raise ReportOptionError(f"{option}: {text!r} is no interval, such as 5s or 1m{hint}")
    seconds = float(match[1]) * _UNIT_SECONDS[match[2]]
    if seconds < _SECONDS_MIN:
        raise ReportOptionError(f"{option}: {text!r} is less than {_SECONDS_MIN:g} s")
    return seconds


def repeated(refresh: Callable[[], None], seconds: float) -> None:
    """Calls `refresh`, then again after each `seconds`, until Ctrl-C.

    The first error ends it; later ones are printed, as a server that restarts will answer again.
    """
    try:
        refresh()
        while True:
            time.sleep(seconds)
            try:
                refresh()
            except CallError as error:
                typer.echo(f"pegcount: {error}", err=True)
    except KeyboardInterrupt:
        sys.stdout.flush()
