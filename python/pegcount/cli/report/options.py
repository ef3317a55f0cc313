"""The options that all reports share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from pegcount.cli.option_sources import chosen
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.cli.report.watch import read_interval

FromTime = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Start, inclusive: 2026-10-05, yesterday 14:00, 2h ago …"),
]
ToTime = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="End, exclusive, in the same forms. Default: now.")
]
Last = Annotated[
    str | None,
    typer.Option(metavar="LENGTH", help="Instead of --from: 90m or 24h until now, or 7d or 4w with today."),
]
TimeZone = Annotated[str, typer.Option(metavar="ZONE", help="IANA time zone of the report.")]
Absent = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Id that must be absent, or have one of the values given; repeatable."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, with exact figures.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, with exact figures.")]
Parquet = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write FILE as Parquet, with exact figures.")
]
Arrow = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write FILE as Arrow IPC, with exact figures.")
]
Plot = Annotated[bool, typer.Option("--plot", help="Draw a chart instead of the table.")]
Watch = Annotated[
    str | None,
    typer.Option(metavar="INTERVAL", help="Ask again every INTERVAL, such as 5s, until Ctrl-C."),
]

_OUTPUTS: Final = {
    "as_json": "--json",
    "as_csv": "--csv",
    "parquet": "--parquet",
    "arrow": "--arrow",
    "plot": "--plot",
}


@dataclass(frozen=True)
class ReportOptions:
    """The values of the options that all reports share."""

    time_zone: str
    output: str | None
    """`as_json`, `as_csv`, `parquet`, `arrow` or `plot`; None is the table."""
    file: Path | None
    """The file of an output that writes one."""
    watch_seconds: float | None
    """Seconds between two queries; None: one query."""


def report_options(context: typer.Context) -> ReportOptions:
    """Returns the values of the shared options of a command; raises PegcountError."""
    output = chosen(context, _OUTPUTS)
    values = context.params
    file = values[output] if output in ("parquet", "arrow") else None
    watch = values["watch"]
    if watch is not None and file is not None:
        raise ReportOptionError(
            f"--watch cannot rewrite {file}; use it with the table, --json, --csv or --plot"
        )
    return ReportOptions(
        time_zone=values["time_zone"],
        output=output,
        file=file,
        watch_seconds=None if watch is None else read_interval(watch),
    )
