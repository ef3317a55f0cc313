"""The batches of a dual write: each goes to the primary, then to the follower, then it is acknowledged.

    submit -> primary -> one thread: waits, drops what was rejected -> follower -> one thread: waits -> answer

The primary alone judges records. The follower gets those that the primary took, and must take all of them. A
batch that only the primary took is not acknowledged: its sender sends it again, and both stores have it then.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Condition, Event, Thread
from typing import Final

from google.protobuf.message import DecodeError

from pegcount.config import LiveConfig
from pegcount.core import CancelToken, RecordScope
from pegcount.errors import (
    MalformedMessageError,
    MoveInProgressError,
    OverloadedError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from pegcount.store.interface import Store
from pegcount.store.pending_write import PendingWrite
from pegcount.v1.records_pb2 import WriteRecordsRequest, WriteRecordsResponse

_LOG = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.025
"""Seconds between two looks at the token of a caller that waits."""
_RETRY_SECONDS: Final = 1.0


class DualPendingWrite(PendingWrite):
    """A batch on its way through both stores."""

    def __init__(self, batch: bytes, at_primary: PendingWrite, cancel_token: CancelToken) -> None:
        self.batch = batch
        self.at_primary = at_primary
        self.at_follower: PendingWrite | None = None
        """Set once the primary has it on disk and the follower has got it; None also if it needs none."""
        self.response = b""
        self._cancel_token = cancel_token
        self._failure: Exception | None = None
        self._ended = Event()

    def wait_for_response(self) -> bytes:
        """Returns the answer of the primary; see `PendingWrite.wait_for_response`."""
        while not self._ended.wait(_LOOK_SECONDS):
            self._cancel_token.check()
        if self._failure is not None:
            raise self._failure
        return self.response

    @property
    def rejected_bytes(self) -> int:
        """Bytes of the rejected records; see `PendingWrite.rejected_bytes`."""
        return self.at_primary.rejected_bytes

    def end(self, failure: Exception | None = None) -> None:
        """Tells who waits that both stores have the batch, or why not."""
        self._failure = failure
        self._ended.set()


class DualBatches:
    """Takes batches in for both stores. Thread-safe."""

    def __init__(
        self, primary: Store, follower: Store, live: LiveConfig, follower_fault: Callable[[], str | None]
    ) -> None:
        """`follower_fault` returns why the follower must get no batch now; None: it may."""
        self._follower_fault = follower_fault
        self._primary = primary
        self._follower = follower
        self._live = live
        self._changed = Condition()
        self._in_flight_bytes = 0
        self._in_flight_count = 0
        self._is_paused = False
        self.failed_count = 0
        """Batches that the follower did not take."""
        self._of_primary = SimpleQueue[DualPendingWrite | None]()
        self._of_follower = SimpleQueue[DualPendingWrite | None]()
        self._threads = [
            Thread(target=self._hand_on, name="dual-primary", daemon=True),
            Thread(target=self._finish, name="dual-follower", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of the batches that one of the stores does not have on disk yet."""
        return self._in_flight_bytes

    def submit(
        self, batch: bytes, cancel_token: CancelToken, writer: RecordScope | None = None
    ) -> PendingWrite:
        """Submits a batch to the primary, and hands it on once that has it; see `Store.submit`.

        Raises MoveInProgressError for corrections: which version one becomes depends on those that are held,
        of which the follower may lack some until the old records are there.
        """
        if _is_correction(batch):
            raise MoveInProgressError(
                "records move to another store, which may lack what a correction corrects; send the"
                " corrections again when the move has ended and the server has one store"
            )
        cancel_token.check()
        self._enter(len(batch), cancel_token)
        try:
            # It goes on to the follower also if its caller leaves: so the two stay equal.
            pending = DualPendingWrite(
                batch, self._primary.submit(batch, CancelToken(None), writer), cancel_token
            )
        except BaseException:
            self._leave(len(batch))
            raise
        self._of_primary.put(pending)
        return pending

    @contextmanager
    def paused(self, cancel_token: CancelToken) -> Iterator[None]:
        """Has no batch on its way to either store within its block; raises on behalf of the token."""
        with self._changed:
            while self._is_paused:
                self._wait(cancel_token)
            self._is_paused = True
        try:
            self.wait_until_idle(cancel_token)
            yield
        finally:
            with self._changed:
                self._is_paused = False
                self._changed.notify_all()

    def wait_until_idle(self, cancel_token: CancelToken) -> None:
        """Waits until no batch is on its way to either store; raises on behalf of the token."""
        with self._changed:
            while self._in_flight_count:
                self._wait(cancel_token)

    def close(self) -> None:
        """Takes the batches on their way through both stores."""
        self._of_primary.put(None)
        for thread in self._threads:
            thread.join()

    def _enter(self, size: int, cancel_token: CancelToken) -> None:
        config = self._live.now
        with self._changed:
            while self._is_paused:
                self._wait(cancel_token)
            if (fault := self._follower_fault()) is not None:
                raise StoreUnavailableError(f"the follower: {fault}", _RETRY_SECONDS)
            # The follower has room for as much, so that it refuses none that the primary has taken.
            if self._in_flight_count and self._in_flight_bytes + size > config.waiting_bytes_max:
                text = f"batches of {self._in_flight_bytes} bytes are on their way to two stores"
                raise OverloadedError(text, config.overload_retry_seconds)
            self._in_flight_count += 1
            self._in_flight_bytes += size

    def _leave(self, size: int) -> None:
        with self._changed:
            self._in_flight_count -= 1
            self._in_flight_bytes -= size
            self._changed.notify_all()

    def _wait(self, cancel_token: CancelToken) -> None:
        cancel_token.check()
        self._changed.wait(_LOOK_SECONDS)

    def _hand_on(self) -> None:
        while (pending := self._of_primary.get()) is not None:
            try:
                pending.response = pending.at_primary.wait_for_response()
            except Exception as error:
                self._end(pending, error)
                continue
            try:
                taken = _taken(pending.batch, pending.response)
                if taken is not None:
                    pending.at_follower = self._follower.submit(taken, CancelToken(None))
            except Exception as error:
                self._fail(pending, error)
            else:
                self._of_follower.put(pending)
        self._of_follower.put(None)

    def _finish(self) -> None:
        while (pending := self._of_follower.get()) is not None:
            try:
                if pending.at_follower is not None:
                    _require_all_taken(pending.at_follower.wait_for_response())
            except Exception as error:
                self._fail(pending, error)
            else:
                self._end(pending)

    def _fail(self, pending: DualPendingWrite, error: Exception) -> None:
        self.failed_count += 1
        if isinstance(error, StoreUnavailableError):
            error = StoreUnavailableError(f"the follower: {error}", _RETRY_SECONDS)
        elif isinstance(error, StoreReadOnlyError):
            error = StoreReadOnlyError(f"the follower: {error}")
        self._end(pending, error)

    def _end(self, pending: DualPendingWrite, failure: Exception | None = None) -> None:
        size = len(pending.batch)
        pending.end(failure)
        self._leave(size)


def _is_correction(batch: bytes) -> bool:
    try:
        return WriteRecordsRequest.FromString(batch).correct
    except DecodeError as error:
        raise MalformedMessageError(f"the batch is no valid message: {error}") from error


def _taken(batch: bytes, response: bytes) -> bytes | None:
    """Returns a batch without the records that the primary has rejected; None: those are all."""
    rejected = {each.index for each in WriteRecordsResponse.FromString(response).rejected}
    if not rejected:
        return batch
    request = WriteRecordsRequest.FromString(batch)
    for index in sorted(rejected, reverse=True):
        del request.records[index]
    return request.SerializeToString() if request.records else None


def _require_all_taken(response: bytes) -> None:
    """Raises StoreUnavailableError if the follower has rejected a record that the primary has taken."""
    rejected = WriteRecordsResponse.FromString(response).rejected
    if rejected:
        first = rejected[0].description
        text = f"rejects {len(rejected)} records that the primary has taken, the first: {first}"
        _LOG.error("the follower %s", text)
        raise StoreUnavailableError(text, _RETRY_SECONDS)
