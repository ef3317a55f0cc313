"""How soon a service answers again after it was killed with many records under ingest.

One process fills a data directory until it is killed with SIGKILL; then `pegcount serve` is
started on it, and the clock runs until its health says SERVING. `--help` lists the options.
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
from pegcount.client import Client
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2
from server_process import served

SEED = 20_260_301
LIMIT_SECONDS = 5.0
DISTINCT = 100_000
BATCH = 1_000
IN_FLIGHT = 4


def main() -> None:
    """Fills, kills, and times the starts."""
    options = _options()
    if options.fill is not None:
        _fill(options.fill, options.records)
        return
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        acknowledged = _filled_and_killed(Path(scratch), options.records)
        files = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
        starts = [_start_seconds(Path(scratch), acknowledged) for _ in range(options.starts)]
    print(f"{acknowledged:,} records acknowledged, {files / 1e9:.2f} GB, killed under ingest")
    median, longest = statistics.median(starts), max(starts)
    print(f"SERVING after {median:.2f} s, at most {longest:.2f} s (limit {LIMIT_SECONDS:.0f})")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--starts", type=int, default=3, help="times that the service is started")
    parser.add_argument("--scratch", type=Path, default=None, help="where the data goes")
    parser.add_argument("--fill", type=Path, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def _fill(directory: Path, record_count: int) -> None:
    """Writes until it is killed; prints how many records are acknowledged once there are enough."""
    store = EmbeddedStore(directory, Config(), create=True)
    batches = make_feed(min(DISTINCT, record_count), BATCH, SEED).batches
    under_way = deque(store.submit(batch) for batch in batches[:IN_FLIGHT])
    acknowledged = 0
    for turn in range(1, 100_000):
        # Another feed each time, of the same length: its keys are new ones.
        feed = b".%07d.net" % turn
        for batch in batches:
            under_way.append(store.submit(batch.replace(b".example.net", feed)))
            acknowledged += under_way.popleft().wait().accepted
            if acknowledged >= record_count:
                print(acknowledged, flush=True)


def _filled_and_killed(directory: Path, record_count: int) -> int:
    command = [sys.executable, __file__, "--fill", str(directory), "--records", str(record_count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as filler:
        assert filler.stdout is not None
        acknowledged = int(filler.stdout.readline())
        time.sleep(1.0)
        os.kill(filler.pid, signal.SIGKILL)
        lines = filler.stdout.read().split()
    return int(lines[-1]) if lines else acknowledged


def _start_seconds(directory: Path, acknowledged: int) -> float:
    began = time.perf_counter()
    with served(directory) as server:
        with grpc.insecure_channel(server.address) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        seconds = time.perf_counter() - began
        with Client(server.address) as client:
            stored = client.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest()).records
        # What was on its way when it was killed may be there too.
        assert acknowledged <= stored <= acknowledged + 100 * BATCH, (acknowledged, stored)
    return seconds


if __name__ == "__main__":
    main()
