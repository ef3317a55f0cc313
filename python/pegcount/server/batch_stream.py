"""One stream of batches, between the thread that reads and the thread that answers."""

from collections import deque
from collections.abc import Iterator
from threading import Condition

from pegcount.errors import OverloadedError
from pegcount.model import WriteOutcome
from pegcount.store import PendingWrite, Store


class BatchStream:
    """Batches that were read and not answered yet, in order; never more than `batch_count_max`.

    While there are that many nothing is read, so that HTTP/2 holds the client back.
    """

    def __init__(self, store: Store, batch_count_max: int) -> None:
        self._store = store
        self._batch_count_max = batch_count_max
        self._changed = Condition()
        self._pending: deque[PendingWrite] = deque()
        self._ended = False
        self._error: Exception | None = None

    def read(self, batches: Iterator[bytes]) -> None:
        """Submits batches until they end, or one is refused, or the stream is ended."""
        try:
            while self._has_room():
                batch = next(batches, None)
                if batch is None or not self._submit(batch):
                    break
        except Exception as error:
            self.end(error)
        else:
            self.end()

    def outcomes(self) -> Iterator[WriteOutcome]:
        """What became of each batch, in order, each as soon as it is durable.

        Raises what ended the stream, once all batches before it are answered.
        """
        try:
            while (oldest := self._oldest()) is not None:
                outcome = oldest.wait()
                self._forget_oldest()
                yield outcome
            if self._error is not None:
                raise self._error
        finally:
            self.end()

    def end(self, error: Exception | None = None) -> None:
        """Reads no more; what was read is still answered, then `error` is raised.

        Only the first call counts.
        """
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Waits for room; whether there is any, which an ended stream has not."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._pending) < self._batch_count_max)
            return not self._ended

    def _submit(self, batch: bytes) -> bool:
        """Whether the batch was still wanted when it came."""
        while not self._ended:
            try:
                pending = self._store.submit(batch)
            except OverloadedError:
                # What is on its way already makes room; without any the caller has to try again later.
                if not self._wait_for_an_answer():
                    raise
                continue
            with self._changed:
                self._pending.append(pending)
                self._changed.notify_all()
            return True
        return False

    def _wait_for_an_answer(self) -> bool:
        """Whether there was a batch to wait for."""
        with self._changed:
            before = len(self._pending)
            self._changed.wait_for(lambda: self._ended or len(self._pending) < before or before == 0)
            return before > 0

    def _oldest(self) -> PendingWrite | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._pending))
            return self._pending[0] if self._pending else None

    def _forget_oldest(self) -> None:
        with self._changed:
            self._pending.popleft()
            self._changed.notify_all()
