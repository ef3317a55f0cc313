"""`pegcount config`: the settings of a server, and what is wrong with them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from pegcount import process
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.serve_options import reads_settings
from pegcount.settings import (
    SETTINGS,
    Problem,
    SettingsError,
    ShownAs,
    Sources,
    load,
    shown,
    unknown_variables,
)

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
        loaded = load(sources)
        if sources.file_path() is None:
            typer.echo("no file was read; give --config FILE", err=True)
        _warn(loaded.warnings())
        if changed and not any(loaded.is_changed(key) for key in SETTINGS):
            typer.echo("every setting has its default", err=True)
        typer.echo(shown(loaded, format_, only_changed=changed))


@config_app.command("check")
def check(file: File) -> None:
    """Check a file with settings by itself: all problems, and settings that have no effect.

    It looks also for the files that the settings name: run it as the user of the server, and where it runs.
    """
    with errors_as_exit_status():
        loaded = load(Sources(file), looks_for_files=True)
        if problems := [Problem("", text) for text in process.unusable_inputs(loaded)]:
            raise SettingsError(problems)
        _warn([*loaded.warnings(), *unknown_variables(os.environ)])
        typer.echo(f"{file}: can be used")


def _warn(warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
