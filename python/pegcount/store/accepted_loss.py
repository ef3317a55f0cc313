"""Accepted losses: going on without files that are missing, damaged or newer than the catalogue.

Nothing is deleted: what is there of such a file moves into the folder `lost` of the data directory.
"""

import itertools
import logging
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pegcount import core
from pegcount.errors import PegcountError, StoreOpenError
from pegcount.store import files
from pegcount.store.catalog import Catalog
from pegcount.store.directory import fsync, journal_name
from pegcount.store.modes import make_directory

_LOG = logging.getLogger(__name__)

_JOURNAL = re.compile(r"journal/0*(\d+)(\.log)?")


def accept_losses(directory: Path, catalog: Catalog, names: Sequence[str]) -> None:
    """Goes on without these files, by their names in the data directory.

    Raises StoreOpenError, and changes nothing, if the catalogue needs one of them and it is whole. Raises
    StoreReadOnlyError or OSError if the loss cannot be made durable.
    """
    _require_losses(directory, catalog, names)
    for name in names:
        if found := _JOURNAL.fullmatch(name):
            _accept_journal(directory, catalog, int(found[1]))
        elif name in {file.name for file in files.catalogued_files(catalog)}:
            catalog.forget_file(name)
            _give_up(directory, name)
        elif name in {each.name for each in files.problems(directory, catalog)}:
            _give_up(directory, name)
        else:
            _log_unknown(name)


def move_aside(directory: Path, paths: Iterable[Path]) -> None:
    """Moves files of a data directory into its folder `lost`, durably. Raises OSError."""
    for source in paths:
        target = _free(directory / "lost" / source.relative_to(directory))
        make_directory(target.parent)
        os.replace(source, target)
        for folder in {source.parent, target.parent, target.parent.parent, directory}:
            fsync(folder)


def _free(path: Path) -> Path:
    """Returns the path, or else with `.1`, `.2` and so on after it: numbers of lost files are given again."""
    names = itertools.chain([path.name], (f"{path.name}.{number}" for number in itertools.count(1)))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def _require_losses(directory: Path, catalog: Catalog, names: Sequence[str]) -> None:
    for name in names:
        try:
            is_whole = _is_whole(directory, catalog, name)
        except (PegcountError, OSError):
            # It is missing or damaged.
            continue
        if is_whole:
            raise StoreOpenError(f"{name} is whole; start without --accept-loss-of {name}")


def _is_whole(directory: Path, catalog: Catalog, name: str) -> bool:
    """Reads a file that the catalogue names; returns whether it names one. Raises if it is damaged."""
    if found := _JOURNAL.fullmatch(name):
        if int(found[1]) not in files.journals_to_replay(catalog):
            return False
        core.check_journal(directory, int(found[1]))
        return True
    entries = [file for file in files.catalogued_files(catalog) if file.name == name]
    for entry in entries:
        core.check_file(directory, entry)
    # A segment that is excluded for good is of no use although somebody has repaired it.
    return bool(entries) and files.damage_setting(name) not in catalog.settings()


def _accept_journal(directory: Path, catalog: Catalog, number: int) -> None:
    name = journal_name(number)
    if number in files.journals_to_replay(catalog):
        # The batches before the damaged one are read all the same.
        catalog.accept_loss_of_journal(number)
        _LOG.warning("going on without the records that only %s had", name)
    elif name in {each.name for each in files.problems(directory, catalog)}:
        if (directory / name).is_file():
            _give_up(directory, name)
        else:
            catalog.accept_loss_of_journal(number)
    elif number not in catalog.journals():
        _log_unknown(name)


def _log_unknown(name: str) -> None:
    # Also an option that was left in a unit file: by the next start, the loss is forgotten.
    _LOG.warning("nothing of %s was given up: the catalogue names no such file", name)


def _give_up(directory: Path, name: str) -> None:
    if (directory / name).is_file():
        move_aside(directory, [directory / name])
    _LOG.warning("going on without the records that only %s had; what was there of it is in lost/", name)
