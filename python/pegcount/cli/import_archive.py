"""`pegcount import --format pegcount-archive`: joins a whole store with another one."""

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pegcount.cli.connection import Connection
from pegcount.config import Config
from pegcount.errors import ArchiveError, StoreInUseError
from pegcount.store import EmbeddedStore, StoreLocation, opened
from pegcount.store.clickhouse import ClickHouseStore
from pegcount.store.moving.archive_file import VerifiedArchive
from pegcount.store.moving.moving import Moved, SettingCounts, take_archive


def import_archive(
    files: Sequence[Path], location: StoreLocation | None, server: Connection | None, options: Sequence[str]
) -> None:
    """Joins an archive with a store, and prints what became of its records and settings.

    Raises ArchiveError if the options, of which `options` are others that were given, or the file are
    wrong, and errors of the store.
    """
    if options:
        raise ArchiveError(f"pegcount-archive does not use {', '.join(options)}: an archive says all of it")
    if len(files) != 1:
        raise ArchiveError("import one archive at a time")
    if files == [Path("-")]:
        raise ArchiveError("an archive is read more than once: name its file in place of -")
    if location is None or server is not None:
        raise ArchiveError(
            "an archive is joined with the store itself: give --store DIR, of which no server is the owner"
            " meanwhile, or --store URL, beside running servers"
        )
    start_s = time.monotonic()
    moved = _take(files[0], location)
    _print(files[0], moved)
    seconds, count = time.monotonic() - start_s, moved.records.total
    typer.echo(f"{count:,} records in {seconds:.1f} s, {count / max(seconds, 1e-9):,.0f} records/s")


def _take(path: Path, location: StoreLocation) -> Moved:
    # Before a directory is made for it.
    archive, config = VerifiedArchive(path), Config()
    try:
        store = opened(location, config, create=location.directory is not None)
    except StoreInUseError as error:
        raise ArchiveError(f"{error}; stop that server, and start it again after the import") from error
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with closing(store), bar:
        assert isinstance(store, EmbeddedStore | ClickHouseStore), "the two stores that `opened` returns"
        task = bar.add_task(path.name, total=None)
        return take_archive(
            archive,
            store,
            store.archive_target(),
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def _print(path: Path, moved: Moved) -> None:
    records = moved.records
    typer.echo(
        f"{path}: {records.total:,} records: {records.added:,} added, {records.joined:,} joined with one"
        f" of the store, {records.unchanged:,} there already"
    )
    if records.deleted:
        typer.echo(f"left out: {records.deleted:,} records that a deletion covers")
    if records.before_retention:
        typer.echo(f"left out: {records.before_retention:,} records before the days that the store retains")
    for counts in moved.settings:
        if counts.taken or counts.there_already or counts.kept:
            typer.echo(f"{counts.kind}: {_described(counts)}")


def _described(counts: SettingCounts) -> str:
    parts = [f"{counts.taken} taken"] if counts.taken else []
    parts += [f"{counts.there_already} there already"] if counts.there_already else []
    if counts.kept:
        parts.append(f"the store keeps its own: {', '.join(counts.kept)}")
    return ", ".join(parts)
