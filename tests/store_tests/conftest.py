"""The store that several tests begin with; other tests define a `harness` of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, active, finished, write


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    """A store with a segment, an active session, and a record in its journal: those of `ACKNOWLEDGED`."""
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, finished("sealed"), active("active"))
        harness.flush()
        write(harness.store, finished("journaled"))
        yield harness
