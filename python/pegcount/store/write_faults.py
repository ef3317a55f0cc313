"""Why a store cannot take batches, beyond the faults of its journal, which the engine knows."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.store.file_copy import free_bytes


class WriteFaults:
    """Notes how flushes end, and looks at the disk before the first batch."""

    def __init__(self, directory: Path, engine: core.Engine, config: Config) -> None:
        self._directory = directory
        self._engine = engine
        self._config = config
        self._flush_failure: str | None = None

    @contextmanager
    def noting_flush(self) -> Iterator[None]:
        """Notes whether the flush in its block fails or succeeds."""
        try:
            yield
        except BaseException as failure:
            # An error of the operating system that Python raised names a path, which callers must not learn.
            self._flush_failure = getattr(failure, "strerror", None) or str(failure)
            raise
        self._flush_failure = None

    def fault(self) -> str | None:
        """Returns why batches are refused now, None if they are not."""
        return self._engine.fault or self.flush_fault() or self._full_disk()

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
