"""Active sessions in a ClickHouse cluster: reports of them while they begin and end at a steady rate.

Each batch ends the oldest sessions and begins as many new ones, all with every field of a record. Asserts of
each report that it counts no session that has ended and misses none that has begun before it was asked, and
of each shard that a session is there once in every snapshot: never both active and finished, and never
neither. `--help` lists the options.
"""

import argparse
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue

import grpc
from full_records import TIMES, Switch, message
from pegcount import core
from pegcount.config import Config
from pegcount.server import RunningServer
from pegcount.store import PendingWrite
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.v1 import reports_pb2, reports_pb2_grpc
from pegcount.v1.records_pb2 import (
    SESSION_EVENT_END,
    SESSION_EVENT_START,
    SESSION_KIND_CALL,
    WriteRecordsRequest,
)
from pegcount.zone import US_PER_SECOND

SEED = 20_260_301
PATTERNS = 5_000
"""Records of which the sessions are copies, under ids of their own."""
BATCH = 1_000
IN_FLIGHT_MAX = 40
COMMIT_SECONDS_MAX = 120.0
"""Beside other work, a commit may take long; it would then be sent again, and count as late."""
REPORT_PAUSE_SECONDS = 0.1
SNAPSHOT_PAUSE_SECONDS = 5.0
FIELDS = ("orig_clients_name", "equipment_name", "term_clients_name", "quantity", "duration")
NO_LIMIT = core.CancelToken(None)
SNAPSHOT = Query(
    "SELECT count(), countIf(live != 1) FROM"
    " (SELECT source, session_id, sum(sign) AS live FROM ledger WHERE state IN (0, 1) GROUP BY ALL)"
)
CPU = Query("SELECT sum(value) FROM system.events WHERE event = 'OSCPUVirtualTimeMicroseconds'")


def main() -> None:
    """Begins the sessions, and prints what reports and commits took while others came and went."""
    options = _options()
    address = ClusterAddress.parse(options.store)
    cluster = Cluster(address, 600.0)
    schema.create(cluster)
    store = ClickHouseStore(address, Config(ledger_commit_seconds_max=COMMIT_SECONDS_MAX))
    assert store.info().records == 0, "the cluster has records"
    feed = _Feed()
    began = time.perf_counter()
    for number in range(0, options.sessions, BATCH):
        feed.send(store, min(BATCH, options.sessions - number), 0)
    feed.wait()
    print(f"{options.sessions:,} sessions begun in {time.perf_counter() - began:.1f} s")
    server = RunningServer(Config(), store, "127.0.0.1:0")
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        _measure(store, cluster, feed, reports_pb2_grpc.ReportServiceStub(channel), options)
    server.stop()
    store.close()
    cluster.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--store", required=True, help="clickhouse://HOST:PORT,HOST:PORT/DATABASE, without records"
    )
    parser.add_argument("--sessions", type=int, default=500_000)
    parser.add_argument("--rate", type=int, default=10_000, help="events per second")
    parser.add_argument("--seconds", type=int, default=60)
    return parser.parse_args()


@dataclass
class _Counts:
    """How many sessions have begun and ended."""

    begun: int = 0
    ended: int = 0


