"""`pegcount check`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pegcount.cli.exit_status import PROBLEM_STATUS, errors_as_exit_status
from pegcount.cli.store_option import directory_option, require_directory
from pegcount.config import Config
from pegcount.store import StoreLocation
from pegcount.store.check import CheckReport
from pegcount.store.check import check as check_directory

_COUNTS = (
    "segments",
    "segment_bytes",
    "journal_files",
    "journal_batches",
    "journal_records",
    "active_sessions",
    "code_decks",
    "records",
)


def check(
    store: Annotated[StoreLocation, directory_option("Data directory that no process owns, like a backup.")],
) -> None:
    """Read every byte of a data directory and verify its checksums.

    Exits with 1 if anything is damaged or missing. Changes nothing.
    """
    with errors_as_exit_status():
        data = require_directory(store, "check", "let each server check its tables")
        report = check_directory(data, Config())
    Console().print(_table(data, report))
    for path in report.leftovers:
        typer.echo(f"leftover: {path}, which a crash left; the next start removes it")
    for path in report.kept_orphans:
        typer.echo(f"orphan: {path}, which the catalogue does not name; the next start keeps it")
    for number in report.incomplete_erasures:
        typer.echo(
            f"erasure {number} is not complete: files may have its numbers until a server is started, or"
            " `pegcount erase --store DIR --list` is run"
        )
    for problem in report.problems:
        typer.echo(f"problem: {problem}")
    if report.problems:
        raise typer.Exit(PROBLEM_STATUS)


def _table(data: Path, report: CheckReport) -> Table:
    table = Table(title=str(data), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name in _COUNTS:
        count = getattr(report, name)
        table.add_row(name, "unknown" if count is None else f"{count:,}")
    return table
