"""`pegcount --version`."""

from typing import Annotated

import typer

from pegcount import calendar, core
from pegcount.version import VERSION


def _show(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"pegcount {VERSION}, core {core.core_version()}, tzdata {calendar.tzdata_version()}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_show,
        is_eager=True,
        help="Show the versions of Pegcount, of its core and of its time zones.",
    ),
]
