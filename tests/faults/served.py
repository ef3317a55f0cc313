"""`pegcount serve` with limits so low that it flushes and compacts continually: `python -m faults.served
DIRECTORY`."""

import signal
import sys
import threading
from pathlib import Path

from pegcount.config import Config
from pegcount.server import RunningServer
from pegcount.store import EmbeddedStore

CONFIG = Config(
    seal_row_count=300,
    seal_age_seconds=0.3,
    journal_bytes_max=100_000,
    segment_row_count_max=4_000,
    maintenance_seconds=0.02,
)


def main(directory: str) -> None:
    """Serves until SIGTERM arrives."""
    serve(Path(directory), CONFIG)


def serve(directory: Path, config: Config) -> None:
    """Serves a directory with a configuration until SIGTERM arrives."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    store = EmbeddedStore(directory, config, create=True)
    try:
        server = RunningServer(config, store, "127.0.0.1:0")
        print(f"listening on 127.0.0.1:{server.port}", flush=True)
        stop.wait()
        server.stop()
    finally:
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
