"""The files of a data directory, compared with those that its catalogue names."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pegcount import core
from pegcount.config import Config
from pegcount.core import ManifestEntry
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.store.catalog import Catalog
from pegcount.store.directory import journal_name
from pegcount.store.scrubbing import scrubbing_of

NUMBERS_PER_GENERATION = 10**9
"""A file has a number of at least the generation that was begun for it times this."""
_NUMBERS_PER_RESERVATION = 1_000
_PATTERNS = ("segments/*/*", "active/*", "decks/*")
# Other files are not the store's own.
_OWN_NAME = re.compile(r"(\d+)\.(arrow|tmp|json\.zlib)")
_MISSING = "is missing"
_NAMES_PER_ERROR = 5


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A file that prevents a start, and why."""

    name: str
    """Path within the data directory."""
    problem: str


class FileNumbers:
    """Numbers for new files, which no file of the directory has. Thread-safe."""

    def __init__(self, directory: Path, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = Lock()
        named = [Path(name) for name in catalogued_names(catalog)]
        self._next = 1 + max((_number(path) for path in (*named, *_own_files(directory))), default=0)

    def reserve(self) -> int:
        """Reserves 1,000 numbers of a new generation, and returns the first. Raises StoreReadOnlyError."""
        return self.reserve_each(1)[0]

    def reserve_each(self, count: int) -> Sequence[int]:
        """Reserves 1,000 numbers of one new generation for each of `count` kinds of files.

        Returns the first number of each. Raises StoreReadOnlyError.
        """
        with self._lock:
            first = max(self._next, self._catalog.begin_generation() * NUMBERS_PER_GENERATION)
            self._next = first + count * _NUMBERS_PER_RESERVATION
            return range(first, self._next, _NUMBERS_PER_RESERVATION)


def catalogued_files(catalog: Catalog) -> list[ManifestEntry]:
    """Returns the segments and active snapshots that the catalogue names."""
    return [segment.file for segment in catalog.segments()] + catalog.active()


def catalogued_names(catalog: Catalog) -> set[str]:
    """Returns the names of all segments, active snapshots and code decks that the catalogue names."""
    decks = {deck.name for deck in catalog.code_decks().values()}
    return {file.name for file in catalogued_files(catalog)} | decks


def missing(directory: Path, catalog: Catalog) -> list[str]:
    """Returns the names of files that the catalogue names and that do not exist."""
    named = catalogued_names(catalog) | {journal_name(number) for number in journals_to_replay(catalog)}
    return sorted(name for name in named if not (directory / name).is_file())


def journals_to_replay(catalog: Catalog) -> list[int]:
    """Returns the numbers of the journal files that must exist, ascending."""
    return [number for number, is_lost in catalog.journals().items() if not is_lost]


def journals_to_read(directory: Path, catalog: Catalog) -> list[int]:
    """Returns the numbers of the journal files that must exist, and of those that exist although lost."""
    named = catalog.journals().items()
    return [
        number for number, is_lost in named if not is_lost or (directory / journal_name(number)).is_file()
    ]


def orphans(directory: Path, catalog: Catalog) -> list[Path]:
    """Returns the files that the catalogue does not name, left by a crash or a failed step.

    A file of a later generation than the catalogue's is none of them: see `problems`.
    """
    return [path for path in _unnamed(directory, catalog) if not _is_later(path, catalog)]


def problems(directory: Path, catalog: Catalog) -> list[FileProblem]:
    """Returns the files that prevent a start.

    These are the missing ones that every report depends on, and those that are newer than the catalogue.
    """
    active = [file.name for file in catalog.active()]
    needed = [*active, *(journal_name(number) for number in journals_to_replay(catalog))]
    found = [FileProblem(name, _MISSING) for name in needed if not (directory / name).is_file()]
    found += _missing_predecessors(directory, catalog)
    later = [path for path in _unnamed(directory, catalog) if _is_later(path, catalog)]
    unnamed = _unnamed_journals(directory, catalog)
    later += [path for path in unnamed if core.journal_has_batches(directory, int(path.stem))]
    text = "is newer than catalog.db, which an older one seems to have replaced"
    return found + [FileProblem(path.relative_to(directory).as_posix(), text) for path in sorted(later)]


def require_no_problems(directory: Path, catalog: Catalog) -> None:
    """Raises DataDamagedError for missing files, StoreOpenError for newer ones; changes nothing."""
    found = problems(directory, catalog)
    if not found:
        return
    texts = [f"{each.name} {each.problem}" for each in found[:_NAMES_PER_ERROR]]
    if len(found) > _NAMES_PER_ERROR:
        texts.append(f"and {len(found) - _NAMES_PER_ERROR} more files")
    options = " ".join(f"--accept-loss-of {each.name}" for each in found[:_NAMES_PER_ERROR])
    advice = f"restore a backup, or start with {options} to go on without the records in them"
    message = f"{'; '.join(texts)}: {advice}"
    if found[0].problem == _MISSING:
        raise DataDamagedError(message, file=found[0].name)
    raise StoreOpenError(f"{directory}: {message}")


def require_no_missing_files(directory: Path, catalog: Catalog) -> None:
    """Raises DataDamagedError if a file is missing that every report depends on."""
    for each in problems(directory, catalog):
        if each.problem == _MISSING:
            raise DataDamagedError(f"{each.name} is missing", file=each.name)


def leftovers(directory: Path, catalog: Catalog) -> list[Path]:
    """Returns the files to remove at a start: orphans, and journal files without batches that are needed.

    Returns none if a file is missing: one of them may have its records.
    """
    if missing(directory, catalog):
        return []
    unnamed = _unnamed_journals(directory, catalog)
    journal = [path for path in unnamed if not core.journal_has_batches(directory, int(path.stem))]
    return [*orphans(directory, catalog), *journal, *flushed_journal(directory, catalog)]


def orphaned_segments(directory: Path, catalog: Catalog) -> list[Path]:
    """Returns the orphans of a failed flush or compaction: a code deck may be under way."""
    return [path for path in orphans(directory, catalog) if path.parent != directory / "decks"]


def flushed_journal(directory: Path, catalog: Catalog) -> list[Path]:
    """Returns the journal files whose batches are all in segments or in the active snapshot."""
    first = catalog.setting("first_journal") or 0
    numbers = [number for number in core.journal_sequences(directory) if number < first]
    return [directory / journal_name(number) for number in numbers]


def open_engine(directory: Path, catalog: Catalog, config: Config) -> core.Engine:
    """Opens the engine over a data directory, to which erasures and masking apply, and replays the journal.

    Raises DataDamagedError if an active snapshot or a journal file is damaged, as every
    report depends on these. A damaged segment raises it when a report needs its day.
    """
    engine = core.Engine(directory, config)
    # Before the journal is read: it may be older than an erasure that a crash interrupted.
    scrubbing_of(catalog).use(engine)
    settings = catalog.settings()
    for segment in catalog.segments():
        damaged = damage_setting(segment.file.name) in settings
        engine.open_segment(segment.day, segment.file, segment.tombstones, damaged)
    for file in catalog.active():
        engine.open_active_snapshot(file)
    _replay(directory, catalog, engine)
    return engine


def damage_setting(name: str) -> str:
    """Returns the name of the setting that excludes a segment from reports for good.

    It is set if a flush added records to the day of a segment that could not be read. Its
    keys were not compared with theirs, so a repaired file could count a record twice.
    """
    return f"damaged {name}"


def _replay(directory: Path, catalog: Catalog, engine: core.Engine) -> None:
    is_lost, sizes = catalog.journals(), dict[int, int]()
    for number in journals_to_read(directory, catalog):
        sizes[number] = engine.replay(number, is_lost[number])
    # Beside an owner, a file that was replayed may have grown before the next one got its first batch. The
    # newest one is read once: a later look could find batches of which those before were not read. To replay
    # a batch twice changes nothing.
    for number, size in list(sizes.items())[:-1]:
        if (directory / journal_name(number)).stat().st_size != size:
            engine.replay(number, is_lost[number])


def _own_files(directory: Path) -> Iterator[Path]:
    for pattern in _PATTERNS:
        yield from (path for path in directory.glob(pattern) if _OWN_NAME.fullmatch(path.name))


def _unnamed(directory: Path, catalog: Catalog) -> list[Path]:
    known = {directory / name for name in catalogued_names(catalog)}
    return sorted(path for path in _own_files(directory) if path not in known)


def _number(path: Path) -> int:
    found = _OWN_NAME.fullmatch(path.name)
    return int(found[1]) if found else 0


def _is_later(path: Path, catalog: Catalog) -> bool:
    # A temporary file is incomplete, whatever its number.
    return path.suffix != ".tmp" and _number(path) // NUMBERS_PER_GENERATION > catalog.generation


def _unnamed_journals(directory: Path, catalog: Catalog) -> list[Path]:
    """Journal files that are not flushed, and that the catalogue does not name.

    A crash before it named them leaves them without batches.
    """
    first, named = catalog.setting("first_journal") or 0, catalog.journals()
    numbers = (
        number for number in core.journal_sequences(directory) if number >= first and number not in named
    )
    return [directory / journal_name(number) for number in numbers]


def _missing_predecessors(directory: Path, catalog: Catalog) -> Iterator[FileProblem]:
    """Journal files that a named one follows, and that are neither named nor flushed."""
    first, named = catalog.setting("first_journal") or 0, catalog.journals()
    for number in journals_to_replay(catalog):
        with suppress(DataDamagedError, OSError):
            before = core.journal_predecessor(directory, number)
            if before is not None and before >= first and before not in named:
                yield FileProblem(journal_name(before), _MISSING)
