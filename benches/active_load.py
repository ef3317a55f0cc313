"""Active sessions under load: report latency and memory per session.

Many sessions are active and receive updates at a steady rate, while a client groups them by three
fields with rollup over gRPC. `--help` lists the options.
"""

import argparse
import random
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.config import Config
from pegcount.server import RunningServer
from pegcount.store import EmbeddedStore, PendingWrite
from pegcount.v1 import records_pb2, reports_pb2, reports_pb2_grpc

SEED = 20_260_301
BATCH = 500
BATCHES = 200
IN_FLIGHT_MAX = 4
LIMIT_MS = 50.0
LIMIT_BYTES = 400
FIELDS = ("orig_clients_name", "equipment_name", "term_clients_name", "quantity", "duration")


def main() -> None:
    """Prints the memory per session, then the latencies."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        store = EmbeddedStore(Path(scratch), Config(), create=True)
        server = RunningServer(Config(), store, "127.0.0.1:0")
        before = _anonymous_bytes()
        for start in range(0, options.sessions, 5_000):
            store.write(
                _request(_start(number) for number in range(start, min(start + 5_000, options.sessions)))
            )
        time.sleep(5 * Config().maintenance_seconds)
        session_bytes = (_anonymous_bytes() - before) / options.sessions
        print(f"{options.sessions:,} sessions, {session_bytes:.0f} bytes each (limit {LIMIT_BYTES})")
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            _measure(store, reports_pb2_grpc.ReportServiceStub(channel), options)
        server.stop()
        store.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=500_000)
    parser.add_argument("--rate", type=int, default=10_000, help="events per second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--scratch", type=Path, default=None, help="directory for the data")
    return parser.parse_args()


def _measure(
    store: EmbeddedStore, reports: reports_pb2_grpc.ReportServiceStub, options: argparse.Namespace
) -> None:
    stop = threading.Event()
    sent: list[int] = []
    chance = random.Random(SEED)
    batches = [_events(chance, options.sessions, number) for number in range(BATCHES)]
    writer = threading.Thread(target=_write, args=(store, options, batches, stop, sent))
    writer.start()
    waits = sorted(_report_seconds(reports, options))
    stop.set()
    writer.join()
    p50, p99 = (waits[len(waits) * share // 100] * 1e3 for share in (50, 99))
    print(f"{len(waits)} reports while {sum(sent) / options.seconds:,.0f} events a second came:", end=" ")
    print(f"p50 {p50:.1f} ms (limit {LIMIT_MS:.0f}), p99 {p99:.1f} ms")


def _report_seconds(
    reports: reports_pb2_grpc.ReportServiceStub, options: argparse.Namespace
) -> Iterator[float]:
    request = reports_pb2.QueryActiveSessionsRequest(
        return_fields=FIELDS, order=["-quantity"], limit=20, grouping=reports_pb2.GROUPING_ROLLUP
    )
    deadline = time.monotonic() + options.seconds
    while time.monotonic() < deadline:
        start_time = time.perf_counter()
        answer = reports.QueryActiveSessions(request)
        yield time.perf_counter() - start_time
        assert answer.total.quantity == options.sessions, answer.total
        time.sleep(0.05)


def _write(
    store: EmbeddedStore,
    options: argparse.Namespace,
    batches: list[bytes],
    stop: threading.Event,
    sent: list[int],
) -> None:
    due, in_flight = time.monotonic(), deque[PendingWrite]()
    for batch in batches * (1 + options.seconds * options.rate // BATCH // len(batches)):
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        in_flight.append(store.submit(batch, core.CancelToken(None)))
        if len(in_flight) > IN_FLIGHT_MAX:
            in_flight.popleft().wait()
            sent.append(BATCH)
        due += BATCH / options.rate


def _events(chance: random.Random, sessions: int, number: int) -> bytes:
    """Encodes updates of random sessions. A repeated update is a duplicate without effect."""
    records = (_start(chance.randrange(sessions)) for _ in range(BATCH))
    return _request(_updated(record, number) for record in records)


def _updated(record: records_pb2.SessionRecord, number: int) -> records_pb2.SessionRecord:
    record.event = records_pb2.SESSION_EVENT_UPDATE
    record.revision = number
    record.answer_time.seconds = record.setup_time.seconds + 5
    return record


def _request(records: Iterator[records_pb2.SessionRecord]) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records).SerializeToString()


def _start(number: int) -> records_pb2.SessionRecord:
    """Builds a call of one of about 500 clients, 40 gateways and 50 vendors."""
    chance = random.Random(number)
    client = min(int(chance.paretovariate(0.8)), 500)
    return records_pb2.SessionRecord(
        source="switch 1",
        session_id=f"{number:032x}",
        event=records_pb2.SESSION_EVENT_START,
        kind=records_pb2.SESSION_KIND_CALL,
        setup_time=Timestamp(seconds=int(time.time()) - 3_600 + number % 3_600, nanos=number % 1_000 * 1_000),
        equipment_id=number % 40,
        equipment_name=f"gateway {number % 40}",
        account_id=str(client),
        auth_orig_ip=f"198.51.100.{number % 250}",
        dst_prefix_routing=str(number % 20_000),
        dst_country_id=number % 200,
        tenant_id=number % 20,
        orig_clients_id=client,
        orig_clients_name=f"client {client}",
        orig_accounts_id=client,
        orig_src_party_id=f"+1555{number % 10**7:07}",
        orig_dst_party_id=f"+1555{number * 7 % 10**7:07}",
        term_src_party_id=f"+1555{number % 10**7:07}",
        term_dst_party_id=f"+1555{number * 7 % 10**7:07}",
        term_clients_id=number % 50,
        term_clients_name=f"vendor {number % 50}",
        orig_rates_code=str(number % 2_000),
        term_rates_code=str(number % 1_000),
        orig_leg_id=f"{number:016x}",
    )


def _anonymous_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
