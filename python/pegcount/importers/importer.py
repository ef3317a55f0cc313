"""The import loop: reads lines, sends batches, counts outcomes."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pegcount.config import Config
from pegcount.errors import ImportFileError, OverloadedError
from pegcount.importers.encodings import field_encoding
from pegcount.importers.formats import format_named
from pegcount.importers.input_notes import InputNotes
from pegcount.importers.input_stream import OpenedInput
from pegcount.importers.options import Format, ImportOptions
from pegcount.importers.parsed_line import (
    ParsedLine,
    ParsedRecord,
    SkippedLine,
    UnreadableLine,
    UnreadableRowError,
)
from pegcount.importers.prepared_files import PreparedFile
from pegcount.importers.prices import round_prices
from pegcount.importers.record_fields import read_overrides
from pegcount.importers.rejects import RejectsFile
from pegcount.importers.undecoded import decode_fields, shown
from pegcount.model import WriteOutcome
from pegcount.v1.records_pb2 import SessionRecord, SourceRule, WriteRecordsRequest


class Pending(Protocol):
    """A batch that was submitted and may not be durable yet."""

    def wait(self) -> WriteOutcome:
        """Returns the outcome once the batch is durable."""


Submit = Callable[[bytes], Pending]
"""Submits a serialized WriteRecordsRequest; may raise OverloadedError while other batches are pending."""

TakeRecord = Callable[[int, SessionRecord], None]
"""Receives the line of a record, and the record, which must not be changed."""

Progress = Callable[[int, int], None]
"""Receives the number of bytes read from the file and the number of rows counted."""


_OUTCOMES = ("accepted", "replaced", "duplicates", "rejected", "skipped")
_OF_OUTCOMES = ("outranked", "suspected_reuse", "dropped_alert_times")
"""Counts of records that one of the outcomes counts, too."""
_OF_ROWS = ("rounded_prices",)
"""Counts of rows before they are written; one of the outcomes counts them, too."""


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """Rows of a file by outcome; accepted to skipped add up to `rows`."""

    rows: int
    accepted: int
    replaced: int
    duplicates: int
    rejected: int
    """Unreadable rows, and records that the store rejected."""
    skipped: int
    """Legs of calls that other rows represent, and repeated headers."""
    outranked: int = 0
    """Of the duplicates, those that say something else than what stands, but rank lower."""
    suspected_reuse: int = 0
    """Of the replaced and the duplicates, those that look like another call under the same id."""
    dropped_alert_times: int = 0
    """Of all but the rejected, those with an alert time before the setup or after the answer, which the store
    dropped."""
    rounded_prices: int = 0
    """Of all records that were read, those with a price that was rounded."""
    skipped_by_reason: Mapping[str, int] = field(default_factory=dict)
    """Of the skipped, those with a reason why they are not calls, by reason."""
    undecoded: int = 0
    """Records with a text in which bytes were replaced that the encoding of the file lacks."""
    held_back_line: int = 0
    """Number of the last line if it is not counted, as it lacks a line end and may be incomplete, else 0."""
    damage: str = ""
    """Why the rest of the file could not be read."""

    @property
    def valid(self) -> int:
        """Records that were not rejected."""
        return self.accepted + self.replaced + self.duplicates

    @property
    def identical(self) -> int:
        """Duplicates that say nothing else than what stands."""
        return self.duplicates - self.outranked


def import_file(
    prepared: PreparedFile,
    format_name: str,
    options: ImportOptions,
    submit: Submit,
    rejects: RejectsFile,
    progress: Progress,
    config: Config,
    take_record: TakeRecord | None = None,
) -> ImportCounts:
    """Imports a file of one of the `FORMATS`; all its records are durable on return.

    `options.overrides` replace the values of the rows; `take_record` receives all records. To import the
    same file again, also after a failure midway, adds only the records that are missing. Raises
    ImportFileError if the file as a whole cannot be imported; errors of `submit` and `Pending.wait`
    propagate.
    """
    found = format_named(format_name)
    overrides = read_overrides(options.overrides, options.zone)
    header = WriteRecordsRequest(accept_stored=options.accepts_stored, correct=options.corrects)
    if prepared.rule is not None:
        header.source_rule.CopyFrom(SourceRule(source=options.source, rule=prepared.rule))
    with prepared.opened(options, options.takes_final_line or not found.has_rows) as opened:
        run = _Import(str(prepared.path), submit, rejects, options, overrides, header, config)
        for parsed in _parsed(prepared, found, opened, options):
            is_record = run.take(parsed)
            if take_record is not None and is_record and isinstance(parsed, ParsedRecord):
                take_record(parsed.line, parsed.record)
            if run.is_batch_full():
                run.flush()
                progress(opened.notes.bytes_read, run.counts.rows)
        run.take_notes(opened.notes, has_header=found.has_header or prepared.ahead.has_header)
        run.flush()
        run.await_all()
        progress(opened.notes.bytes_read, run.counts.rows)
    return run.counts


def _parsed(
    prepared: PreparedFile, found: Format, opened: OpenedInput, options: ImportOptions
) -> Iterator[ParsedLine]:
    """Yields what the parser does; errors name the file, and what may be their cause."""
    try:
        yield from found.parse(opened.file, options)
    except ImportFileError as error:
        cause = opened.notes.damage
        if opened.notes.held_back is not None:
            cause = "its last line has no line end, so that it may be incomplete; --final-line takes it"
        raise ImportFileError(f"{prepared.path}: {error}{cause and f' ({cause})'}") from error


class _Import:
    """State of an import: the batch being filled, the batches in flight, and the counts so far.

    `header` has what all batches say besides their records.
    """

    def __init__(
        self,
        file: str,
        submit: Submit,
        rejects: RejectsFile,
        options: ImportOptions,
        overrides: SessionRecord,
        header: WriteRecordsRequest,
        config: Config,
    ) -> None:
        self._file = file
        self._submit = submit
        self._rejects = rejects
        self._encoding = field_encoding(options.encoding)
        self._source = options.source
        self._overrides = overrides
        self._header = header
        self._config = config
        self._in_flight: deque[tuple[Pending, Sequence[ParsedRecord]]] = deque()
        self._tally: Counter[str] = Counter()
        self._skipped_by_reason: Counter[str] = Counter()
        self._batch: list[ParsedRecord] = []
        self._batch_text_chars = 0
        self._held_back_line = 0
        self._damage = ""

    @property
    def counts(self) -> ImportCounts:
        """Counts of all rows whose outcome is known."""
        rows = sum(self._tally[name] for name in _OUTCOMES)
        tallies = {name: self._tally[name] for name in _OUTCOMES + _OF_OUTCOMES + _OF_ROWS}
        return ImportCounts(
            rows=rows,
            **tallies,
            undecoded=self._tally["undecoded"],
            held_back_line=self._held_back_line,
            damage=self._damage,
            skipped_by_reason=dict(self._skipped_by_reason),
        )

    def take(self, parsed: ParsedLine) -> bool:
        """Takes one result of the parser; returns whether it is a record to be written."""
        match parsed:
            case ParsedRecord():
                if not parsed.text.isascii() and not self._decode(parsed):
                    return False
                parsed.record.MergeFrom(self._overrides)
                if round_prices(parsed.record):
                    self._tally["rounded_prices"] += 1
                self._batch.append(parsed)
                self._batch_text_chars += len(parsed.text)
                return True
            case SkippedLine():
                self._tally["skipped"] += 1
                if parsed.reason is not None:
                    self._skipped_by_reason[parsed.reason] += 1
            case UnreadableLine():
                self._reject(parsed.line, parsed.reason, parsed.text)
        return False

    def take_notes(self, notes: InputNotes, has_header: bool) -> None:
        """Takes what is known of a file after its end.

        A log goes on where it stops, so that a later import takes the line that was held back. But a table
        was exported once: there, the line is rejected.
        """
        self._damage = notes.damage
        held_back = notes.held_back
        if held_back is not None and has_header:
            reason = "the last line has no line end, so that it may be incomplete; --final-line takes it"
            self._reject(held_back.line, reason, held_back.raw.decode(errors="backslashreplace"))
        elif held_back is not None:
            self._held_back_line = held_back.line

    def is_batch_full(self) -> bool:
        """Returns whether the batch has reached its limit of rows or of text."""
        rows = len(self._batch)
        # JSON documents are long, so the texts that a batch retains for the rejects file are bounded too.
        text_chars_max = self._config.tuning.import_batch_text_chars_max
        return rows >= self._config.import_batch_row_count or self._batch_text_chars >= text_chars_max

    def flush(self) -> None:
        """Submits the batch; while too many batches are in flight, waits for the oldest first."""
        if self._batch:
            self._send(self._batch)
        self._batch, self._batch_text_chars = [], 0

    def await_all(self) -> None:
        """Waits for every batch in flight, and counts its outcome."""
        while self._in_flight:
            self._await_oldest()

    def _decode(self, parsed: ParsedRecord) -> bool:
        """Decodes the texts of a record; rejects it and returns False if its key cannot be decoded."""
        try:
            if decode_fields(parsed.record, self._encoding, self._source):
                self._tally["undecoded"] += 1
        except UnreadableRowError as error:
            self._reject(parsed.line, str(error), parsed.text)
            return False
        return True

    def _send(self, batch: Sequence[ParsedRecord]) -> None:
        records = [parsed.record for parsed in batch]
        request = WriteRecordsRequest(records=records)
        request.MergeFrom(self._header)
        data = request.SerializeToString()
        if len(data) > self._config.import_batch_bytes_max and len(batch) > 1:
            middle = len(batch) // 2
            self._send(batch[:middle])
            self._send(batch[middle:])
            return
        while len(self._in_flight) >= self._config.import_batch_in_flight_max:
            self._await_oldest()
        self._in_flight.append((self._submit_with_retry(data), batch))

    def _submit_with_retry(self, data: bytes) -> Pending:
        """Submits a batch; after each OverloadedError, waits for the oldest batch in flight and retries."""
        while True:
            try:
                return self._submit(data)
            except OverloadedError:
                if not self._in_flight:
                    raise
                self._await_oldest()

    def _await_oldest(self) -> None:
        """Waits for the oldest batch in flight, and counts its outcome."""
        pending, batch = self._in_flight.popleft()
        outcome = pending.wait()
        for name in ("accepted", "replaced", "duplicates", *_OF_OUTCOMES):
            self._tally[name] += getattr(outcome, name)
        for rejected in outcome.rejected:
            parsed = batch[rejected.index]
            self._reject(parsed.line, rejected.description, parsed.text)

    def _reject(self, line: int, reason: str, text: str) -> None:
        self._tally["rejected"] += 1
        self._rejects.add(self._file, line, shown(reason), shown(text))
