"""`pegcount config`: the settings of a server, and what is wrong with them."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.serve_options import reads_settings
from pegcount.settings import ShownAs, Sources, load, shown

config_app = typer.Typer(no_args_is_help=True, help="Show and check the settings of a server.")

Format = Annotated[ShownAs, typer.Option("--format", help="How to show them.")]
Changed = Annotated[bool, typer.Option("--changed", help="Only those that differ from the default.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="TOML file with settings.")]


@config_app.command("show")
@reads_settings
def show(sources: Sources, format_: Format = ShownAs.TABLE, changed: Changed = False) -> None:
    """Show each setting of `pegcount serve` with the same options and variables, and where its value is from.

    Secrets stand in files of their own, of which the paths are shown.
    """
    with errors_as_exit_status():
        typer.echo(shown(load(sources), format_, only_changed=changed))


@config_app.command("check")
def check(file: File) -> None:
    """Check a file with settings by itself: all problems, and settings that have no effect."""
    with errors_as_exit_status():
        loaded = load(Sources(file))
        for warning in loaded.warnings():
            typer.echo(f"warning: {warning}", err=True)
        typer.echo(f"{file}: can be used")
