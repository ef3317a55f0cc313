"""Services for the tests of the server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.v1.records_pb2 import SESSION_KIND_ASR
from service import Service

from server_tests.example_requests import active_record, call_record
from server_tests.reason_triggers import Open


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services with limits of `Config`, and closes them after the test."""
    with ExitStack() as started:

        def start_service(**limits: object) -> Service:
            config = Config(**limits)  # type: ignore[arg-type]
            return started.enter_context(Service(tmp_path, config))

        yield start_service


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Open]:
    """Opens services over one data directory; each new one closes the previous one."""
    with ExitStack() as services:

        def open_service(config: Config) -> Service:
            services.close()
            service = services.enter_context(Service(tmp_path, config))
            recognition = call_record("r1", kind=SESSION_KIND_ASR, account_id="")
            service.write(call_record("c1"), *(active_record(f"c{i}") for i in (2, 3, 4)))
            service.write(recognition)
            return service

        yield open_service
