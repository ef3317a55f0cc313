"""Latency of the four reports over gRPC for one caller with warm caches; asserts the answers.

benches/reports.py [RECORDS]   (default: 200000)
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pegcount.client import Client
from pegcount.config import Config
from pegcount.server import RunningServer
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, WriteRecordsRequest
from pegcount.zone import US_PER_DAY
from traffic import DAYS, FROM_US, batches

SEED = 20_260_301
REPEATS = 9
FROM, TO = "2026-03-01", "2026-03-31"
ACCOUNT = "1001"


def main() -> None:
    """Fills a store, serves it and times the reports."""
    record_count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as directory:
        store = EmbeddedStore(Path(directory) / "data", Config(), create=True)
        began = time.perf_counter()
        calls_of_account = sum(_write(store, batch) for batch in batches(record_count, SEED))
        store.flush()
        print(
            f"{record_count:,} records written in {time.perf_counter() - began:.1f} s, making them included"
        )
        server = RunningServer(Config(), store, "127.0.0.1:0", lambda: FROM_US + (DAYS + 1) * US_PER_DAY)
        with Client(f"127.0.0.1:{server.port}") as client:
            _time_all(client, record_count, calls_of_account)
        server.stop()
        store.close()


def _write(store: EmbeddedStore, batch: WriteRecordsRequest) -> int:
    """Writes a batch and returns its number of calls of the account."""
    outcome = store.write(batch.SerializeToString())
    assert outcome.accepted == len(batch.records)
    return sum(record.account_id == ACCOUNT for record in batch.records)


def _time_all(client: Client, record_count: int, calls_of_account: int) -> None:
    day, minute = reports_pb2.GRANULARITY_DAY, reports_pb2.GRANULARITY_MINUTE
    usage = reports_pb2.QueryAsrUsageRequest(
        from_time=FROM, to_time=TO, granularity=day, sma_period=7, kind=SESSION_KIND_CALL
    )
    quality = reports_pb2.QueryOriginationQualityRequest(
        account_id=ACCOUNT, from_time=FROM, to_time=TO, sampling=minute
    )
    folders = reports_pb2.QueryFolderStatsRequest(
        company="acme", organization="support", from_date=FROM, to_date="2026-03-30"
    )
    active = reports_pb2.QueryActiveSessionsRequest(return_fields=["orig_clients_name", "quantity"])
    reports = client.reports
    timed: list[tuple[str, Callable[[], int], int]] = [
        (
            "usage, 30 days, DAY, SMA 7",
            lambda: reports.QueryAsrUsage(usage).totals.session_count,
            record_count,
        ),
        (
            "quality, largest account, 30 days, MINUTE",
            lambda: reports.QueryOriginationQuality(quality).totals.total_calls,
            calls_of_account,
        ),
        (
            "folders, 30 days, with agents",
            lambda: reports.QueryFolderStats(folders).totals.call_count,
            record_count,
        ),
        ("active sessions, none active", lambda: reports.QueryActiveSessions(active).row_count, 0),
    ]
    for name, ask, expected in timed:
        _time(name, ask, expected)


def _time(name: str, ask: Callable[[], int], expected: int) -> None:
    times_ms = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        answer = ask()
        times_ms.append((time.perf_counter() - began) * 1_000)
        assert answer == expected, f"{name}: {answer}, expected {expected}"
    print(f"{name:<45} median {statistics.median(times_ms):9.2f} ms  min {min(times_ms):9.2f} ms")


if __name__ == "__main__":
    main()
