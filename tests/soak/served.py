"""A server that seals and compacts often, so that a soak sees many rounds: `python -m soak.served DIRECTORY
SEAL_SECONDS`."""

import logging
import signal
import sys
import threading
from pathlib import Path

from pegcount.config import Config
from pegcount.server import RunningServer
from pegcount.store import EmbeddedStore


def main(directory: str, seal_seconds: str) -> None:
    """Serves until SIGTERM arrives."""
    logging.basicConfig(level=logging.WARNING)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    config = Config(seal_age_seconds=float(seal_seconds))
    store = EmbeddedStore(Path(directory), config, create=True)
    try:
        server = RunningServer(config, store, "127.0.0.1:0")
        print(f"listening on 127.0.0.1:{server.port}", flush=True)
        stop.wait()
        server.stop()
    finally:
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
