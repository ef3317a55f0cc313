"""`pegcount import`."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pegcount import core
from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import REJECTED_STATUS, errors_as_exit_status
from pegcount.cli.import_archive import import_archive
from pegcount.cli.import_dry_run import DryRun, print_dry_run
from pegcount.cli.import_format import FoundFormat, found_format
from pegcount.cli.import_options import (
    AcceptStored,
    Answered,
    Calls,
    Columns,
    Correct,
    DryRunFlag,
    Encoding,
    Files,
    FinalLine,
    FormatName,
    MappingName,
    Rejects,
    ReportCalls,
    Settings,
    Source,
    TimeZone,
    import_options,
)
from pegcount.cli.import_summary import (
    print_calls,
    print_dry_summary,
    print_rejected,
    print_skipped,
    print_summary,
)
from pegcount.cli.import_zone import check_zone, zone_sentences
from pegcount.cli.store_option import TargetStore
from pegcount.config import Config
from pegcount.errors import ImportFileError, StoreInUseError
from pegcount.importers import (
    ARCHIVE,
    FirstCalls,
    ImportCounts,
    ImportOptions,
    InputPaths,
    Pending,
    PreparedFile,
    RejectsFile,
    Submit,
    TakeRecord,
    default_rejects,
    format_named,
    import_file,
    input_paths,
    prepared_files,
    require_used,
)
from pegcount.store import EmbeddedStore, SourceRules, Store, StoreLocation, opened
from pegcount.store.outside import require_outside
from pegcount.v1.records_pb2 import SessionRecord


@calls_server(default_address=None, has_timeout=False)
def import_records(
    files: Files,
    format_name: FormatName,
    source: Source = None,
    store: TargetStore = None,
    server: Connection | None = None,
    time_zone: TimeZone = None,
    encoding: Encoding = None,
    final_line: FinalLine = False,
    columns: Columns = None,
    calls: Calls = None,
    answered: Answered = None,
    mapping: MappingName = None,
    report_calls: ReportCalls = 0,
    settings: Settings = None,
    accept_stored: AcceptStored = False,
    correct: Correct = False,
    dry_run: DryRunFlag = False,
    rejects: Rejects = None,
) -> None:
    """Import call records from files into a store: a data directory, a cluster, or that of a server.

    A file may be imported again, also after an interrupted import: each record counts once. An option that
    a format does not use is refused. An archive is joined with the store: its records with all their
    versions, and its settings. With --correct, rows replace what is stored of their calls. Exits with 1 if
    any row was rejected, or if the rest of a compressed file is damaged.
    """
    given = {
        "--time-zone": time_zone,
        "--encoding": encoding,
        "--final-line": final_line or None,
        "--columns": columns,
        "--calls": calls,
        "--answered": answered,
        "--mapping": mapping,
        "--report-calls": report_calls or None,
        "--set": settings,
        "--accept-stored": accept_stored or None,
    }
    of_rows = {"--source": source, "--rejects": rejects, "--correct": correct, "--dry-run": dry_run}
    with (
        errors_as_exit_status(),
        found_format(format_name, mapping, files, rejects, encoding, final_line, settings) as found,
    ):
        format_name, mapping = found.name, found.mapping_name
        if format_name == ARCHIVE:
            options = [name for name, value in {**given, **of_rows}.items() if value]
            import_archive(files, store, server, options)
            return
        require_used(format_name, [name for name, value in given.items() if value is not None])
        if source is None:
            raise ImportFileError(f"--format {format_name} needs --source, the switch or feed of the records")
        row_options = import_options(
            source,
            time_zone,
            encoding,
            final_line,
            columns,
            calls,
            answered,
            settings or [],
            accept_stored,
            correct,
            mapping,
        )
        _require_target(store, server, dry_run)
        dry = DryRun(Config()) if dry_run else None
        is_zone_given = time_zone is not None or row_options.states_zone
        run = _Run(format_name, row_options, is_zone_given, report_calls, dry)
        _import_files(run, files, rejects, found, store, server)


@dataclass(frozen=True, slots=True)
class _Run:
    """An import of files into one target."""

    format_name: str
    options: ImportOptions
    is_zone_given: bool
    report_calls: int
    dry_run: DryRun | None
    """Takes the batches in place of a store, if given."""

    def import_all(
        self,
        arguments: Sequence[InputPaths],
        spools: Mapping[Path, BinaryIO],
        store: StoreLocation | None,
        server: Connection | None,
        rejects: RejectsFile,
    ) -> list[ImportCounts]:
        """Imports the files of arguments, and prints what became of them."""
        options, config = self.options, Config()
        paths = [file for argument in arguments for file in argument.files]
        reported = [FirstCalls(self.report_calls, config.reported_call_row_count_max) for _ in paths]
        start_s = time.monotonic()
        with prepared_files(paths, self.format_name, options, spools) as prepared:
            zone_problems = check_zone(prepared, options.zone, self.is_zone_given)
            with self._target(store, server, config, prepared) as submit:
                counts = [
                    self._counts(file, submit, rejects, config, first_calls, is_only=len(paths) == 1)
                    for file, first_calls in zip(prepared, reported, strict=True)
                ]
        takes_encoding = "--encoding" in format_named(self.format_name).options
        imported = zip(prepared, counts, reported, strict=True)
        print_figures = print_summary if self.dry_run is None else print_dry_summary
        for argument in arguments:
            files = list(islice(imported, len(argument.files)))
            for _, _, first_calls in files:
                print_calls(first_calls.calls, options, config)
            print_figures(argument, [(file, count) for file, count, _ in files], options, takes_encoding)
        print_skipped(counts)
        with_records = [file for file, count in zip(prepared, counts, strict=True) if count.valid]
        if self.dry_run is None:
            zone_problems += zone_sentences(with_records, options.zone, self.is_zone_given)
        for sentence in zone_problems:
            typer.echo(sentence)
        if self.dry_run is not None:
            print_dry_run(self.dry_run, options.zone, self.is_zone_given, options.corrects)
        rows, seconds = sum(count.rows for count in counts), time.monotonic() - start_s
        typer.echo(f"{rows:,} rows in {seconds:.1f} s, {rows / max(seconds, 1e-9):,.0f} rows/s")
        return counts

    def _counts(
        self,
        file: PreparedFile,
        submit: Submit,
        rejects: RejectsFile,
        config: Config,
        first_calls: FirstCalls,
        is_only: bool,
    ) -> ImportCounts:
        """Imports a file; one of several that cannot be read does not keep back the others."""
        try:
            take_record = self._take_record(file, first_calls)
            return _import(file, self.format_name, self.options, submit, rejects, config, take_record)
        except ImportFileError as error:
            if is_only:
                raise
            problem = str(error).removeprefix(f"{file.path}: ")
            return ImportCounts(0, 0, 0, 0, 0, 0, damage=f"its import stopped: {problem}")

    def _take_record(self, file: PreparedFile, first_calls: FirstCalls) -> TakeRecord:
        dry_run = self.dry_run
        if dry_run is None:
            return first_calls.take

        def take(line: int, record: SessionRecord) -> None:
            first_calls.take(line, record)
            dry_run.take(str(file.path), line, record)

        return take

    def _target(
        self,
        store: StoreLocation | None,
        server: Connection | None,
        config: Config,
        files: Sequence[PreparedFile],
    ) -> AbstractContextManager[Submit]:
        if self.dry_run is not None:
            return nullcontext(self.dry_run.submit)
        return _target(store, server, config, self.options.source, files)


def _import_files(
    run: _Run,
    files: Sequence[Path],
    rejects: Path | None,
    found: FoundFormat,
    store: StoreLocation | None,
    server: Connection | None,
) -> None:
    """Imports files and prints what was rejected; raises typer.Exit if anything was."""
    rejects = default_rejects(files) if rejects is None else rejects
    if store is not None and store.directory is not None:
        require_outside(store.directory, rejects, "the rejected rows")
    with RejectsFile(rejects, Config()) as rejects_file:
        named = _named_files(files, rejects) if found.arguments is None else found.arguments
        counts = run.import_all(named, found.spools, store, server, rejects_file)
    print_rejected(rejects_file, sum(count.rows for count in counts), Config())
    if any(count.rejected or count.damage for count in counts):
        raise typer.Exit(REJECTED_STATUS)


def _named_files(arguments: Sequence[Path], rejects: Path) -> list[InputPaths]:
    """Returns the files that arguments name; prints how many those of each directory or glob are."""
    named = input_paths(arguments, rejects)
    for found in named:
        if not found.is_single:
            typer.echo(f"{found.argument}: {len(found.files):,} files")
    return named


def _require_target(store: StoreLocation | None, server: Connection | None, dry_run: bool) -> None:
    """A dry run needs no target, and does not look at one that is given."""
    if store is None and server is None and not dry_run:
        raise ImportFileError("import needs one of --store DIR|URL and --server HOST:PORT")


@contextmanager
def _target(
    location: StoreLocation | None,
    server: Connection | None,
    config: Config,
    source: str,
    files: Sequence[PreparedFile],
) -> Iterator[Submit]:
    """Yields the function that submits batches to the store or the server."""
    if location is not None:
        rule = next((file.rule for file in files if file.rule is not None), None)
        with closing(_opened(location, config)) as store:
            yield _OpenStore(store, source, rule).submit
            if isinstance(store, EmbeddedStore):
                store.flush()
    if server is not None:
        with server.client(config) as client, client.batch_writer(config) as writer:
            yield writer.submit


def _opened(location: StoreLocation, config: Config) -> Store:
    try:
        return opened(location, config, create=location.directory is not None)
    except StoreInUseError as error:
        raise ImportFileError(f"{error}; import through a server that owns it with --server") from error


class _OpenStore:
    """Submits batches to a store, by the rule that makes their calls if there is one."""

    def __init__(self, store: Store, source: str, rule: str | None) -> None:
        self._store = store
        self._source = source
        self._rule = rule
        self._rules = SourceRules(store)
        self._cancel_token = core.CancelToken(None)

    def submit(self, batch: bytes) -> Pending:
        """Submits a batch; raises SourceRuleError, and as `Store.submit` does."""
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
    take_record: TakeRecord,
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
        return import_file(file, format_name, options, submit, rejects, meter.advance, config, take_record)


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
