"""Settings documents in a data directory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pegcount.errors import DocumentChangedError
from pegcount.store.catalog import Catalog

from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as opened:
        yield opened


def test_documents_survive_a_kill(harness: StoreHarness) -> None:
    version = harness.store.put_document("keys/1", b"\0bytes", None)
    harness.reopen_after_kill()
    document = harness.store.document("keys/1")
    assert document is not None
    assert (document.version, document.content) == (version, b"\0bytes")
    assert harness.store.put_document("keys/1", b"", version) > version


def test_a_deleted_document_gets_a_greater_version_when_it_is_made_anew(harness: StoreHarness) -> None:
    first = harness.store.put_document("a", b"1", None)
    deleted = harness.store.put_document("a", None, first)
    harness.reopen()
    assert harness.store.document("a") is None
    assert harness.store.put_document("a", b"1", None) > deleted > first


def test_of_many_writers_of_one_version_one_succeeds(harness: StoreHarness) -> None:
    def put(number: int) -> int | None:
        try:
            return harness.store.put_document("a", b"%d" % number, None)
        except DocumentChangedError:
            return None

    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(put, range(32)))
    assert len([version for version in versions if version is not None]) == 1


def test_documents_are_not_among_the_settings_of_the_store(harness: StoreHarness) -> None:
    harness.store.put_document("retention_days", b"7", None)
    assert harness.store.retention().days is None
    harness.store.close()
    catalog = Catalog(harness.directory, read_only=True)
    try:
        assert "document/retention_days" not in catalog.settings()
    finally:
        catalog.close()
    harness.reopen()
