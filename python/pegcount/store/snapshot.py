"""Consistent reads of a data directory while another process owns it.

The owner never changes a file that the catalogue names, and removes one only after the
catalogue has stopped naming it. A reader therefore opens the files that the catalogue
names, and starts over if one of them disappears meanwhile.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.store import files
from pegcount.store.catalog import Catalog
from pegcount.store.directory import fsync, prepare

# A reader gives up only if a flush or compaction finishes during every attempt.
_ATTEMPTS = 20


def open_snapshot(directory: Path, config: Config) -> core.Store:
    """Opens the records of a data directory at one instant, for reading.

    Raises StoreOpenError if the directory cannot be opened or changed during every attempt,
    and DataDamagedError if a file that every report depends on is missing or damaged.
    """
    prepare(directory, create=False)
    rollback_hot_journal(directory)
    for _ in range(_ATTEMPTS):
        try:
            with closing(Catalog(directory, read_only=True)) as catalog:
                first, named = catalog.setting("first_journal"), files.catalogued_files(catalog)
                engine = files.open_engine(directory, catalog, config)
                catalog.refresh()
                # If the catalogue still names a missing file, that is damage, which a scan of it reports.
                were_present = all((directory / file.name).is_file() for file in named)
                is_consistent = named == files.catalogued_files(catalog) or were_present
                if catalog.setting("first_journal") == first and is_consistent:
                    return engine
        except FileNotFoundError:
            _raise_if_missing(directory)
    raise _changed_too_often(directory)


def back_up(directory: Path, target: Path) -> list[Path]:
    """Copies a data directory to `target`, durably, and returns the files of the copy.

    Segments become hard links if both are on one file system, otherwise copies. The copy has
    every batch that was acknowledged before the call. If it fails, `target` is left empty.
    Raises StoreOpenError if `target` exists and is not an empty directory, or if `directory`
    cannot be read.
    """
    prepare(directory, create=False)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreOpenError(f"{target} is there already and not an empty directory")
    rollback_hot_journal(directory)
    for _ in range(_ATTEMPTS):
        target.mkdir(parents=True, exist_ok=True)
        try:
            return _copy(directory, target)
        except FileNotFoundError:
            _clear(target)
            _raise_if_missing(directory)
        except BaseException:
            _clear(target)
            raise
    raise _changed_too_often(directory)


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


def _copy(directory: Path, target: Path) -> list[Path]:
    with closing(Catalog(directory, read_only=True)) as catalog:
        first = catalog.setting("first_journal")
        names = [file.name for file in files.catalogued_files(catalog)]
        catalog.copy_to(target / "catalog.tmp")
        numbers = [number for number in core.journal_sequences(directory) if number >= (first or 0)]
        journal = [files.journal_name(number) for number in numbers]
        names += journal
        for name in names:
            _link_or_copy(directory / name, target / name)
        catalog.refresh()
        if catalog.setting("first_journal") != first:
            raise FileNotFoundError("a seal has emptied the journal meanwhile")
        # A new journal file exists before its first batch; the one before it may still have grown.
        for name in journal[:-1]:
            if (directory / name).stat().st_size != (target / name).stat().st_size:
                raise FileNotFoundError("the journal went on in another file meanwhile")
    copies = [target / "catalog.db", *(target / name for name in names)]
    for path in {parent for file in copies for parent in file.relative_to(target).parents}:
        fsync(target / path)
    # Last: without `catalog.db` an interrupted backup cannot be opened.
    os.replace(target / "catalog.tmp", target / "catalog.db")
    fsync(target)
    fsync(target.absolute().parent)
    return copies


def _clear(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _raise_if_missing(directory: Path) -> None:
    """Raises DataDamagedError if a file is missing that the catalogue still names."""
    with closing(Catalog(directory, read_only=True)) as catalog:
        missing = files.missing(directory, catalog)
        catalog.refresh()
        still_named = {file.name for file in files.catalogued_files(catalog)}
        for name in sorted(still_named.intersection(missing)):
            raise DataDamagedError(f"{directory / name} is missing", file=directory / name)


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".arrow":
        try:
            os.link(source, target)
            return
        except FileNotFoundError:
            raise
        except OSError:
            # `target` is on another file system, or on one without hard links.
            pass
    shutil.copyfile(source, target)
    fsync(target)


def _changed_too_often(directory: Path) -> StoreOpenError:
    return StoreOpenError(f"data directory {directory} changed at each of {_ATTEMPTS} attempts to read it")
