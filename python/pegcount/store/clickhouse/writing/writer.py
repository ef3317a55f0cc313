"""Takes batches in, and makes them durable in groups.

    submit (decoded in the thread of its caller) -> queue -> one thread: group after group -> waiting callers

While one group is committed, the batches of the next one gather, so that a commit takes as many batches as
arrive in the time that one takes. Groups follow each other, so the batches of a caller keep their order.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Condition, Event, Lock, Thread
from typing import Final

from pegcount import core
from pegcount.config import LiveConfig
from pegcount.core import CancelToken
from pegcount.errors import (
    CancelledError,
    DeadlineError,
    OverloadedError,
    PegcountError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from pegcount.store.clickhouse.writing.group_commit import GroupCommit, GroupTimes
from pegcount.store.pending_write import PendingWrite

_LOG = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.025
"""Seconds between two looks at the token of a caller that waits."""
_RETRY_SECONDS: Final = 1.0
_FAULT_SECONDS: Final = 5.0
"""Seconds for which a fault lasts without another batch that fails: only the next one tells whether it has
ended, and none comes while a load balancer sends them elsewhere because of the fault."""


class PendingLedgerWrite(PendingWrite):
    """A submitted batch."""

    def __init__(
        self,
        batch: core.LedgerBatch,
        writer: core.RecordScope | None,
        received_us: int,
        size: int,
        cancel_token: CancelToken,
    ) -> None:
        self.batch = batch
        self.writer = writer
        self.received_us = received_us
        self.size = size
        """Bytes of the request."""
        self._cancel_token = cancel_token
        self._ended = Event()
        self._response = b""
        self._failure: Callable[[], BaseException] | None = None

    def wait_for_end(self, cancel_token: CancelToken) -> None:
        """Waits until the batch is durable or has failed; raises on behalf of the token."""
        while not self._ended.wait(_LOOK_SECONDS):
            cancel_token.check()

    def wait_for_response(self) -> bytes:
        """Returns the serialized response; see `PendingWrite.wait_for_response`."""
        self.wait_for_end(self._cancel_token)
        if self._failure is not None:
            raise self._failure()
        return self._response

    @property
    def rejected_bytes(self) -> int:
        """Bytes of the rejected records; see `PendingWrite.rejected_bytes`."""
        return self.batch.rejected_bytes

    def end(self, response: bytes) -> None:
        """Tells those who wait that the batch is durable."""
        self._response = response
        self._ended.set()

    def fail(self, failure: Callable[[], BaseException]) -> None:
        """Tells those who wait that it is not; each of them raises an error of its own."""
        self._failure = failure
        self._ended.set()


class LedgerWriter:
    """Writes batches to the cluster. Thread-safe."""

    def __init__(
        self,
        group_commit: GroupCommit,
        live: LiveConfig,
        clock: Callable[[], int],
        oldest_us: Callable[[], int],
    ) -> None:
        """`clock` returns the present time, `oldest_us` the earliest setup time of new records."""
        self._group_commit = group_commit
        self._live = live
        self._clock = clock
        self._oldest_us = oldest_us
        self._lock = Lock()
        self._has_changed = Condition(self._lock)
        self._queue: deque[PendingLedgerWrite] = deque()
        self._queued_bytes = 0
        self._at_work: list[PendingLedgerWrite] = []
        """The batches of the group that is being committed."""
        self._is_closed = False
        self._fault: str | None = None
        self._failed_s = float("-inf")
        self.group_count = 0
        self.batch_count = 0
        self._thread = Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str | None:
        """Why groups could not be made durable in the last seconds, None if the last one could."""
        return self._fault if time.monotonic() < self._failed_s + _FAULT_SECONDS else None

    @property
    def queued_bytes(self) -> int:
        """Bytes of the batches that wait for a commit."""
        return self._queued_bytes

    def submit(
        self, batch: bytes, cancel_token: CancelToken, writer: core.RecordScope | None = None
    ) -> PendingLedgerWrite:
        """Enqueues a batch for the next group; see `Store.submit`."""
        cancel_token.check()
        config = self._live.now
        decoded = core.LedgerBatch(batch, config)
        pending = PendingLedgerWrite(decoded, writer, self._clock(), len(batch), cancel_token)
        with self._lock:
            if self._is_closed:
                raise StoreReadOnlyError("the store is closed")
            if self._queue and self._queued_bytes + len(batch) > config.waiting_bytes_max:
                raise OverloadedError(
                    f"batches of {self._queued_bytes} bytes wait to be written",
                    config.overload_retry_seconds,
                )
            self._queue.append(pending)
            self._queued_bytes += pending.size
            self._has_changed.notify()
        return pending

    def wait_for_submitted(self, cancel_token: CancelToken) -> None:
        """Waits until each batch that was submitted before is durable or has failed."""
        with self._lock:
            waited_for = [*self._at_work, *self._queue]
        for pending in waited_for:
            pending.wait_for_end(cancel_token)

    def close(self) -> None:
        """Makes the batches that were submitted durable, or fails them, and takes no further ones."""
        with self._lock:
            self._is_closed = True
            self._has_changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            self._commit(group)

    def _next_group(self) -> list[PendingLedgerWrite]:
        """Waits for batches, and returns those of the next group; none once the writer is closed."""
        row_count_max = self._live.now.tuning.ledger_group_row_count_max
        with self._lock:
            self._has_changed.wait_for(lambda: self._queue or self._is_closed)
            group: list[PendingLedgerWrite] = []
            row_count = 0
            while self._queue and (not group or row_count + self._queue[0].batch.row_count <= row_count_max):
                pending = self._queue.popleft()
                self._queued_bytes -= pending.size
                row_count += pending.batch.row_count
                group.append(pending)
            self._at_work = group
            return group

    def _commit(self, group: list[PendingLedgerWrite]) -> None:
        if self._is_closed and self._fault is not None:
            self._fail(group, StoreUnavailableError(self._fault, _RETRY_SECONDS))
            return
        seconds_max = self._live.now.ledger_commit_seconds_max
        batches = [(pending.batch, pending.writer) for pending in group]
        try:
            times = GroupTimes(self._oldest_us, group[-1].received_us)
            responses = self._group_commit.commit(batches, times, seconds_max)
        except (DeadlineError, CancelledError):
            self._fail(group, StoreUnavailableError("a shard did not take a batch in time", _RETRY_SECONDS))
        except BaseException as error:
            self._fail(group, error)
        else:
            self._fault = None
            self.group_count += 1
            self.batch_count += len(group)
            for pending, response in zip(group, responses, strict=True):
                pending.end(response)

    def _fail(self, group: list[PendingLedgerWrite], error: BaseException) -> None:
        text = str(error)
        if text != self._fault or self.fault is None:
            is_bug = not isinstance(error, PegcountError)
            _LOG.error("batches cannot be written: %s", text, exc_info=error if is_bug else None)
        self._fault, self._failed_s = text, time.monotonic()
        for pending in group:
            pending.fail(partial(_of_one_caller, error))


def _of_one_caller(error: BaseException) -> BaseException:
    """Returns an error of a group as one of its callers raises it."""
    is_momentary = isinstance(error, StoreUnavailableError)
    return StoreUnavailableError(str(error), _RETRY_SECONDS) if is_momentary else error
