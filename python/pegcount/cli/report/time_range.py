"""The range of a report, from `--from`, `--to` and `--last`."""

from typing import Final

import typer

from pegcount.cli.option_sources import given, typed
from pegcount.cli.report.human_times import (
    Clock,
    first_of_last_days,
    read_day,
    read_moment,
    start_of_last,
)
from pegcount.cli.report.option_error import ReportOptionError

_NAMES: Final = {"from_time": "--from", "to_time": "--to", "last": "--last"}


def time_range(context: typer.Context, clock: Clock) -> tuple[str, str | None]:
    """Returns the start of a range and its end, None for now, as a request states them.

    Raises ReportOptionError, and HumanTimeError for a text of another form.
    """
    start, end, last = _texts(context)
    if last is not None:
        return start_of_last("--last", last, clock), None
    if start is None:
        raise ReportOptionError(
            "a report needs --from, such as --from yesterday, or --last, such as --last 7d"
        )
    # The clock of the server decides what now is.
    is_now = end is None or end.strip().casefold() == "now"
    return read_moment("--from", start, clock), None if is_now else read_moment("--to", str(end), clock)


def day_range(context: typer.Context, clock: Clock) -> tuple[str | None, str | None]:
    """Returns the first and the last day of a range as a request states them, None for what it leaves out.

    Raises ReportOptionError, and HumanTimeError for a text of another form.
    """
    start, end, last = _texts(context)
    if last is not None:
        return first_of_last_days("--last", last, clock), clock.midnight.date().isoformat()
    return (
        None if start is None else read_day("--from", start, clock),
        None if end is None else read_day("--to", end, clock),
    )


def _texts(context: typer.Context) -> tuple[str | None, str | None, str | None]:
    """Returns the texts of `--from`, `--to` and `--last`, of which the last excludes the others."""
    present = given(context, _NAMES)
    if "last" in present and len(present) > 1:
        # Those of the environment are defaults.
        present = typed(context, _NAMES) or present
    if "last" in present and len(present) > 1:
        raise ReportOptionError("--last excludes --from and --to")
    start, end, last = (context.params[name] if name in present else None for name in _NAMES)
    return start, end, last
