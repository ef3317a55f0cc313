"""Asks a store as callers do: through a server of its own, on a socket that only this user reaches."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pegcount.auth import Credentials
from pegcount.client import Client
from pegcount.config import Config
from pegcount.server import Authentication, RunningServer, now_us
from pegcount.store import Store


@contextmanager
def place_of_store(store: Store, timeout_seconds: float) -> Iterator[Client]:
    """Yields a client of an open store.

    Its server asks for no key: whoever opened the store may read all of it, and a store keeps digests of keys
    alone.
    """
    config = Config()
    nobody_is_asked = Authentication(Credentials(config, store, now_us), now_us, is_switched_off=True)
    with tempfile.TemporaryDirectory(prefix="pegcount-") as directory:
        server = RunningServer(config, store, f"unix:{directory}/socket", authentication=nobody_is_asked)
        try:
            with Client(server.addresses[0], timeout_seconds=timeout_seconds) as client:
                yield client
        finally:
            server.stop()
