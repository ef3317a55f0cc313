"""The files of a data directory, compared with those that its catalogue names."""

from collections.abc import Iterable
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.core import ManifestEntry
from pegcount.errors import DataDamagedError
from pegcount.store.catalog import Catalog

_PATTERNS = ("segments/*/*", "active/*")


def catalogued_files(catalog: Catalog) -> list[ManifestEntry]:
    """Returns the segments and active snapshots that the catalogue names."""
    return [segment.file for segment in catalog.segments()] + catalog.active()


def missing(directory: Path, catalog: Catalog) -> list[str]:
    """Returns the names of files that the catalogue names and that do not exist."""
    return [file.name for file in catalogued_files(catalog) if not (directory / file.name).is_file()]


def orphans(directory: Path, catalog: Catalog) -> list[Path]:
    """Returns the files that the catalogue does not name, left by a crash or a failed flush."""
    known = {directory / file.name for file in catalogued_files(catalog)}
    return sorted(path for pattern in _PATTERNS for path in directory.glob(pattern) if path not in known)


def require_active_snapshot(directory: Path, catalog: Catalog) -> None:
    """Raises DataDamagedError if an active snapshot is missing, as every report depends on it."""
    for file in catalog.active():
        if not (directory / file.name).is_file():
            raise DataDamagedError(f"{file.name} is missing", file=file.name)


def journal_name(number: int) -> str:
    """Returns the path of a journal file, relative to the data directory."""
    return f"journal/{number:08}.log"


def flushed_journal(directory: Path, catalog: Catalog) -> list[Path]:
    """Returns the journal files whose batches are all in segments or in the active snapshot."""
    first = catalog.setting("first_journal") or 0
    numbers = [number for number in core.journal_sequences(directory) if number < first]
    return [directory / journal_name(number) for number in numbers]


def remove(paths: Iterable[Path]) -> None:
    """Removes those of the files that exist."""
    for path in paths:
        path.unlink(missing_ok=True)


def open_engine(directory: Path, catalog: Catalog, config: Config) -> core.Store:
    """Opens the engine over a data directory and replays the journal.

    Raises DataDamagedError if an active snapshot or a journal file is damaged, as every
    report depends on these. A damaged segment raises it when a report needs its day.
    """
    engine = core.Store(directory, config)
    settings = catalog.settings()
    for segment in catalog.segments():
        damaged = damage_setting(segment.file.name) in settings
        engine.open_segment(segment.day, segment.file, segment.tombstones, damaged)
    for file in catalog.active():
        engine.open_active_snapshot(file)
    engine.replay(settings.get("first_journal", 0))
    return engine


def damage_setting(name: str) -> str:
    """Returns the name of the setting that excludes a segment from reports for good.

    It is set if a flush added records to the day of a segment that could not be read. Its
    keys were not compared with theirs, so a repaired file could count a record twice.
    """
    return f"damaged {name}"
