"""Back-pressure of a write stream: a bounded queue between the reading and the answering thread."""

from collections import deque
from collections.abc import Iterator
from threading import Condition

from pegcount.errors import OverloadedError
from pegcount.model import WriteOutcome
from pegcount.store import PendingWrite, Store


class BatchStream:
    """The submitted and not yet answered batches of one stream, in order.

    Reading pauses at `batch_count_max` batches, so that HTTP/2 flow control slows the client down.
    """

    def __init__(self, store: Store, batch_count_max: int) -> None:
        self._store = store
        self._batch_count_max = batch_count_max
        self._changed = Condition()
        self._pending: deque[PendingWrite] = deque()
        self._ended = False
        self._error: Exception | None = None

    def read(self, batches: Iterator[bytes]) -> None:
        """Submits batches until the client sends no more, a batch fails, or `end` is called."""
        try:
            while self._wait_for_room():
                batch = next(batches, None)
                if batch is None or not self._submit(batch):
                    break
        except Exception as error:
            self.end(error)
        else:
            self.end()

    def outcomes(self) -> Iterator[WriteOutcome]:
        """Yields the outcome of each batch, in order, as soon as the batch is durable.

        After the last outcome, raises the error that ended the stream, if any.
        """
        try:
            while (oldest := self._oldest()) is not None:
                outcome = oldest.wait()
                self._remove_oldest()
                yield outcome
            if self._error is not None:
                raise self._error
        finally:
            self.end()

    def end(self, error: Exception | None = None) -> None:
        """Stops reading; `outcomes` still yields the submitted batches, then raises `error` if given.

        Only the first call has an effect.
        """
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def _wait_for_room(self) -> bool:
        """Waits until the queue has room; returns False if the stream ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._pending) < self._batch_count_max)
            return not self._ended

    def _submit(self, batch: bytes) -> bool:
        """Submits a batch; returns False if the stream ended first."""
        while not self._ended:
            try:
                pending = self._store.submit(batch)
            except OverloadedError:
                # A pending batch may free room in the store. Without one, the client must retry later.
                if not self._wait_for_answer():
                    raise
                continue
            with self._changed:
                self._pending.append(pending)
                self._changed.notify_all()
            return True
        return False

    def _wait_for_answer(self) -> bool:
        """Waits until a pending batch is answered; returns False if none is pending."""
        with self._changed:
            count_before = len(self._pending)
            self._changed.wait_for(
                lambda: self._ended or len(self._pending) < count_before or count_before == 0
            )
            return count_before > 0

    def _oldest(self) -> PendingWrite | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._pending))
            return self._pending[0] if self._pending else None

    def _remove_oldest(self) -> None:
        with self._changed:
            self._pending.popleft()
            self._changed.notify_all()
