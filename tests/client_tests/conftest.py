"""A service with records, shared by the tests that only read."""

from collections.abc import Iterator

import pytest
from service import Service

from client_tests.report_records import served_records


@pytest.fixture(scope="package")
def records_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serves the records of `report_records`; a test must not write to it."""
    with served_records(tmp_path_factory.mktemp("records")) as service:
        yield service
