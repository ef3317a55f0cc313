"""What a store does when another program removed or changed a file that it needs.

It says so, acknowledges nothing, and writes the file anew if it can.
The core looks at these files before it acknowledges a batch, see `core.Engine.require_files`.
"""

import logging
from collections.abc import Callable

from pegcount import core
from pegcount.store.catalog import Catalog
from pegcount.store.directory import DirectoryLock

_LOG = logging.getLogger(__name__)


class RequiredFiles:
    """Restores the required files of one store."""

    def __init__(
        self, owner: DirectoryLock, catalog: Catalog, engine: core.Engine, *, rewrite: Callable[[], None]
    ) -> None:
        """`rewrite` writes all records of memory into files, so that the present journal is not needed."""
        self._owner = owner
        self._catalog = catalog
        self._engine = engine
        self._rewrite = rewrite
        self._logged: str | None = None
        catalog.on_file_change = self._require
        self._require()

    def close(self) -> None:
        """Lets go of the store, so that its files are unmapped without a garbage collection."""
        self._catalog.on_file_change = self._rewrite = _nothing

    def check(self) -> None:
        """Restores the first file that is missing, if it can.

        Until it is restored, no batch is acknowledged. Raises OSError or PegcountError if that fails.
        """
        missing = self._engine.missing_file()
        if missing is None:
            self._logged = None
            return
        if missing.problem != self._logged:
            self._logged = missing.problem
            _LOG.error("%s; until it is back, no batch is acknowledged", missing.problem)
        if missing.is_journal:
            self._rewrite()
            _LOG.warning("the records of %s are in new files now", missing.name)
        elif self._restore(missing.name):
            _LOG.warning("%s was written anew", missing.name)

    def _restore(self, name: str) -> bool:
        """Writes a file anew; returns whether it can be."""
        if name == "lock":
            self._owner.restore_file()
            self._require()
        elif name == "catalog.db":
            self._catalog.restore_missing_file()
        return name in ("lock", "catalog.db")

    def _require(self) -> None:
        # The core adds the journal files.
        self._engine.require_files([*self._owner.required_files(), self._catalog.required_file])


def _nothing() -> None:
    pass
