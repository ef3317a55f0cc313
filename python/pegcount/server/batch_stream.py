"""One stream of batches, between the thread that reads and the thread that answers."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from threading import Condition

import grpc

from pegcount.errors import CancelledError
from pegcount.model import WriteOutcome
from pegcount.server.batch_id import batch_id_of
from pegcount.store import PendingWrite, Store


class BatchStream:
    """Batches that were read and not answered yet, in order; never more than `batch_count_max`.

    While there are that many nothing is read, so that HTTP/2 holds the client back.
    """

    def __init__(self, store: Store, batch_count_max: int) -> None:
        self._store = store
        self._batch_count_max = batch_count_max
        self._changed = Condition()
        self._pending: deque[tuple[str | None, PendingWrite]] = deque()
        self._ended = False
        self._error: Exception | None = None

    def read(self, batches: Iterator[bytes]) -> None:
        """Submits batches until they end, or one is refused, or the stream is ended."""
        try:
            while self._has_room():
                batch = _next(batches)
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
                batch_id, pending = oldest
                outcome = replace(pending.wait(), batch_id=batch_id)
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
        with self._changed:
            if self._ended:
                return False
        pending = self._store.submit(batch)
        with self._changed:
            self._pending.append((batch_id_of(batch), pending))
            self._changed.notify_all()
        return True

    def _oldest(self) -> tuple[str | None, PendingWrite] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._pending))
            return self._pending[0] if self._pending else None

    def _forget_oldest(self) -> None:
        with self._changed:
            self._pending.popleft()
            self._changed.notify_all()


def _next(batches: Iterator[bytes]) -> bytes | None:
    """The next batch, None after the last; gRPC raises where the caller has gone."""
    try:
        return next(batches, None)
    except grpc.RpcError as error:
        raise CancelledError("the caller has gone") from error
