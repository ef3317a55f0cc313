"""The files of a data directory, as its catalogue names them."""

from collections.abc import Iterable
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.core import ManifestEntry
from pegcount.errors import DataDamagedError
from pegcount.store.catalog import Catalog

_PATTERNS = ("segments/*/*", "active/*")


def catalogued_files(catalog: Catalog) -> list[ManifestEntry]:
    """The files that the catalogue names."""
    return [segment.file for segment in catalog.segments()] + catalog.active()


def missing(directory: Path, catalog: Catalog) -> list[str]:
    """Files that the catalogue names and that are not there."""
    return [file.name for file in catalogued_files(catalog) if not (directory / file.name).is_file()]


def orphans(directory: Path, catalog: Catalog) -> list[Path]:
    """Files that the catalogue does not name: what a crash or a failed seal left behind."""
    known = {directory / file.name for file in catalogued_files(catalog)}
    return sorted(path for pattern in _PATTERNS for path in directory.glob(pattern) if path not in known)


def require_active(directory: Path, catalog: Catalog) -> None:
    """Raises DataDamagedError for a missing copy of active sessions, on which every report depends."""
    for file in catalog.active():
        if not (directory / file.name).is_file():
            raise DataDamagedError(f"{directory / file.name} is missing", file=directory / file.name)


def journal_name(number: int) -> str:
    """Name of a journal file within the data directory."""
    return f"journal/{number:08}.log"


def drop_old_journal(directory: Path, catalog: Catalog) -> None:
    """Removes the journal files whose batches are in segments and in the copy of the active sessions."""
    first = catalog.setting("first_journal") or 0
    numbers = [number for number in core.journal_sequences(directory) if number < first]
    remove(directory / journal_name(number) for number in numbers)


def remove(paths: Iterable[Path]) -> None:
    """Removes files, if they are there."""
    for path in paths:
        path.unlink(missing_ok=True)


def open_engine(directory: Path, catalog: Catalog, config: Config) -> core.Store:
    """The engine over a data directory, with what is in its journal.

    A segment that cannot be opened raises DataDamagedError when a report needs its day;
    a copy of the active sessions or a journal file, on which every report depends, now.
    """
    engine = core.Store(directory, config.batch_row_count_max, config.waiting_bytes_max)
    settings = catalog.settings()
    for segment in catalog.segments():
        damaged = damage_setting(segment.file.name) in settings
        engine.open_segment(segment.day, segment.file, segment.tombstones, damaged)
    for file in catalog.active():
        engine.open_active_snapshot(file)
    engine.replay(settings.get("first_journal", 0))
    return engine


def damage_setting(name: str) -> str:
    """The setting that says of a segment that records were sealed beside it while it could not be read.

    Records of its day could not be compared with its own, so it is not to be read again
    even where its file is whole again.
    """
    return f"damaged {name}"
