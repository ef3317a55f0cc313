"""Removal of files that the catalogue no longer names, put off while readers may need them."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock

from pegcount import core
from pegcount.store.readers import ReadersLock

_LOG = logging.getLogger(__name__)


class ReplacedFiles:
    """Files that wait for removal. After a crash, the next start removes them as leftovers. Thread-safe."""

    def __init__(
        self, directory: Path, reader_stalled_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Opens the lock of the readers; raises StoreOpenError if that fails.

        `clock` returns seconds that never go back.
        """
        self._directory = directory
        self._lock = Lock()
        self._readers = ReadersLock(directory)
        self._stalled_seconds = reader_stalled_seconds
        self._clock = clock
        self._paths: set[Path] = set()
        self._first_journal = 0
        self._remove_journal_before: Callable[[int], None] | None = None
        self._waiting_since: float | None = None
        self._logged_at = 0.0

    def remove(self, paths: Iterable[Path]) -> None:
        """Removes files now, or in a later round while readers are in, or if that fails."""
        with self._lock:
            self._paths.update(paths)
            self._try_to_remove()

    def remove_journal_before(self, first: int, engine: core.Engine) -> None:
        """Does the same with the journal files of a store before a number, which the store has released."""
        with self._lock:
            self._first_journal = max(first, self._first_journal)
            self._remove_journal_before = engine.remove_journal_before
            self._try_to_remove()

    def remove_waiting(self) -> None:
        """Removes all files that wait, unless readers are in. Raises OSError if that fails."""
        with self._lock:
            self._remove_if_allowed()

    @property
    def has_waiting(self) -> bool:
        """Whether a file waits for its removal."""
        with self._lock:
            return bool(self._paths) or self._remove_journal_before is not None

    def close(self) -> None:
        """Leaves the files that still wait to the next owner."""
        self._readers.close()

    def _try_to_remove(self) -> None:
        # A committed flush must not count as failed; the next round tries again and raises the error.
        with suppress(OSError):
            self._remove_if_allowed()

    def _remove_if_allowed(self) -> None:
        if not self._paths and self._remove_journal_before is None:
            return
        with self._readers.without_readers() as is_allowed:
            if is_allowed:
                self._remove_now()
            else:
                self._note_readers()

    def _remove_now(self) -> None:
        """Removes all files that can be removed; raises the first error once it has tried each."""
        self._waiting_since = None
        failures = list[OSError]()
        removals: list[Callable[[], None]] = [self._remove_journal]
        removals += [partial(self._remove_path, path) for path in sorted(self._paths)]
        for remove in removals:
            try:
                remove()
            except OSError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def _remove_journal(self) -> None:
        if self._remove_journal_before is not None:
            self._remove_journal_before(self._first_journal)
            self._remove_journal_before = None

    def _remove_path(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._paths.discard(path)

    def _note_readers(self) -> None:
        """Logs readers that have been in for long: the disk fills up meanwhile."""
        now = self._clock()
        if self._waiting_since is None:
            self._waiting_since = self._logged_at = now
        elif now - self._logged_at >= self._stalled_seconds:
            self._logged_at = now
            _LOG.warning(
                "%d replaced files have waited for %.0f s until a backup or an export has read %s",
                len(self._paths) + self._journal_file_count(),
                now - self._waiting_since,
                self._directory,
            )

    def _journal_file_count(self) -> int:
        if self._remove_journal_before is None:
            return 0
        return sum(number < self._first_journal for number in core.journal_sequences(self._directory))
