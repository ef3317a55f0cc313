"""The loop of an import: read, batch, write, count."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pegcount.config import Config
from pegcount.errors import ImportFileError
from pegcount.ingest.formats import FORMATS
from pegcount.ingest.line import ParsedLine, ParsedRecord, SkippedLine, UnreadableLine
from pegcount.ingest.local_time import LocalClock
from pegcount.ingest.options import ImportOptions
from pegcount.ingest.record_fields import read_overrides
from pegcount.ingest.rejects import RejectsFile
from pegcount.model import WriteOutcome
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

Write = Callable[[bytes], WriteOutcome]
"""Writes a serialised WriteRecordsRequest durably."""

Progress = Callable[[int], None]
"""Takes the number of bytes of the file that are done."""

# A batch keeps its texts for the rejects; JSON documents are long, so these are bounded too.
_BATCH_TEXT_CHARS_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What became of the rows of a file; the other five add up to `rows`."""

    rows: int
    accepted: int
    replaced: int
    duplicates: int
    rejected: int
    """Rows that cannot be read, and records that the store did not take."""
    skipped: int
    """Legs of calls that other rows stand for."""


def import_file(
    path: Path,
    format_name: str,
    options: ImportOptions,
    write: Write,
    rejects: RejectsFile,
    progress: Progress,
    config: Config,
) -> ImportCounts:
    """Import a file of one of the `FORMATS`; what `write` returned for is durable.

    Every record gets `options.overrides`, over what its row says. Importing the same file
    again, also after a failure midway, only adds what is missing. Raises ImportFileError
    where the file as a whole cannot be imported; errors of `write` pass through.
    """
    parser = FORMATS.get(format_name)
    if parser is None:
        raise ImportFileError(f"format {format_name!r} is none of {', '.join(FORMATS)}")
    overrides = read_overrides(options.overrides, LocalClock(options.zone))
    with _opened(path) as file:
        run = _Import(str(path), write, rejects, overrides)
        for parsed in parser(file, options):
            run.take(parsed)
            if run.is_full(config.import_batch_row_count):
                run.flush()
                progress(file.tell())
        run.flush()
        progress(file.tell())
    return run.counts


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportFileError(f"{path}: {error.strerror}") from error


class _Import:
    """One import under way: its batch and what it has counted."""

    def __init__(self, file: str, write: Write, rejects: RejectsFile, overrides: SessionRecord) -> None:
        self._file = file
        self._write = write
        self._rejects = rejects
        self._overrides = overrides
        self._tally: Counter[str] = Counter()
        self._batch: list[ParsedRecord] = []
        self._batch_text_chars = 0

    @property
    def counts(self) -> ImportCounts:
        """Counts of all rows taken and flushed."""
        names = ("accepted", "replaced", "duplicates", "rejected", "skipped")
        return ImportCounts(rows=self._tally.total(), **{name: self._tally[name] for name in names})

    def take(self, parsed: ParsedLine) -> None:
        """Take what the parser made of one row."""
        match parsed:
            case ParsedRecord():
                parsed.record.MergeFrom(self._overrides)
                self._batch.append(parsed)
                self._batch_text_chars += len(parsed.text)
            case SkippedLine():
                self._tally["skipped"] += 1
            case UnreadableLine():
                self._reject(parsed.line, parsed.reason, parsed.text)

    def is_full(self, row_count_max: int) -> bool:
        """Whether the batch is to be written."""
        return len(self._batch) >= row_count_max or self._batch_text_chars >= _BATCH_TEXT_CHARS_MAX

    def flush(self) -> None:
        """Write the batch and count what became of it."""
        if not self._batch:
            return
        request = WriteRecordsRequest(records=[parsed.record for parsed in self._batch])
        outcome = self._write(request.SerializeToString())
        self._tally["accepted"] += outcome.accepted
        self._tally["replaced"] += outcome.replaced
        self._tally["duplicates"] += outcome.duplicates
        for rejected in outcome.rejected:
            parsed = self._batch[rejected.index]
            self._reject(parsed.line, rejected.description, parsed.text)
        self._batch, self._batch_text_chars = [], 0

    def _reject(self, line: int, reason: str, text: str) -> None:
        self._tally["rejected"] += 1
        self._rejects.add(self._file, line, reason, text)
