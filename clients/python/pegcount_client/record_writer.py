"""Writes records one by one: batches, back-pressure, retries, and what became of each record."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from types import TracebackType

from pegcount.v1.records_pb2 import SessionRecord

from pegcount_client.batch_sender import BatchSender, PendingBatch
from pegcount_client.errors import PegcountError
from pegcount_client.record import Record
from pegcount_client.record_batches import RecordBatch, RecordBatches
from pegcount_client.write_summary import Rejection, WriteSummary, WriteTally


class RecordWriter:
    """Writes records over one stream, in a `with` block, at whose end all records are durable.

    A record counts once however often it is resent, because (source, session id, revision) identifies
    it: a writer that loses its server, or finds none yet, sends again what was not answered, in order.
    It gives up by the retry policy, by default after five minutes without progress, and raises
    PegcountError; so does each later call. What the server had answered by then is durable, the rest may
    be or not: write it again, in this or another process, and nothing counts twice.

    Leaving the block by an exception cancels what was not answered. Without `on_rejected`, leaving it
    raises RecordsRejectedError if the server rejected records; all others are durable then.

    Several threads may write. The callbacks run in them; `on_rejected` may write a corrected record.
    """

    def __init__(
        self,
        sender: BatchSender,
        *,
        batch_record_max: int = 1_000,
        unanswered_batch_max: int = 8,
        correct: bool = False,
        on_rejected: Callable[[Rejection], object] | None = None,
        progress: Callable[[WriteSummary], object] | None = None,
    ) -> None:
        self._batches = RecordBatches(batch_record_max, correct=correct)
        self._tally = WriteTally(on_rejected, progress)
        self._unanswered_max = checked_unanswered_max(unanswered_batch_max)
        self._sender = sender
        self._unanswered: deque[tuple[RecordBatch, PendingBatch]] = deque()
        self._failure: PegcountError | None = None
        self._is_open = False
        self._lock = RLock()

    @property
    def summary(self) -> WriteSummary:
        """The figures until now."""
        return replace(
            self._tally.summary, written=self._batches.record_count, resent=self._sender.resent_count
        )

    def write(self, record: Record | SessionRecord) -> None:
        """Takes a record, and sends it with the others of its batch; waits while too many are unanswered.

        Raises PegcountError if the server refused a batch for good, ValueError outside the `with` block,
        TypeError for anything but a record.
        """
        with self._lock:
            self._require_usable()
            self._batches.add(record)
            self._send_sealed()

    def flush(self) -> None:
        """Returns when all records written so far are durable or rejected; raises as `write`."""
        with self._lock:
            self._require_usable()
            self._batches.seal()
            while self._batches.sealed or self._unanswered:
                self._send_sealed()
                if self._unanswered:
                    self._take_oldest()
                # A callback may have written more, or flushed.
                self._batches.seal()

    def __enter__(self) -> "RecordWriter":
        self._is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.flush()
        except BaseException as failure:
            self._tally.note_rejected(failure)
            raise
        finally:
            self._is_open = False
            self._sender.close()
        if error is not None:
            self._tally.note_rejected(error)
        elif (rejected := self._tally.rejected_error()) is not None:
            raise rejected

    def _require_usable(self) -> None:
        require_usable(self._is_open, self._failure)

    def _send_sealed(self) -> None:
        while self._batches.sealed:
            if len(self._unanswered) >= self._unanswered_max:
                # Its callbacks may write and send as well.
                self._take_oldest()
            else:
                batch = self._batches.sealed[0]
                self._unanswered.append((batch, self._sender.submit(batch.data)))
                self._batches.sealed.popleft()

    def _take_oldest(self) -> None:
        """Waits for the oldest unanswered batch, and counts its answer."""
        batch, pending = self._unanswered[0]
        try:
            answer = pending.wait()
            self._unanswered.popleft()
            self._tally.take_answer(batch, answer, self._batches.record_count, self._sender.resent_count)
        except PegcountError as error:
            self._failure = error
            raise


def checked_unanswered_max(unanswered_batch_max: int) -> int:
    """Returns the limit; raises ValueError below 1, with which nothing could ever be sent."""
    if unanswered_batch_max < 1:
        raise ValueError(f"unanswered_batch_max={unanswered_batch_max!r} must be at least 1")
    return unanswered_batch_max


def require_usable(is_open: bool, failure: PegcountError | None) -> None:
    """Raises the error that ended a writer, or ValueError for one that is not in its block."""
    if failure is not None:
        raise failure
    if not is_open:
        raise ValueError("a writer of records is used in a block: `with client.write_records() as writer:`")
