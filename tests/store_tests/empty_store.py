"""A store without records, with which many tests begin."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    """Its directory is `tmp_path / "data"`."""
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        yield harness
