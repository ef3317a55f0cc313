"""`pegcount backup`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from pegcount.cli.exit_status import PROBLEM_STATUS, errors_as_exit_status
from pegcount.cli.store_option import directory_option, require_directory
from pegcount.store import StoreLocation
from pegcount.store.snapshot import back_up
from pegcount.store.verified_copy import damage_of_copy


def backup(
    target: Annotated[Path, typer.Argument(help="Directory to create; it may exist if it is empty.")],
    store: Annotated[StoreLocation, directory_option("Data directory.")],
) -> None:
    """Copy a data directory at one instant, also while a server owns it.

    The copy is itself a data directory: to restore it, serve it. Where the file system can clone files (XFS,
    Btrfs), the copy shares their blocks and takes no time, but a failure of that disk destroys both. The copy
    is then read: exits with 1 if a file is damaged, as it probably is in the original too.
    """
    with errors_as_exit_status():
        data = require_directory(store, "backup", "let each server back up its tables")
        files = _back_up(data, target)
        total = sum(file.stat().st_size for file in files)
        typer.echo(f"{target}: {len(files):,} files, {total:,} bytes")
        problems = damage_of_copy(target)
    for problem in problems:
        typer.echo(f"problem: {problem}; see whether an older backup has that file intact", err=True)
    if problems:
        raise typer.Exit(PROBLEM_STATUS)


def _back_up(data: Path, target: Path) -> list[Path]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(target.name, total=None)
        return back_up(
            data, target, lambda done, byte_count: bar.update(task, completed=done, total=byte_count)
        )
