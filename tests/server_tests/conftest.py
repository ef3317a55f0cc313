"""Services for the tests of the server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pegcount.config import Config
from service import Service


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts services with limits of `Config`, and closes them after the test."""
    with ExitStack() as started:

        def start_service(**limits: object) -> Service:
            config = Config(**limits)  # type: ignore[arg-type]
            return started.enter_context(Service(tmp_path, config))

        yield start_service
