"""Why a store cannot take batches: the faults of its journal, which the engine knows, and further ones."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic

from pegcount import core
from pegcount.config import Config
from pegcount.store.file_copy import free_bytes

_LOG = logging.getLogger(__name__)


class WriteFaults:
    """Notes how flushes end, looks at the disk before the first batch, and logs when a fault begins and ends.

    Thread-safe.
    """

    def __init__(self, directory: Path, engine: core.Engine, config: Config) -> None:
        self._directory = directory
        self._engine = engine
        self._config = config
        self._flush_failure: str | None = None
        self._lock = Lock()
        self._batches = _FaultLog("no batch is acknowledged", "batches are acknowledged again")
        self._flushes = _FaultLog("flushes fail and will be tried again", "flushes succeed again")

    @contextmanager
    def noting_flush(self) -> Iterator[None]:
        """Notes whether the flush in its block fails or succeeds."""
        try:
            yield
        except BaseException as failure:
            # An error of the operating system that Python raised names a path, which callers must not learn.
            self._note_flush(getattr(failure, "strerror", None) or str(failure))
            raise
        self._note_flush(None)

    def _note_flush(self, failure: str | None) -> None:
        with self._lock:
            self._flush_failure = failure
            self._flushes.note(failure)

    def fault(self) -> str | None:
        """Returns why batches are refused now, None if they are not; logs it if that has changed."""
        # Within the lock: of two threads, the one that looked first must log first.
        with self._lock:
            fault = self._engine.fault or self.flush_fault() or self._full_disk()
            self._batches.note(fault)
        return fault

    def flush_fault(self) -> str | None:
        """Returns why no flush makes room for batches, None if there is room or the last one succeeded."""
        limit, failure = self._config.unsealed_row_count_max, self._flush_failure
        if failure is None or (count := self._engine.memory_rows.finished) <= limit:
            return None
        return (
            f"{count} records wait to be sealed, more than unsealed_row_count_max ({limit}), and to seal them"
            f" failed: {failure}"
        )

    def _full_disk(self) -> str | None:
        """Returns why the first journal file would have no room; later ones have faults of their own."""
        if self._engine.has_journal:
            return None
        needed = self._config.tuning.trial_write_bytes_min
        # What is wrong with a directory that cannot be looked at shows elsewhere.
        with suppress(OSError):
            if (free := free_bytes(self._directory)) < needed:
                return f"the disk has {free} bytes free, less than trial_write_bytes_min ({needed})"
        return None


class _FaultLog:
    """Logs once that a fault has begun, and once that it has ended."""

    def __init__(self, begin: str, end: str) -> None:
        self._begin = begin
        self._end = end
        self._begin_s: float | None = None

    def note(self, fault: str | None) -> None:
        """Takes what is wrong now, None if nothing is."""
        if fault is not None and self._begin_s is None:
            self._begin_s = monotonic()
            _LOG.error("%s: %s", self._begin, fault)
        elif fault is None and self._begin_s is not None:
            _LOG.warning("%s, after %.1f s", self._end, monotonic() - self._begin_s)
            self._begin_s = None
