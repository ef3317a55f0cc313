"""Time until a service answers again after it was killed with many records during ingest.

One process fills a data directory until SIGKILL. Then the bench starts `pegcount serve` on it and
measures the time until its health is SERVING. `--help` lists the options.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ingest_feed import make_feed
from pegcount import core
from pegcount.client import Client
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2
from server_process import running_pegcount

SEED = 20_260_301
LIMIT_SECONDS = 5.0
DISTINCT = 100_000
BATCH = 1_000
IN_FLIGHT = 4


def main() -> None:
    """Fills the directory, kills the writer, and times the starts."""
    options = _options()
    if options.fill is not None:
        _fill(options.fill, options.records)
        return
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        acknowledged = _fill_and_kill(Path(scratch), options.records)
        files = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
        starts = [_start_seconds(Path(scratch), acknowledged) for _ in range(options.starts)]
    print(f"{acknowledged:,} records acknowledged, {files / 1e9:.2f} GB, killed under ingest")
    median, longest = statistics.median(starts), max(starts)
    print(f"SERVING after {median:.2f} s, at most {longest:.2f} s (limit {LIMIT_SECONDS:.0f})")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--starts", type=int, default=3, help="number of starts of the service")
    parser.add_argument("--scratch", type=Path, default=None, help="directory for the data")
    parser.add_argument("--fill", type=Path, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def _fill(directory: Path, record_count: int) -> None:
    """Writes until it is killed; prints the number of acknowledged records once it reaches the target."""
    store = EmbeddedStore(directory, Config(), create=True)
    batches = make_feed(min(DISTINCT, record_count), BATCH, SEED).batches
    in_flight = deque(store.submit(batch, core.CancelToken(None)) for batch in batches[:IN_FLIGHT])
    acknowledged = 0
    for repetition in range(1, 100_000):
        # Replaces the source by one of equal length, so that all keys are new.
        source = b".%07d.net" % repetition
        for batch in batches:
            in_flight.append(store.submit(batch.replace(b".example.net", source), core.CancelToken(None)))
            acknowledged += in_flight.popleft().wait().accepted
            if acknowledged >= record_count:
                print(acknowledged, flush=True)


def _fill_and_kill(directory: Path, record_count: int) -> int:
    command = [sys.executable, __file__, "--fill", str(directory), "--records", str(record_count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as filler:
        assert filler.stdout is not None
        acknowledged = int(filler.stdout.readline())
        time.sleep(1.0)
        os.kill(filler.pid, signal.SIGKILL)
        lines = filler.stdout.read().split()
    return int(lines[-1]) if lines else acknowledged


def _start_seconds(directory: Path, acknowledged: int) -> float:
    start_time = time.perf_counter()
    with running_pegcount(directory) as server:
        with grpc.insecure_channel(server.address) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        seconds = time.perf_counter() - start_time
        with Client(server.address) as client:
            stored = client.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest()).records
        # Batches in flight at the kill may be stored too.
        assert acknowledged <= stored <= acknowledged + 100 * BATCH, (acknowledged, stored)
    return seconds


if __name__ == "__main__":
    main()
