"""`pegcount --version`."""

from typing import Annotated

import typer

from pegcount import __version__, calendar


def _show(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"pegcount {__version__}, tzdata {calendar.tzdata_version()}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_show,
        is_eager=True,
        help="Show the versions of Pegcount and of its time zones.",
    ),
]
