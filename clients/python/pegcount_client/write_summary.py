"""What became of the records that a writer was given."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from pegcount.v1.records_pb2 import RejectReason, SessionRecord, WriteRecordsResponse

from pegcount_client.errors import PegcountError, RecordsRejectedError, Violation, rejections_text
from pegcount_client.record import Record
from pegcount_client.record_batches import RecordBatch
from pegcount_client.writer_arguments import check_callback

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
    dropped_alert_times: int = 0
    """Alert times that were dropped, as they were before the setup or after the answer."""
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


Event: TypeAlias = Rejection | WriteSummary
"""What a callback gets: `on_rejected` a rejection, `progress` the figures."""


class WriteTally:
    """Counts the answers of one writer, and keeps what its callbacks are still to get."""

    def __init__(
        self,
        on_rejected: Callable[[Rejection], object] | None,
        progress: Callable[[WriteSummary], object] | None,
    ) -> None:
        check_callback("on_rejected", on_rejected)
        check_callback("progress", progress)
        self.summary = WriteSummary()
        self._on_rejected = on_rejected
        self._progress = progress
        self._rejections: list[Rejection] = []
        self._due: deque[Event] = deque()

    def take_answer(
        self, batch: RecordBatch, answer: WriteRecordsResponse, written: int, resent: int
    ) -> None:
        """Counts an answer; raises PegcountError if it does not account for each record."""
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
            dropped_alert_times=before.dropped_alert_times + answer.dropped_alert_times,
            batches=before.batches + 1,
            resent=resent,
        )
        rejections = _rejections(batch, answer)
        if self._on_rejected is not None:
            self._due.extend(rejections)
        else:
            self._rejections.extend(rejections[: _KEPT_REJECTION_COUNT - len(self._rejections)])
        if self._progress is not None:
            self._due.append(self.summary)

    def has_due(self) -> bool:
        """Returns whether a callback is to be called."""
        return bool(self._due)

    def take_due(self) -> Event | None:
        """Returns the oldest event that is due, and forgets that it is due; None without one."""
        return self._due.popleft() if self._due else None

    def put_back(self, event: Event) -> None:
        """Makes an event due again, before all others."""
        self._due.appendleft(event)

    def call_back(self, event: Event) -> object:
        """Calls the callback of an event, and returns what that returns."""
        callback: Callable[[Any], object] | None = (
            self._on_rejected if isinstance(event, Rejection) else self._progress
        )
        return None if callback is None else callback(event)

    def require_all_answered(self, written: int) -> None:
        """Raises PegcountError unless the answers account for all records that were written."""
        figures = self.summary
        answered = figures.accepted + figures.replaced + figures.duplicates + figures.rejected
        if answered != written:
            raise PegcountError(
                f"the answers account for {answered:,} of {written:,} records that were written;"
                " write them all again, as nothing counts twice"
            )

    def rejected_error(self) -> RecordsRejectedError | None:
        """Returns the error of a finished writer whose rejected records nobody took; None without such."""
        if not self._rejections:
            return None
        violations = _violations(self._rejections)
        return RecordsRejectedError.of(violations, self.summary.rejected, self.summary.written)

    def note_rejected(self, error: BaseException) -> None:
        """Adds to an error that ends a writer early the rejections before, which nothing else says."""
        untaken = [event for event in self._due if isinstance(event, Rejection)]
        if self._on_rejected is None:
            untaken, rejected = self._rejections, self.summary.rejected
        else:
            rejected = len(untaken)
        if untaken:
            text = rejections_text(_violations(untaken), rejected)
            error.add_note(f"The server had rejected records before, {rejected:,} in all: {text}")


def _violations(rejections: Iterable[Rejection]) -> list[Violation]:
    return [Violation(f"records[{each.number}]", each.description, each.reason) for each in rejections]


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
