"""A data directory as it is at one instant, read beside the process that owns it.

Whoever owns a directory never changes a file that its catalogue names; it only removes
some after it told the catalogue. So a reader takes what a catalogue names, and begins
again where a file went away meanwhile.
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

# A seal or merge has to finish in the middle of every one of these for a reader to give up.
_ATTEMPTS = 20


def open_snapshot(directory: Path, config: Config) -> core.Store:
    """The records of a data directory, for reading.

    Raises StoreOpenError or DataDamagedError where it cannot be read.
    """
    prepare(directory, create=False)
    rollback_hot_journal(directory)
    for _ in range(_ATTEMPTS):
        try:
            with closing(Catalog(directory, read_only=True)) as catalog:
                first, named = catalog.setting("first_journal"), files.catalogued_files(catalog)
                engine = files.open_engine(directory, catalog, config)
                catalog.refresh()
                # A missing file that the catalogue goes on to name is damage, told when it is needed.
                were_present = all((directory / file.name).is_file() for file in named)
                is_consistent = named == files.catalogued_files(catalog) or were_present
                if catalog.setting("first_journal") == first and is_consistent:
                    return engine
        except FileNotFoundError:
            _raise_if_missing(directory)
    raise _changed_too_often(directory)


def back_up(directory: Path, target: Path) -> list[Path]:
    """Makes `target` a data directory with what `directory` holds; gives its files.

    Segments become hard links where both are on one file system, else copies. Whatever
    was acknowledged before the call is in it, durably; nothing is left where it fails.
    Raises StoreOpenError where there is something at `target` already, or `directory`
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
    """Rolls back what a crash left half done in the catalogue, as its next owner would.

    Who may only read cannot. SQLite leaves alone what a process is still at.
    """
    path = directory / "catalog.db"
    # What is wrong with a file is told by whoever opens it as a catalogue.
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
        # A file is made before it is used: the one before it may have gone on after it was copied.
        for name in journal[:-1]:
            if (directory / name).stat().st_size != (target / name).stat().st_size:
                raise FileNotFoundError("the journal went on in another file meanwhile")
    copies = [target / "catalog.db", *(target / name for name in names)]
    for path in {parent for file in copies for parent in file.relative_to(target).parents}:
        fsync(target / path)
    # Last, because without it nothing is opened: a backup that broke off is not taken for a whole one.
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
    """Raises DataDamagedError where a file is missing that the catalogue goes on to name."""
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
            # Another file system, or one without links.
            pass
    shutil.copyfile(source, target)
    fsync(target)


def _changed_too_often(directory: Path) -> StoreOpenError:
    return StoreOpenError(f"data directory {directory} changed at each of {_ATTEMPTS} attempts to read it")
