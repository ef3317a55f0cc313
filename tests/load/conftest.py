"""Servers over a small and over a larger store, and this process on the core of the clients."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dear_reports import batches
from pegcount.config import Config
from pegcount.store import EmbeddedStore

from load.dear_requests import fill
from load.guard import Guard
from load.pinned_server import CLIENT_CORES, PinnedServer, serving
from load.traffic import ACCOUNT, batch

_RECORD_COUNT = 20_000
_BATCH_RECORDS = 5_000
_DISTINCT_SESSION_COUNT, _DISTINCT_CALL_COUNT = 150_000, 150_000


@pytest.fixture(scope="session", autouse=True)
def _on_the_core_of_the_clients() -> None:
    # Processes that tests start inherit it, except the server.
    os.sched_setaffinity(0, CLIENT_CORES)


@pytest.fixture(scope="session")
def filled_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("filled") / "data"
    store = EmbeddedStore(directory, Config(), create=True)
    for first in range(0, _RECORD_COUNT, _BATCH_RECORDS):
        store.write(batch(ACCOUNT, first, _BATCH_RECORDS))
    store.flush()
    store.close()
    return directory


@pytest.fixture
def directory(filled_directory: Path, tmp_path: Path) -> Path:
    """A data directory with a day of calls, for one test."""
    return Path(shutil.copytree(filled_directory, tmp_path / "data"))


@pytest.fixture
def server(directory: Path) -> Iterator[PinnedServer]:
    with serving(directory) as running:
        yield running


@pytest.fixture(params=["plain", "tls-and-key"])
def has_guard(request: pytest.FixtureRequest) -> bool:
    """Whether the server of a test is reached through TLS and with a key."""
    return bool(request.param == "tls-and-key")


@pytest.fixture
def any_server(directory: Path, tmp_path: Path, has_guard: bool) -> Iterator[PinnedServer]:
    """A server in plain text, and another one with TLS that asks for a key."""
    with serving(directory, guard=Guard(directory, tmp_path) if has_guard else None) as running:
        yield running


@pytest.fixture(scope="session")
def dear_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dear") / "data"
    fill(directory)
    return directory


@pytest.fixture
def dear_server(dear_directory: Path, tmp_path: Path) -> Iterator[PinnedServer]:
    """A server with a year of calls and many active sessions."""
    with serving(Path(shutil.copytree(dear_directory, tmp_path / "data"))) as running:
        yield running


@pytest.fixture
def any_dear_server(dear_directory: Path, tmp_path: Path, has_guard: bool) -> Iterator[PinnedServer]:
    """As `dear_server`, once in plain text and once with TLS and a key."""
    directory = Path(shutil.copytree(dear_directory, tmp_path / "data"))
    with serving(directory, guard=Guard(directory, tmp_path) if has_guard else None) as running:
        yield running


@pytest.fixture(scope="session")
def distinct_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory in which each session is a group of its own, for tests that write nothing."""
    directory = tmp_path_factory.mktemp("distinct") / "data"
    store = EmbeddedStore(directory, Config(), create=True)
    for records in batches(_DISTINCT_SESSION_COUNT, _DISTINCT_CALL_COUNT):
        store.write(records)
    store.flush()
    store.close()
    return directory


@pytest.fixture
def distinct_server(distinct_directory: Path) -> Iterator[PinnedServer]:
    with serving(distinct_directory) as running:
        yield running
