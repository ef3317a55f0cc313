"""`pegcount import`."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pegcount import calendar, core
from pegcount.cli.exit_status import REJECTED_STATUS, errors_as_exit_status
from pegcount.client import Client
from pegcount.config import Config
from pegcount.errors import ImportFileError
from pegcount.importers import (
    ASTERISK_COLUMN_ORDERS,
    FORMATS,
    ImportCounts,
    ImportOptions,
    RejectsFile,
    Submit,
    import_file,
)
from pegcount.store import EmbeddedStore
from pegcount.store.outside import require_outside

_COUNTS = ("rows", "accepted", "replaced", "duplicates", "rejected", "skipped")


def import_records(
    files: Annotated[list[Path], typer.Argument(help="Files to import.")],
    format_name: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")],
    source: Annotated[str, typer.Option(help="Name of the switch or feed that wrote the records.")],
    data: Annotated[Path | None, typer.Option(help="Data directory; created if it does not exist.")] = None,
    server: Annotated[str | None, typer.Option(help="HOST:PORT of a server to send the records to.")] = None,
    time_zone: Annotated[str, typer.Option(help="IANA zone of local times without a UTC offset.")] = "UTC",
    columns: Annotated[
        str, typer.Option(help=f"Column order of asterisk-csv: {', '.join(ASTERISK_COLUMN_ORDERS)}.")
    ] = "auto",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="field=value for every record; may be repeated.")
    ] = None,
    rejects: Annotated[Path, typer.Option(help="File for rejected rows.")] = Path("rejects.csv"),
) -> None:
    """Import call records from files into a data directory, or through a server into its directory.

    A file may be imported again, also after an interrupted import: each record counts once.
    Exits with 1 if any row was rejected.
    """
    with errors_as_exit_status():
        options = _options(source, time_zone, columns, settings or [])
        if data is not None:
            require_outside(data, rejects, "the rejected rows")
        config = Config()
        start_s = time.monotonic()
        with _target(data, server, config) as submit, RejectsFile(rejects) as rejects_file:
            counts = [_import(path, format_name, options, submit, rejects_file, config) for path in files]
        _report(files, counts, time.monotonic() - start_s)
        if any(count.rejected for count in counts):
            typer.echo(f"rejected rows: {rejects}", err=True)
            raise typer.Exit(REJECTED_STATUS)


def _options(source: str, time_zone: str, columns: str, settings: Sequence[str]) -> ImportOptions:
    zone = calendar.zone(time_zone)
    if zone is None:
        raise ImportFileError(f"--time-zone: {time_zone!r} is no IANA time zone, such as Europe/Berlin")
    if columns not in ASTERISK_COLUMN_ORDERS:
        raise ImportFileError(f"--columns: {columns!r} is none of {', '.join(ASTERISK_COLUMN_ORDERS)}")
    overrides = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ImportFileError(f"--set: {setting!r} is not of the form field=value")
        overrides[name] = value
    return ImportOptions(source, zone, columns, overrides)


@contextmanager
def _target(data: Path | None, server: str | None, config: Config) -> Iterator[Submit]:
    """Yields the function that submits batches to the data directory or the server."""
    if (data is None) == (server is None):
        raise ImportFileError("import needs one of --data DIR and --server HOST:PORT")
    if data is not None:
        with closing(EmbeddedStore(data, config, create=True)) as store:
            yield partial(store.submit, cancel_token=core.CancelToken(None))
            store.flush()
    if server is not None:
        with Client(server, config) as client, client.record_writer(config) as writer:
            yield writer.submit


def _import(
    path: Path,
    format_name: str,
    options: ImportOptions,
    submit: Submit,
    rejects: RejectsFile,
    config: Config,
) -> ImportCounts:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows_per_second]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        size = path.stat().st_size if path.is_file() else None
        task = bar.add_task(path.name, total=size, rows_per_second="")
        meter = _ProgressMeter(bar, task)
        return import_file(path, format_name, options, submit, rejects, meter.advance, config)


class _ProgressMeter:
    """Shows the progress of an import, and its rows per second."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self._start_s = time.monotonic()

    def advance(self, bytes_done: int, rows_done: int) -> None:
        """Shows the number of bytes read and the rate of rows."""
        rate = rows_done / max(time.monotonic() - self._start_s, 1e-9)
        self._bar.update(self._task, completed=bytes_done, rows_per_second=f"{rate:,.0f} rows/s")


def _report(files: Sequence[Path], counts: Sequence[ImportCounts], seconds: float) -> None:
    for path, count in zip(files, counts, strict=True):
        figures = ", ".join(f"{getattr(count, name):,} {name}" for name in _COUNTS)
        typer.echo(f"{path}: {figures}")
    rows = sum(count.rows for count in counts)
    typer.echo(f"{rows:,} rows in {seconds:.1f} s, {rows / max(seconds, 1e-9):,.0f} rows/s")
