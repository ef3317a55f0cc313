"""`pegcount backup`."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.store.snapshot import back_up


def backup(
    target: Annotated[Path, typer.Argument(help="Directory to make; may be there if it is empty.")],
    data: Annotated[Path, typer.Option(help="Data directory.")],
) -> None:
    """Make a copy of a data directory as it is now, also while a server owns it.

    The copy is a data directory itself: to restore it, serve it. On the same file system
    the segments take no space of their own, and are lost with it.
    """
    with errors_as_exit_status():
        files = back_up(data, target)
        total = sum(file.stat().st_size for file in files)
        typer.echo(f"{target}: {len(files):,} files, {total:,} bytes")
