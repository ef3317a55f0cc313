"""Latency of acknowledgements and reports while the store flushes, compacts and copies active sessions.

A writer sends batches at a steady rate, and a reader runs a small report every few milliseconds: first
with background work off, then with continual background work. `--help` lists the options.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from ingest_feed import make_feed
from pegcount import core
from pegcount.config import Config
from pegcount.model import Measure, OneOf, Scan
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import SESSION_EVENT_START, WriteRecordsRequest

SEED = 20_260_301
LIMIT_MS = 50.0
"""Limit of the 99th percentile."""
NEVER = 10**12
QUIET = Config(seal_row_count=NEVER, seal_age_seconds=1e9, journal_bytes_max=NEVER)
BUSY = Config(
    seal_row_count=20_000, maintenance_seconds=0.05, journal_bytes_max=1, segment_row_count_max=10**6
)


@dataclass
class Waits:
    """Seconds that each acknowledgement and each report took."""

    acknowledged: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        both = (self.acknowledged, self.answered)
        cells = [f"{_percentile(waits, p) * 1e3:9.2f}" for waits in both for p in (50, 99, 100)]
        return f"{name:<24}{''.join(cells)}"


def main() -> None:
    """Prints the table."""
    options = _options()
    feed = make_feed(options.records, options.batch, SEED)
    starts = [_as_starts(batch) for batch in make_feed(options.active, 5_000, SEED + 1).batches]
    print(f"{'ms':<24}{'ack p50':>9}{'p99':>9}{'max':>9}{'ask p50':>9}{'p99':>9}{'max':>9}")
    for name, config in (("background work off", QUIET), ("sealing all the time", BUSY)):
        with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
            waits, segment_count = _measure(Path(scratch), config, starts, feed.batches, options)
        print(waits.line(name), f" {segment_count} segment files written")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=400_000, help="records written in total")
    parser.add_argument("--batch", type=int, default=500, help="records per batch")
    parser.add_argument("--rate", type=int, default=20_000, help="records per second")
    parser.add_argument("--active", type=int, default=100_000, help="sessions that stay active")
    parser.add_argument("--scratch", type=Path, default=None, help="directory for the data")
    return parser.parse_args()


def _as_starts(batch: bytes) -> bytes:
    request = WriteRecordsRequest.FromString(batch)
    for record in request.records:
        record.event = SESSION_EVENT_START
        record.source = "active"
        record.ClearField("end_time")
    return request.SerializeToString()


def _measure(
    directory: Path,
    config: Config,
    starts: list[bytes],
    batches: Sequence[bytes],
    options: argparse.Namespace,
) -> tuple[Waits, int]:
    store = EmbeddedStore(directory, config, create=True)
    waits, ended = Waits(), threading.Event()
    for batch in starts:
        store.write(batch)
    reader = threading.Thread(target=_read, args=(store, waits.answered, ended))
    reader.start()
    _write(store, batches, options.batch / options.rate, waits.acknowledged)
    ended.set()
    reader.join()
    highest = max((int(path.stem) for path in directory.glob("segments/*/*.arrow")), default=0)
    store.close()
    return waits, highest // 1_000


def _write(store: EmbeddedStore, batches: Sequence[bytes], pause: float, waits: list[float]) -> None:
    due = time.perf_counter()
    for batch in batches:
        time.sleep(max(0.0, due - time.perf_counter()))
        waits.append(_timed(lambda batch=batch: store.write(batch)))  # type: ignore[misc]
        due += pause


def _read(store: EmbeddedStore, waits: list[float], ended: threading.Event) -> None:
    for account in cycle(range(1, 50)):
        if ended.wait(0.005):
            return
        predicates = (OneOf("account_id", (str(account),)),)
        scan = Scan(None, predicates, (), Measure("calls"))
        waits.append(_timed(lambda scan=scan: store.partials(scan, 10**6, core.CancelToken(None))))  # type: ignore[misc]


def _timed(work: Callable[[], object]) -> float:
    start_time = time.perf_counter()
    work()
    return time.perf_counter() - start_time


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


if __name__ == "__main__":
    main()
