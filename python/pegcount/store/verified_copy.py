"""Looks for damage in a backup, which a copy takes along from the original."""

from contextlib import closing
from pathlib import Path

from pegcount import core
from pegcount.errors import PegcountError
from pegcount.store import files
from pegcount.store.catalog import Catalog


def damage_of_copy(copy: Path) -> list[str]:
    """Reads the segments, active snapshots and journal of a backup; returns a sentence for each damaged file.

    Unlike `check.check`, it neither locks the copy nor replays its journal. Raises StoreOpenError or
    DataDamagedError if its catalogue cannot be read.
    """
    found = []
    with closing(Catalog(copy, read_only=True)) as catalog:
        for entry in files.catalogued_files(catalog):
            try:
                core.check_file(copy, entry)
            except (PegcountError, OSError) as error:
                found.append(str(error))
        for number in files.journals_to_replay(catalog):
            try:
                core.check_journal(copy, number)
            except (PegcountError, OSError) as error:
                found.append(str(error))
    return found
