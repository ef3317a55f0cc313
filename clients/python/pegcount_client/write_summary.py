"""What became of the records that a writer was given."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pegcount.v1.records_pb2 import RejectReason, SessionRecord, WriteRecordsResponse

from pegcount_client.errors import PegcountError, RecordsRejectedError, Violation, rejections_text
from pegcount_client.record import Record
from pegcount_client.record_batches import RecordBatch

_KEPT_REJECTION_COUNT: Final = 100
_REASON_PREFIX: Final = "REJECT_REASON_"


@dataclass(frozen=True, slots=True)
class WriteSummary:
    """Figures of a writer. Of all answered records, each is accepted, replaced, a duplicate or rejected."""

    written: int = 0
    """Records that the writer was given, also those that are not answered yet."""
    accepted: int = 0
    """Records that were new."""
    replaced: int = 0
    """Records that changed one known before, as a version or a further part."""
    duplicates: int = 0
    """Records without effect. A batch that was sent again counts here if its first sending was durable."""
    outranked: int = 0
    """Of the duplicates, those that say something else than the record that stands, but rank lower."""
    rejected: int = 0
    """Records that were not taken."""
    suspected_reuse: int = 0
    """Of the replaced and duplicate records, those that look like another call under a used id."""
    batches: int = 0
    """Batches that were answered."""
    resent: int = 0
    """Batches that were sent again after a failure, each time counted."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that the server did not take."""

    record: Record | SessionRecord
    """The record, as it was written."""
    reason: str
    """Name of a RejectReason, such as MISSING_SETUP_TIME; its number if this client does not know it."""
    description: str
    """The same for a person, naming the field."""
    number: int
    """Number of the record, from 0, in the order in which the records were written."""


class WriteTally:
    """Counts the answers of one writer, and hands out what was rejected."""

    def __init__(
        self,
        on_rejected: Callable[[Rejection], object] | None,
        progress: Callable[[WriteSummary], object] | None,
    ) -> None:
        self.summary = WriteSummary()
        self._on_rejected = on_rejected
        self._progress = progress
        self._rejections: list[Rejection] = []

    def take_answer(
        self, batch: RecordBatch, answer: WriteRecordsResponse, written: int, resent: int
    ) -> None:
        """Counts an answer and calls back; raises PegcountError if it does not account for each record."""
        before = self.summary
        _require_complete(batch, answer)
        self.summary = replace(
            before,
            written=written,
            accepted=before.accepted + answer.accepted,
            replaced=before.replaced + answer.replaced,
            duplicates=before.duplicates + answer.duplicates,
            outranked=before.outranked + answer.outranked,
            rejected=before.rejected + len(answer.rejected),
            suspected_reuse=before.suspected_reuse + answer.suspected_reuse,
            batches=before.batches + 1,
            resent=resent,
        )
        for rejection in _rejections(batch, answer):
            if self._on_rejected is not None:
                self._on_rejected(rejection)
            elif len(self._rejections) < _KEPT_REJECTION_COUNT:
                self._rejections.append(rejection)
        if self._progress is not None:
            self._progress(self.summary)

    def rejected_error(self) -> RecordsRejectedError | None:
        """Returns the error of a finished writer whose rejected records nobody took; None without such."""
        if not self._rejections:
            return None
        return RecordsRejectedError.of(self._violations(), self.summary.rejected, self.summary.written)

    def note_rejected(self, error: BaseException) -> None:
        """Adds to an error that ends a writer early what was rejected before, as nothing else says it."""
        if self._rejections:
            rejected = self.summary.rejected
            text = rejections_text(self._violations(), rejected)
            error.add_note(f"The server had rejected records before, {rejected:,} in all: {text}")

    def _violations(self) -> list[Violation]:
        return [
            Violation(f"records[{each.number}]", each.description, each.reason) for each in self._rejections
        ]


def _require_complete(batch: RecordBatch, answer: WriteRecordsResponse) -> None:
    counted = answer.accepted + answer.replaced + answer.duplicates + len(answer.rejected)
    if counted != len(batch.records) or answer.batch_id != batch.batch_id:
        raise PegcountError(
            f"the answer to a batch of {len(batch.records):,} records, from record {batch.first_number:,} on,"
            f" accounts for {counted:,} of batch {answer.batch_id!r}; write these records again"
        )


def _rejections(batch: RecordBatch, answer: WriteRecordsResponse) -> list[Rejection]:
    return [
        Rejection(
            batch.records[each.index],
            _reason_name(each.reason),
            each.description,
            batch.first_number + each.index,
        )
        for each in answer.rejected
    ]


def _reason_name(number: int) -> str:
    """Returns the name of a reason; of one that a newer server knows, its number."""
    if number not in RejectReason.values():
        return str(number)
    return RejectReason.Name(RejectReason.ValueType(number)).removeprefix(_REASON_PREFIX)
