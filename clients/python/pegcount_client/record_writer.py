"""Writes records one by one: batches, back-pressure, retries, and what became of each record."""

import inspect
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
from pegcount_client.writer_arguments import checked_unanswered_max, refuse_coroutine_function
from pegcount_client.writer_state import Stage, WriterState


class RecordWriter:
    """Writes records over one stream, in a `with` block, at whose end all records are durable.

    A record counts once however often it is resent, because (source, session id, revision) identifies
    it: a writer that loses its server, or finds none yet, sends again what was not answered, in order.
    It gives up by the retry policy, by default after five minutes without progress, and raises
    PegcountError; so does each later call. What the server had answered by then is durable, the rest may
    be or not: write it again, in this or another process, and nothing counts twice.

    Leaving the block by an exception cancels what was not answered. Without `on_rejected`, leaving it
    raises RecordsRejectedError if the server rejected records; all others are durable then.

    Several threads may write until the block ends; later they get ValueError. The callbacks run in them, and
    are plain functions; `on_rejected` may write a corrected record. An error of a callback is raised where
    it ran; the rejections after it are handed out by the next call.
    """

    def __init__(
        self,
        sender: BatchSender,
        *,
        batch_record_max: int = 1_000,
        unanswered_batch_max: int = 8,
        correct: bool = False,
        on_rejected: Callable[[Rejection], None] | None = None,
        progress: Callable[[WriteSummary], None] | None = None,
    ) -> None:
        refuse_coroutine_function("on_rejected", on_rejected)
        refuse_coroutine_function("progress", progress)
        self._batches = RecordBatches(batch_record_max, correct=correct)
        self._tally = WriteTally(on_rejected, progress)
        self._unanswered_max = checked_unanswered_max(unanswered_batch_max)
        self._sender = sender
        self._unanswered: deque[tuple[RecordBatch, PendingBatch]] = deque()
        self._state = WriterState()
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
            self._state.require_usable()
            self._batches.add(record)
            self._send_sealed()

    def flush(self) -> None:
        """Returns when all records written so far are durable or rejected; raises as `write`."""
        with self._lock:
            self._state.require_usable()
            self._batches.seal()
            while self._batches.sealed or self._unanswered or self._tally.has_due():
                self._send_sealed()
                if self._unanswered:
                    self._take_oldest()
                self._call_back()
                # A callback may have written more, or flushed.
                self._batches.seal()

    def __repr__(self) -> str:
        stage, written = self._state.stage.name.lower(), self._batches.record_count
        return f"<{type(self).__name__} to {self._sender.address}, {stage}, {written:,} written>"

    def __enter__(self) -> "RecordWriter":
        self._state.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                # The lock refuses other threads from the last look for records on; callbacks have it.
                with self._lock:
                    self.flush()
                    self._state.stage = Stage.ENDED
                self._tally.require_all_answered(self._batches.record_count)
        except BaseException as failure:
            self._tally.note_rejected(failure)
            raise
        finally:
            # Without the lock, as a thread that waits for an answer has it, and this ends its waiting.
            self._state.stage = Stage.ENDED
            self._sender.close()
        if error is not None:
            self._tally.note_rejected(error)
        elif (rejected := self._tally.rejected_error()) is not None:
            raise rejected

    def _send_sealed(self) -> None:
        while self._batches.sealed:
            if len(self._unanswered) >= self._unanswered_max:
                # Its callbacks may write and send as well.
                self._take_oldest()
                self._call_back()
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
            self._state.failure = error
            raise

    def _call_back(self) -> None:
        while (event := self._tally.take_due()) is not None:
            result = self._tally.call_back(event)
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()
                raise TypeError(
                    f"a callback of a RecordWriter returned {type(result).__name__}, which nobody awaits;"
                    " next step: give a plain function, or use AsyncClient"
                )
