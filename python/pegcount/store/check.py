"""Offline check of a data directory: verifies the checksum of every byte."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.errors import DataDamagedError, PegcountError
from pegcount.store import deck_files, files
from pegcount.store.catalog import Catalog
from pegcount.store.directory import DirectoryLock, journal_name, prepare
from pegcount.store.scrubbing import erasure_rows, scrubbed_rows, scrubbing_of
from pegcount.store.snapshot import rollback_hot_journal


@dataclass
class CheckReport:
    """Counts of what a check read, and the problems that it found."""

    segments: int = 0
    segment_bytes: int = 0
    journal_files: int = 0
    journal_batches: int = 0
    journal_records: int = 0
    active_sessions: int = 0
    """Sessions of the active snapshot, before the replay of the journal."""
    code_decks: int = 0
    records: int | None = None
    """Records that reports count, None if some file is damaged or missing."""
    leftovers: list[Path] = field(default_factory=list)
    """Files that the next start removes. A crash, or a failed flush or compaction, left them."""
    kept_orphans: list[Path] = field(default_factory=list)
    """Files that the catalogue does not name, and that the next start keeps because another is missing."""
    incomplete_erasures: list[int] = field(default_factory=list)
    """Numbers of erasures that were cut short, so that files may have their numbers of parties."""
    problems: list[str] = field(default_factory=list)
    """One sentence for each damaged or missing file, with its name."""


def check(directory: Path, config: Config) -> CheckReport:
    """Reads every byte of the files that the catalogue of a data directory names.

    Raises StoreOpenError if a process owns the directory (a backup of it can be checked), if
    it is not a data directory, or if its catalogue cannot be opened or has an older format.
    """
    prepare(directory, create=False)
    owner = DirectoryLock(directory)
    try:
        rollback_hot_journal(directory)
        with closing(Catalog(directory, read_only=True)) as catalog:
            return _report(directory, catalog, config)
    except DataDamagedError as error:
        return CheckReport(problems=[str(error)])
    finally:
        owner.release()


def _report(directory: Path, catalog: Catalog, config: Config) -> CheckReport:
    segments, active = [segment.file for segment in catalog.segments()], catalog.active()
    leftovers = files.leftovers(directory, catalog)
    report = CheckReport(
        segments=len(segments),
        segment_bytes=sum(file.size for file in segments),
        active_sessions=sum(file.rows for file in active),
        leftovers=leftovers,
        incomplete_erasures=[row.erasure_id for row in erasure_rows(catalog) if not row.is_complete],
        kept_orphans=[path for path in files.orphans(directory, catalog) if path not in leftovers],
    )
    report.problems += _file_problems(directory, segments + active)
    report.problems += _start_problems(directory, catalog)
    report.problems += _excluded_segments(directory, catalog)
    _check_journal(directory, catalog, report)
    report.problems += _deck_problems(directory, catalog)
    report.code_decks = len(catalog.code_decks())
    if not report.problems:
        engine = files.open_engine(directory, catalog, config)
        report.records = engine.info().records
        report.problems += _segments_with_erased_numbers(directory, catalog, engine)
    return report


def _file_problems(directory: Path, listed: list[core.ManifestEntry]) -> Iterator[str]:
    for file in listed:
        try:
            core.check_file(directory, file)
        except (PegcountError, OSError) as error:
            yield str(error)


def _start_problems(directory: Path, catalog: Catalog) -> Iterator[str]:
    """Problems of files other than those that `_file_problems` looks at."""
    read = {file.name for file in files.catalogued_files(catalog)}
    for each in files.problems(directory, catalog):
        if each.name not in read:
            yield f"{directory / each.name} {each.problem}"


def _excluded_segments(directory: Path, catalog: Catalog) -> Iterator[str]:
    settings = catalog.settings()
    for segment in catalog.segments():
        name = segment.file.name
        if files.damage_setting(name) in settings:
            yield (
                f"{directory / name} is excluded from reports, and those of its day fail: records were"
                " taken for its day while it could not be read; restore a backup, or start with"
                f" --accept-loss-of {name} to go on without it"
            )


def _segments_with_erased_numbers(directory: Path, catalog: Catalog, engine: core.Engine) -> Iterator[str]:
    """Segments to which all erasures were applied by the catalogue, and that have one of the numbers."""
    scrubbing, rows = replace(scrubbing_of(catalog), masked_before_day=None), scrubbed_rows(catalog)
    scrubbing.use(engine)
    for segment in engine.segments:
        row = rows.get(segment.name)
        if row is not None and scrubbing.is_done(row, segment.day):
            [count] = engine.count_scrubbed_rows([segment.name], core.CancelToken(None))
            if count:
                found = f"{count:,} records have an erased number, which is in force; erase it again"
                yield f"{directory / segment.name}: {found}"


def _deck_problems(directory: Path, catalog: Catalog) -> Iterator[str]:
    for deck in catalog.code_decks().values():
        try:
            deck_files.read(directory, deck)
        except (PegcountError, OSError) as error:
            yield str(error)


def _check_journal(directory: Path, catalog: Catalog, report: CheckReport) -> None:
    needed = files.journals_to_replay(catalog)
    for number in files.journals_to_read(directory, catalog):
        if not (directory / journal_name(number)).is_file():
            # `_start_problems` names it.
            continue
        try:
            content = core.check_journal(directory, number)
        except (PegcountError, OSError) as error:
            # A start reads a file whose loss was accepted as far as that goes.
            if number in needed:
                report.problems.append(str(error))
            continue
        report.journal_files += 1
        report.journal_batches += content.batches
        report.journal_records += content.records
