"""`pegcount import`."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pegcount import calendar, core
from pegcount.cli.exit_status import REJECTED_STATUS, errors_as_exit_status
from pegcount.cli.import_summary import print_calls, print_legs, print_summary
from pegcount.client import Client
from pegcount.config import Config
from pegcount.errors import ImportFileError
from pegcount.importers import (
    ASTERISK_ANSWERS,
    ASTERISK_CALLS,
    ASTERISK_COLUMN_ORDERS,
    FORMATS,
    FirstCalls,
    ImportCounts,
    ImportOptions,
    Pending,
    PreparedFile,
    RejectsFile,
    Submit,
    import_file,
    prepared_files,
)
from pegcount.store import EmbeddedStore, SourceRules
from pegcount.store.outside import require_outside

_ACCEPT_STORED_HELP = (
    "Take addresses and rounded numbers of pegcount-csv as they are: the file is an export of a directory"
    " that has them from a version which did not refuse them."
)


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
    calls: Annotated[
        str,
        typer.Option(
            help="What makes rows of asterisk-csv one call: linkedid, uniqueid or rows (each row is a call);"
            " auto is the linkedid if the rows have one, otherwise the uniqueid."
        ),
    ] = "auto",
    answered: Annotated[
        str,
        typer.Option(
            help="Whose answer counts in asterisk-csv: party (somebody who was called) or switch"
            " (any ANSWERED row)."
        ),
    ] = "party",
    report_calls: Annotated[
        int, typer.Option(min=0, help="Print the first N calls of each file with the rows they were made of.")
    ] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="field=value for every record; may be repeated.")
    ] = None,
    accept_stored: Annotated[bool, typer.Option("--accept-stored", help=_ACCEPT_STORED_HELP)] = False,
    rejects: Annotated[Path, typer.Option(help="File for rejected rows.")] = Path("rejects.csv"),
) -> None:
    """Import call records from files into a data directory, or through a server into its directory.

    A file may be imported again, also after an interrupted import: each record counts once.
    Exits with 1 if any row was rejected.
    """
    with errors_as_exit_status():
        options = _options(source, time_zone, columns, calls, answered, settings or [])
        _require_one_target(data, server)
        options = replace(options, accepts_stored=_accepts_stored(accept_stored, format_name))
        if data is not None:
            require_outside(data, rejects, "the rejected rows")
        config = Config()
        start_s = time.monotonic()
        reported = [FirstCalls(report_calls, config.reported_call_row_count_max) for _ in files]
        with (
            prepared_files(files, format_name, options) as prepared,
            _target(data, server, config, source, prepared) as submit,
            RejectsFile(rejects) as rejects_file,
        ):
            counts = [
                _import(file, format_name, options, submit, rejects_file, config, first_calls)
                for file, first_calls in zip(prepared, reported, strict=True)
            ]
        for file, count, first_calls in zip(prepared, counts, reported, strict=True):
            print_calls(first_calls.calls, options.zone, config)
            print_summary(file, count)
        print_legs(counts)
        rows, seconds = sum(count.rows for count in counts), time.monotonic() - start_s
        typer.echo(f"{rows:,} rows in {seconds:.1f} s, {rows / max(seconds, 1e-9):,.0f} rows/s")
        if any(count.rejected for count in counts):
            typer.echo(f"rejected rows: {rejects}", err=True)
            raise typer.Exit(REJECTED_STATUS)


def _options(
    source: str, time_zone: str, columns: str, calls: str, answered: str, settings: Sequence[str]
) -> ImportOptions:
    zone = calendar.zone(time_zone)
    if zone is None:
        raise ImportFileError(f"--time-zone: {time_zone!r} is no IANA time zone, such as Europe/Berlin")
    for name, value, values in (
        ("--columns", columns, ASTERISK_COLUMN_ORDERS),
        ("--calls", calls, ASTERISK_CALLS),
        ("--answered", answered, ASTERISK_ANSWERS),
    ):
        if value not in values:
            raise ImportFileError(f"{name}: {value!r} is none of {', '.join(values)}")
    overrides = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ImportFileError(f"--set: {setting!r} is not of the form field=value")
        overrides[name] = value
    return ImportOptions(source, zone, columns, calls, answered, overrides)


def _accepts_stored(accept_stored: bool, format_name: str) -> bool:
    if accept_stored and format_name != "pegcount-csv":
        raise ImportFileError("--accept-stored is for pegcount-csv, which pegcount export writes")
    return accept_stored


def _require_one_target(data: Path | None, server: str | None) -> None:
    if (data is None) == (server is None):
        raise ImportFileError("import needs one of --data DIR and --server HOST:PORT")


@contextmanager
def _target(
    data: Path | None, server: str | None, config: Config, source: str, files: Sequence[PreparedFile]
) -> Iterator[Submit]:
    """Yields the function that submits batches to the data directory or the server."""
    if data is not None:
        rule = next((file.rule for file in files if file.rule is not None), None)
        with closing(EmbeddedStore(data, config, create=True)) as store:
            yield _Directory(store, source, rule).submit
            store.flush()
    if server is not None:
        with Client(server, config) as client, client.record_writer(config) as writer:
            yield writer.submit


class _Directory:
    """Submits batches to a data directory, by the rule that makes their calls if there is one."""

    def __init__(self, store: EmbeddedStore, source: str, rule: str | None) -> None:
        self._store = store
        self._source = source
        self._rule = rule
        self._rules = SourceRules(store)
        self._cancel_token = core.CancelToken(None)

    def submit(self, batch: bytes) -> Pending:
        """Submits a batch; raises SourceRuleError, and as `EmbeddedStore.submit` does."""
        if self._rule is None:
            return self._store.submit(batch, self._cancel_token)
        return self._rules.submit(batch, self._source, self._rule, self._cancel_token)


def _import(
    file: PreparedFile,
    format_name: str,
    options: ImportOptions,
    submit: Submit,
    rejects: RejectsFile,
    config: Config,
    first_calls: FirstCalls,
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
        size = file.path.stat().st_size if file.path.is_file() else None
        task = bar.add_task(file.path.name, total=size, rows_per_second="")
        meter = _ProgressMeter(bar, task)
        return import_file(file, format_name, options, submit, rejects, meter.advance, config, first_calls)


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
