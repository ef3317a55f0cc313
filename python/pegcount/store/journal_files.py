"""Creation of journal files.

The catalogue names each one before it takes batches, so that a start can tell which ones must exist.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from pegcount import core
from pegcount.errors import PegcountError, StoreReadOnlyError
from pegcount.store.catalog import Catalog


class JournalFiles:
    """Opens the journal file of a store. Thread-safe."""

    def __init__(self, catalog: Catalog, engine: core.Engine) -> None:
        self._catalog = catalog
        self._engine = engine
        self._lock = Lock()

    def require_open(self) -> None:
        """Opens a file if none is open; if that fails, commits raise the fault of the engine."""
        if not self._engine.has_journal:
            with self._lock, suppress(OSError, PegcountError):
                if not self._engine.has_journal:
                    self._open()

    def reopen(self) -> None:
        """Opens a new file after a fault; if that fails, the fault of the engine says why."""
        with self._lock, suppress(OSError, PegcountError):
            self._open()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Creates the file to which `core.Engine.begin_flush` switches in the block.

        Raises OSError or StoreReadOnlyError if that fails.
        """
        missing = self._engine.missing_file()
        if missing is not None and not missing.is_journal:
            raise StoreReadOnlyError(missing.problem)
        with self._lock:
            self._create()
            yield

    def _open(self) -> None:
        if self._engine.missing_file() is None:
            self._create()
            self._engine.use_journal()

    def _create(self) -> None:
        sequence = self._engine.create_journal()
        predecessor = core.journal_predecessor(self._catalog.path.parent, sequence)
        try:
            self._catalog.add_journal(sequence, sequence if predecessor is None else predecessor)
        except PegcountError as error:
            if not self._engine.has_journal:
                self._engine.set_fault(str(error))
            raise
