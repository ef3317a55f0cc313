"""The loop of an import: read, batch, write, count."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from pegcount.config import Config
from pegcount.errors import ImportFileError, OverloadedError
from pegcount.importers.formats import FORMATS
from pegcount.importers.local_timestamp import LocalClock
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedLine, ParsedRecord, SkippedLine, UnreadableLine
from pegcount.importers.record_fields import read_overrides
from pegcount.importers.rejects import RejectsFile
from pegcount.model import WriteOutcome
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest


class Pending(Protocol):
    """A batch on its way."""

    def wait(self) -> WriteOutcome:
        """Returns once the batch is durable."""


Submit = Callable[[bytes], Pending]
"""Takes a serialised WriteRecordsRequest on its way to where it is durable."""

Progress = Callable[[int, int], None]
"""Takes the number of bytes of the file that are read, and of rows that are done."""

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
    submit: Submit,
    rejects: RejectsFile,
    progress: Progress,
    config: Config,
) -> ImportCounts:
    """Import a file of one of the `FORMATS`; all of it is durable on return.

    Every record gets `options.overrides`, over what its row says. Importing the same file
    again, also after a failure midway, only adds what is missing. Raises ImportFileError
    where the file as a whole cannot be imported; errors of `submit` and of the waiting pass through.
    """
    parser = FORMATS.get(format_name)
    if parser is None:
        raise ImportFileError(f"format {format_name!r} is none of {', '.join(FORMATS)}")
    overrides = read_overrides(options.overrides, LocalClock(options.zone))
    with _open(path) as file:
        run = _Import(str(path), submit, rejects, overrides, config)
        for parsed in parser(file, options):
            run.take(parsed)
            if run.is_full():
                run.flush()
                progress(file.tell(), run.counts.rows)
        run.flush()
        run.settle_all()
        progress(file.tell(), run.counts.rows)
    return run.counts


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportFileError(f"{path}: {error.strerror}") from error


class _Import:
    """One import under way: its batch, the batches on their way, and what it has counted."""

    def __init__(
        self, file: str, submit: Submit, rejects: RejectsFile, overrides: SessionRecord, config: Config
    ) -> None:
        self._file = file
        self._submit = submit
        self._rejects = rejects
        self._overrides = overrides
        self._config = config
        self._in_flight: deque[tuple[Pending, Sequence[ParsedRecord]]] = deque()
        self._tally: Counter[str] = Counter()
        self._batch: list[ParsedRecord] = []
        self._batch_text_chars = 0

    @property
    def counts(self) -> ImportCounts:
        """Counts of all rows whose fate is known."""
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

    def is_full(self) -> bool:
        """Whether the batch is to be written."""
        rows = len(self._batch)
        return rows >= self._config.import_batch_row_count or self._batch_text_chars >= _BATCH_TEXT_CHARS_MAX

    def flush(self) -> None:
        """Send the batch on its way, after those before it as far as there is no room."""
        if self._batch:
            self._send(self._batch)
        self._batch, self._batch_text_chars = [], 0

    def settle_all(self) -> None:
        """Count what became of every batch on its way."""
        while self._in_flight:
            self._settle()

    def _send(self, batch: Sequence[ParsedRecord]) -> None:
        request = WriteRecordsRequest(records=[parsed.record for parsed in batch])
        data = request.SerializeToString()
        if len(data) > self._config.import_batch_bytes_max and len(batch) > 1:
            middle = len(batch) // 2
            self._send(batch[:middle])
            self._send(batch[middle:])
            return
        while len(self._in_flight) >= self._config.import_batch_in_flight_max:
            self._settle()
        self._in_flight.append((self._submit_when_room(data), batch))

    def _submit_when_room(self, data: bytes) -> Pending:
        """The batch on its way; where there is no room for its bytes, those before it make some."""
        while True:
            try:
                return self._submit(data)
            except OverloadedError:
                if not self._in_flight:
                    raise
                self._settle()

    def _settle(self) -> None:
        """Wait for the oldest batch on its way, and count what became of it."""
        pending, batch = self._in_flight.popleft()
        outcome = pending.wait()
        self._tally["accepted"] += outcome.accepted
        self._tally["replaced"] += outcome.replaced
        self._tally["duplicates"] += outcome.duplicates
        for rejected in outcome.rejected:
            parsed = batch[rejected.index]
            self._reject(parsed.line, rejected.description, parsed.text)

    def _reject(self, line: int, reason: str, text: str) -> None:
        self._tally["rejected"] += 1
        self._rejects.add(self._file, line, reason, text)
