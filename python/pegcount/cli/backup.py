"""`pegcount backup`."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.store.snapshot import back_up


def backup(
    target: Annotated[Path, typer.Argument(help="Directory to create; it may exist if it is empty.")],
    data: Annotated[Path, typer.Option(help="Data directory.")],
) -> None:
    """Copy a data directory at one instant, also while a server owns it.

    The copy is itself a data directory: to restore it, serve it. On the same file system
    its segments are hard links: they take no further space, but a failure of that disk destroys both.
    """
    with errors_as_exit_status():
        files = back_up(data, target)
        total = sum(file.stat().st_size for file in files)
        typer.echo(f"{target}: {len(files):,} files, {total:,} bytes")
