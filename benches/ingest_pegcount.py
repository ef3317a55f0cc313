"""Pegcount in the ingest bench: embedded, and as a server with a client in another process."""

import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest_feed import Feed, write_batches
from pegcount import core
from pegcount.config import Config
from pegcount.model import WriteOutcome
from pegcount.store import EmbeddedStore, PendingWrite
from server_process import running_pegcount
from subject import Run, run_timed

CLIENT = Path(__file__).with_name("ingest_client.py")
CLIENT_SECONDS_MAX = 600.0


class InProcess:
    """The embedded store, called by several threads with several batches in flight each."""

    def __init__(self, feed: Feed, threads: int, in_flight: int) -> None:
        self.name = f"ours, in process, {threads} x {in_flight} in flight"
        self._feed = feed
        self._threads = threads
        self._in_flight = in_flight

    def run(self, directory: Path) -> Run:
        store = EmbeddedStore(directory, Config(), create=True)
        outcomes: list[WriteOutcome] = []

        def write(batches: Sequence[bytes]) -> list[float]:
            waits = []
            for wait, outcome in _write_pipelined(store, batches, self._in_flight):
                waits.append(wait)
                outcomes.append(outcome)
            return waits

        run = run_timed(self._feed.batches, [write] * self._threads)
        store.close()
        accepted = sum(outcome.accepted for outcome in outcomes)
        _check(self._feed, accepted, sum(outcome.duplicates for outcome in outcomes), directory)
        return run


class OverGrpc:
    """`pegcount serve` on loopback, with its client on the same cores."""

    def __init__(self, feed: Feed, streams: int, in_flight: int, scratch: Path) -> None:
        self.name = f"ours, gRPC, {streams} x {in_flight} in flight"
        self._feed = feed
        self._shape = [str(streams), str(in_flight)]
        self._batches = scratch / "batches"
        write_batches(feed.batches, self._batches)

    def run(self, directory: Path) -> Run:
        with running_pegcount(directory) as server:
            command = [sys.executable, str(CLIENT), server.address, str(self._batches), *self._shape]
            process = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=CLIENT_SECONDS_MAX)
        report = json.loads(process.stdout)
        _check(self._feed, report["accepted"], report["duplicates"], directory)
        return Run(report["seconds"], report["acknowledged_seconds"])


def _write_pipelined(
    store: EmbeddedStore, batches: Sequence[bytes], in_flight: int
) -> Iterator[tuple[float, WriteOutcome]]:
    """Yields seconds and outcome of each batch, with up to `in_flight` batches submitted ahead."""
    pending_writes: deque[tuple[float, PendingWrite]] = deque()
    for step in range(len(batches) + in_flight):
        if step >= in_flight and pending_writes:
            sent, pending = pending_writes.popleft()
            outcome = pending.wait()
            yield time.perf_counter() - sent, outcome
        if step < len(batches):
            pending_writes.append((time.perf_counter(), store.submit(batches[step], core.CancelToken(None))))


def _check(feed: Feed, accepted: int, duplicates: int, directory: Path) -> None:
    """Asserts the counts of the answers, and that a reopened store has every record once."""
    assert (accepted, accepted + duplicates) == (feed.distinct_count, feed.record_count)
    store = EmbeddedStore(directory, Config(), create=True)
    stored = store.info().records
    store.close()
    assert stored == feed.distinct_count, f"{stored} records held, {feed.distinct_count} written"