@dataclass
class _Feed:
    """Sends batches, and counts what was sent and what was acknowledged."""

    sent: _Counts = field(default_factory=_Counts)
    acknowledged: _Counts = field(default_factory=_Counts)
    commit_seconds: list[float] = field(default_factory=list)
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        self._patterns = _patterns()
        self._waiting: SimpleQueue[tuple[PendingWrite, int, int, float]] = SimpleQueue()
        self._free = threading.Semaphore(IN_FLIGHT_MAX)
        threading.Thread(target=self._collect, daemon=True).start()

    def send(self, store: ClickHouseStore, begin_count: int, end_count: int) -> None:
        """Sends a batch; waits while too many are on their way."""
        self._free.acquire()
        self._require_no_failure()
        first, oldest = self.sent.begun, self.sent.ended
        ended = (self._session(number, is_end=True) for number in range(oldest, oldest + end_count))
        begun = (self._session(number, is_end=False) for number in range(first, first + begin_count))
        batch = b"".join(itertools.chain(ended, begun))
        self.sent.begun += begin_count
        self.sent.ended += end_count
        self._waiting.put((store.submit(batch, NO_LIMIT), begin_count, end_count, time.perf_counter()))

    def wait(self) -> None:
        """Waits until all batches are acknowledged."""
        for _ in range(IN_FLIGHT_MAX):
            self._free.acquire()
        self._free.release(IN_FLIGHT_MAX)
        self._require_no_failure()

    def _require_no_failure(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _collect(self) -> None:
        while True:
            pending, begin_count, end_count, sent_s = self._waiting.get()
            try:
                outcome = pending.wait()
                assert (outcome.accepted, outcome.replaced) == (begin_count, end_count), outcome
            except BaseException as error:
                self.failure = error
            self.commit_seconds.append(time.perf_counter() - sent_s)
            self.acknowledged.begun += begin_count
            self.acknowledged.ended += end_count
            self._free.release()

    def _session(self, number: int, *, is_end: bool) -> bytes:
        """Encodes a session as an element of `WriteRecordsRequest.records`."""
        body = self._patterns[number % PATTERNS][is_end] + b"\x12\x20%032x" % number
        size = len(body)
        return b"\x12" + bytes((size & 127 | 128, size >> 7)) + body


def _patterns() -> list[tuple[bytes, bytes]]:
    """Returns the start and the end of calls of the last hour; each without an id."""
    rows = itertools.islice(Switch(SEED).rows(2 * PATTERNS), PATTERNS)
    return [_pattern(dict(row), number) for number, row in enumerate(rows)]


def _pattern(row: dict[str, object], number: int) -> tuple[bytes, bytes]:
    setup_us = (int(time.time()) - 3_600) * US_PER_SECOND + number * 3_500 * US_PER_SECOND // PATTERNS
    row |= dict(
        zip(TIMES, (setup_us, setup_us + 5 * US_PER_SECOND, setup_us + 65 * US_PER_SECOND), strict=True)
    )
    row |= {"kind": SESSION_KIND_CALL, "disconnect_cause": 16, "customer_price": "0.0041"}
    del row["session_id"]
    end = message(row | {"event": SESSION_EVENT_END, "revision": 2})
    unknown = ("end_time", "disconnect_cause", "customer_price")
    start = message({name: value for name, value in row.items() if name not in unknown})
    start.event = SESSION_EVENT_START
    pattern = (start.SerializeToString(), end.SerializeToString())
    # The length of an element has two bytes, and so has that of each other one.
    assert all(128 <= len(each) + 34 < 16_384 for each in pattern)
    assert WriteRecordsRequest.DESCRIPTOR.fields_by_name["records"].number == 2
    return pattern


def _measure(
    store: ClickHouseStore,
    cluster: Cluster,
    feed: _Feed,
    reports: reports_pb2_grpc.ReportServiceStub,
    options: argparse.Namespace,
) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []
    snapshots: list[int] = []
    feed.commit_seconds.clear()
    before, cpu_before, own_before = feed.acknowledged.begun, _cpu_seconds(cluster), time.process_time()
    began = time.perf_counter()
    threads = [
        _thread(failures, lambda: _write(store, feed, options, stop)),
        _thread(failures, lambda: _look(cluster, snapshots, stop)),
    ]
    waits = sorted(_report_seconds(reports, feed, options, failures))
    seconds = time.perf_counter() - began
    events = 2 * (feed.acknowledged.begun - before)
    stop.set()
    for thread in threads:
        thread.join()
    cpu = [after - each for after, each in zip(_cpu_seconds(cluster), cpu_before, strict=True)]
    feed.wait()
    if failures:
        raise failures[0]
    commits = sorted(feed.commit_seconds)
    print(f"{events / seconds:,.0f} events a second for {seconds:.0f} s (wanted: {options.rate:,})")
    print(f"batches of {BATCH:,} events: {_percentiles(commits)}")
    print(f"{len(waits)} reports: {_percentiles(waits)}")
    print(f"{len(snapshots)} snapshots of shards, of {max(snapshots):,} sessions at most: each session once")
    shares = ", ".join(f"{each / seconds:.2f}" for each in cpu)
    own = (time.process_time() - own_before) / seconds
    print(f"cores used: shards {shares}; server and sender {own:.2f}; load {os.getloadavg()[0]:.1f}")


def _thread(failures: list[BaseException], work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _write(store: ClickHouseStore, feed: _Feed, options: argparse.Namespace, stop: threading.Event) -> None:
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        feed.send(store, BATCH // 2, BATCH // 2)
        due += BATCH / options.rate


def _look(cluster: Cluster, snapshots: list[int], stop: threading.Event) -> None:
    while not stop.wait(SNAPSHOT_PAUSE_SECONDS if snapshots else 0):
        for shard in cluster.shards:
            [[sessions, wrong]] = shard.rows(SNAPSHOT, NO_LIMIT)
            assert wrong == "0", f"{shard.name}: {wrong} sessions are there twice or not at all"
            snapshots.append(int(sessions))


def _report_seconds(
    reports: reports_pb2_grpc.ReportServiceStub,
    feed: _Feed,
    options: argparse.Namespace,
    failures: list[BaseException],
) -> Iterator[float]:
    request = reports_pb2.QueryActiveSessionsRequest(
        return_fields=FIELDS, order=["-quantity"], limit=20, grouping=reports_pb2.GROUPING_ROLLUP
    )
    end_s = time.monotonic() + options.seconds
    while time.monotonic() < end_s and not failures:
        begun, ended = feed.acknowledged.begun, feed.acknowledged.ended
        start_s = time.perf_counter()
        quantity = reports.QueryActiveSessions(request, timeout=60).total.quantity
        yield time.perf_counter() - start_s
        least, most = begun - feed.sent.ended, feed.sent.begun - ended
        assert least <= quantity <= most, f"{quantity} sessions; {least} to {most} were active"
        time.sleep(REPORT_PAUSE_SECONDS)


def _cpu_seconds(cluster: Cluster) -> list[float]:
    return [int(shard.rows(CPU, NO_LIMIT)[0][0]) / US_PER_SECOND for shard in cluster.shards]


def _percentiles(seconds: list[float]) -> str:
    p50, p99 = (seconds[len(seconds) * share // 100] * 1e3 for share in (50, 99))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"


if __name__ == "__main__":
    main()
