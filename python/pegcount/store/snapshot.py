"""A data directory as it is at one instant, read beside the process that owns it.

Whoever owns a directory never changes a file that its catalogue names; it only removes
some after it told the catalogue. So a reader takes what a catalogue names, and begins
again where a file went away meanwhile.
"""

import os
import shutil
from contextlib import closing
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.errors import StoreOpenError
from pegcount.store import files
from pegcount.store.catalog import Catalog
from pegcount.store.directory import flush, prepare

# A seal or merge has to finish in the middle of every one of these for a reader to give up.
_ATTEMPTS = 20


def open_snapshot(directory: Path, config: Config) -> core.Store:
    """The records of a data directory, for reading.

    Raises StoreOpenError or DataDamagedError where it cannot be read.
    """
    prepare(directory, create=False)
    for _ in range(_ATTEMPTS):
        try:
            with closing(Catalog(directory, read_only=True)) as catalog:
                first = catalog.setting("first_journal")
                columns = files.loaded(directory, catalog, config)
                catalog.refresh()
                if catalog.setting("first_journal") == first and not files.missing(directory, catalog):
                    return columns
        except FileNotFoundError:
            continue
    raise _restless(directory)


def back_up(directory: Path, target: Path) -> list[Path]:
    """Makes `target` a data directory with what `directory` holds; gives its files.

    Segments become hard links where both are on one file system, else copies. Whatever
    was acknowledged before the call is in it, durably. Raises StoreOpenError where there
    is something at `target` already, or `directory` cannot be read.
    """
    prepare(directory, create=False)
    if target.exists() and any(target.iterdir()):
        raise StoreOpenError(f"{target} is there already and not empty")
    for _ in range(_ATTEMPTS):
        try:
            return _copied(directory, target)
        except FileNotFoundError:
            shutil.rmtree(target)
    raise _restless(directory)


def _copied(directory: Path, target: Path) -> list[Path]:
    target.mkdir(parents=True, exist_ok=True)
    with closing(Catalog(directory, read_only=True)) as catalog:
        catalog.copy_to(target / "catalog.db")
        with closing(Catalog(target, read_only=True)) as copy:
            first = copy.setting("first_journal")
            names = [file.name for file in files.catalogued(copy)]
        names += [
            f"journal/{number:08}.log"
            for number in core.journal_sequences(directory)
            if number >= (first or 0)
        ]
        for name in names:
            _bring(directory / name, target / name)
        catalog.refresh()
        if catalog.setting("first_journal") != first:
            raise FileNotFoundError("a seal has emptied the journal meanwhile")
    made = [target / "catalog.db", *(target / name for name in names)]
    for path in {parent for file in made for parent in file.relative_to(target).parents}:
        flush(target / path)
    flush(target.parent)
    return made


def _bring(source: Path, target: Path) -> None:
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
    flush(target)


def _restless(directory: Path) -> StoreOpenError:
    return StoreOpenError(f"data directory {directory} changed at each of {_ATTEMPTS} attempts to read it")
