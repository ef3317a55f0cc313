"""Consistent reads of a data directory while another process owns it.

The owner never changes a file that the catalogue names, and removes one only while no reader holds the lock
of the readers. A reader therefore takes the lock, reads the catalogue once, then opens or copies the files
that it names and the journal. Batches that come meanwhile may be in what it reads, as a whole.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.errors import DataDamagedError, NoSpaceError, StoreOpenError
from pegcount.store import files
from pegcount.store.catalog import Catalog
from pegcount.store.directory import fsync, journal_name, prepare
from pegcount.store.file_copy import FileCopier, free_bytes, is_disk_full
from pegcount.store.modes import DIRECTORY_MODE, FILE_MODE, READ_ONLY_FILE_MODE, make_directory
from pegcount.store.outside import require_outside
from pegcount.store.readers import DEFAULT_CONFIG, reading

_NEW_CATALOG = "catalog.tmp"


def open_snapshot(directory: Path, config: Config) -> core.Engine:
    """Opens the records of a data directory at one instant, for reading.

    It has every batch that was acknowledged before the call. Raises StoreOpenError if the directory cannot
    be opened, and DataDamagedError if a file that every report depends on is missing or damaged.
    """
    prepare(directory, create=False)
    rollback_hot_journal(directory)
    with reading(directory, config), closing(Catalog(directory, read_only=True)) as catalog:
        files.require_no_missing_files(directory, catalog)
        engine = files.open_engine(directory, catalog, config)
        engine.retire_segments()
        return engine


def back_up(
    directory: Path,
    target: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    config: Config = DEFAULT_CONFIG,
) -> list[Path]:
    """Copies a data directory to `target`, durably, and returns the files of the copy.

    The files of the copy are independent of the originals. Where the file system can clone files, they take
    no space until one of the two is changed. The copy has every batch that was acknowledged before the call.
    `on_progress` gets the bytes copied and those of all files. If it fails, nothing is left: an empty
    `target` is empty again, a missing one missing. Raises NoSpaceError if the copy does not fit,
    StoreOpenError if `target` exists and is not an empty directory, or is in `directory`, or if that cannot
    be read, and DataDamagedError if a file is missing.
    """
    prepare(directory, create=False)
    require_outside(directory, target, "the backup")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreOpenError(f"{target} is there already and not an empty directory")
    rollback_hot_journal(directory)
    with reading(directory, config), closing(Catalog(directory, read_only=True)) as catalog:
        plan = _plan(directory, catalog)
        made: list[Path] = []
        try:
            _make_directories(target, made)
            return _copy(directory, catalog, plan, target, on_progress)
        except BaseException as error:
            _clear(target, made)
            if is_disk_full(error):
                raise _no_space(target, plan, error) from error
            raise


def rollback_hot_journal(directory: Path) -> None:
    """Rolls back a catalogue transaction that a crash interrupted, as the next owner would.

    A read-only connection cannot do so. SQLite does not touch the journal of a transaction
    that another process has in progress.
    """
    path = directory / "catalog.db"
    # Errors are ignored here: opening the catalogue afterwards reports them.
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as db,
    ):
        db.execute("PRAGMA user_version").fetchone()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a backup copies beside the catalogue."""

    names: list[str]
    byte_count: int
    """Bytes of the files and of the catalogue."""


def _plan(directory: Path, catalog: Catalog) -> _Plan:
    # The newest file comes first: a batch in it is younger than all batches of the file before it, which
    # may still grow while it is the newest but one, and is complete once the newest has a batch. A file that
    # the catalogue does not name yet has no batch that was acknowledged before.
    journals = [journal_name(number) for number in reversed(files.journals_to_read(directory, catalog))]
    names = [*journals, *sorted(files.catalogued_names(catalog))]
    sizes = [_size(directory, name) for name in ("catalog.db", *names)]
    return _Plan(names, sum(sizes))


def _size(directory: Path, name: str) -> int:
    try:
        return (directory / name).stat().st_size
    except FileNotFoundError as error:
        raise DataDamagedError(f"{name} is missing", file=name) from error


def _make_directories(target: Path, made: list[Path]) -> None:
    """Makes a directory and those above it; adds those that were missing to `made`, the deepest first."""
    if target.exists():
        return
    _make_directories(target.parent, made)
    target.mkdir(mode=DIRECTORY_MODE)
    made.insert(0, target)
    fsync(target.parent)


def _copy(
    directory: Path, catalog: Catalog, plan: _Plan, target: Path, on_progress: Callable[[int, int], None]
) -> list[Path]:
    copier = FileCopier(plan.byte_count, on_progress)
    for name in plan.names:
        copy = target / name
        for parent in (copy.parent.parent, copy.parent):
            if parent != target:
                make_directory(parent)
        copier.copy(directory / name, copy, FILE_MODE if copy.suffix == ".log" else READ_ONLY_FILE_MODE)
    catalog.copy_to(target / _NEW_CATALOG)
    (target / _NEW_CATALOG).chmod(FILE_MODE)
    # A directory that belongs to another user, such as a mount point, keeps its mode.
    with suppress(PermissionError):
        target.chmod(DIRECTORY_MODE)
    for parent in {parent for name in plan.names for parent in Path(name).parents}:
        fsync(target / parent)
    # Last: without `catalog.db` an interrupted backup cannot be opened.
    os.replace(target / _NEW_CATALOG, target / "catalog.db")
    fsync(target)
    return [target / "catalog.db", *(target / name for name in plan.names)]


def _clear(target: Path, made: list[Path]) -> None:
    """Removes what a failed backup has made."""
    for path in target.iterdir() if target.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for directory in made:
        directory.rmdir()


def _no_space(target: Path, plan: _Plan, error: BaseException) -> NoSpaceError:
    place = next(path for path in (target, *target.absolute().parents) if path.is_dir())
    free = free_bytes(place)
    return NoSpaceError(
        f"the backup to {target} needs {plan.byte_count:,} bytes, of which {free:,} are free: {error}"
    )
