"""Commits beside large reports of active sessions: a report copies the sessions instead of locking them."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
import seeds
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.client import BatchWriter, Client
from pegcount.config import Config
from pegcount.request.active import RETURN_FIELDS
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2, reports_pb2
from pegcount.v1.records_pb2 import SessionRecord

from load.caller import status_of
from load.pinned_server import PinnedServer, serving

_SESSION_COUNT = 500_000
_FILL_RECORDS = 5_000
_STARTED, _UPDATED, _ENDED = 30, 40, 30
"""Events of one batch."""
_BATCH_EVENTS = _STARTED + _UPDATED + _ENDED
_EVENTS_PER_SECOND = 10_000
_SECONDS = 15.0
_P99_WAIT_MS_MAX = 20.0
_CALL_SECONDS_MAX = 60.0
_ACTIVE_SESSIONS = "/pegcount.v1.ReportService/QueryActiveSessions"

_KEYS = [name for name in RETURN_FIELDS if name not in ("quantity", "duration")]
_GROUP_FIELDS = [
    "orig_clients_name",
    "equipment_name",
    "term_clients_name",
    "orig_clients_id",
    "orig_accounts_id",
    "term_clients_id",
    "orig_rates_code",
    "term_rates_code",
    "dst_prefix_routing",
    "dst_country_id",
    "tenant_id",
    "auth_orig_ip",
]
_ROLLUP = reports_pb2.QueryActiveSessionsRequest(
    return_fields=[*(name for name in _GROUP_FIELDS if name in _KEYS), "quantity"],
    grouping=reports_pb2.GROUPING_ROLLUP,
    limit=20,
)
_NUMBERS = reports_pb2.QueryActiveSessionsRequest(return_fields=["term_dst_party_id", "quantity"], limit=20)
_ALL_KEYS = reports_pb2.QueryActiveSessionsRequest(return_fields=RETURN_FIELDS, limit=20)
REPORTS = {
    "rollups": (_ROLLUP, _CALL_SECONDS_MAX),
    "reports of a group per session": (_NUMBERS, _CALL_SECONDS_MAX),
    "reports of all keys": (_ALL_KEYS, _CALL_SECONDS_MAX),
    "reports cancelled after 100 ms": (_ALL_KEYS, 0.1),
}
"""Requests by name, each with the seconds after which its caller gives up."""


@pytest.fixture(scope="module")
def active_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PinnedServer]:
    """A server with many active sessions."""
    directory = tmp_path_factory.mktemp("active") / "data"
    store = EmbeddedStore(directory, Config(), create=True)
    for first in range(0, _SESSION_COUNT, _FILL_RECORDS):
        store.write(_batch([_started(number) for number in range(first, first + _FILL_RECORDS)]))
    store.flush()
    store.close()
    with serving(directory) as server:
        yield server


def test_commits_do_not_wait_for_reports(active_server: PinnedServer) -> None:
    batches = _batches(
        int(_SECONDS * (1 + len(REPORTS)) * _EVENTS_PER_SECOND) // (_STARTED + _UPDATED + _ENDED)
    )
    with Client(active_server.address) as client, client.batch_writer(Config()) as writer:
        alone = _commit_ms(writer, batches)
        print(f"\ncommits without reports: {_percentiles(alone)}")
        for name, (request, seconds_max) in REPORTS.items():
            with _asking(active_server.address, request, seconds_max) as statuses:
                beside = _commit_ms(writer, batches)
            print(f"beside {name}: {_percentiles(beside)}; {dict(statuses)}")
            assert statuses["OK"] > 0 or request is _ALL_KEYS, (name, statuses)
            assert statuses.total() > 0
            assert _p99(beside) < _p99(alone) + _P99_WAIT_MS_MAX, name


def _commit_ms(writer: BatchWriter, batches: Iterator[bytes]) -> list[float]:
    """Writes batches at the rate for some time; returns the milliseconds that each took, ascending."""
    times_ms = []
    due = time.monotonic()
    end = due + _SECONDS
    for batch in batches:
        begin = time.monotonic()
        writer.submit(batch).wait()
        times_ms.append((time.monotonic() - begin) * 1_000)
        due += _BATCH_EVENTS / _EVENTS_PER_SECOND
        if time.monotonic() > end:
            break
        time.sleep(max(0.0, due - time.monotonic()))
    return sorted(times_ms)


@contextmanager
def _asking(
    address: str, request: reports_pb2.QueryActiveSessionsRequest, seconds_max: float
) -> Iterator[Counter[str]]:
    """Repeats a report on two connections during the `with` block; yields the statuses."""
    ended, statuses = threading.Event(), Counter[str]()

    def ask() -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(address, options) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_ACTIVE_SESSIONS)
            while not ended.is_set():
                try:
                    call(request.SerializeToString(), timeout=seconds_max)
                    statuses["OK"] += 1
                except grpc.RpcError as error:
                    statuses[status_of(error)] += 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield statuses
    ended.set()
    for thread in threads:
        thread.join()


def _percentiles(times_ms: list[float]) -> str:
    middle = times_ms[len(times_ms) // 2]
    return f"{len(times_ms)}, p50 {middle:.1f} ms, p99 {_p99(times_ms):.1f} ms, max {times_ms[-1]:.1f} ms"


def _p99(times_ms: list[float]) -> float:
    return times_ms[len(times_ms) * 99 // 100]


def _batches(count: int) -> Iterator[bytes]:
    """Yields batches of new sessions, updates of random ones, and ends of the oldest ones."""
    chance = seeds.chance("commit waits")
    for number in range(count):
        ended, started = number * _ENDED, _SESSION_COUNT + number * _STARTED
        records = [_started(session) for session in range(started, started + _STARTED)]
        for _ in range(_UPDATED):
            session = chance.randrange(ended + _ENDED, started)
            records.append(_later(session, records_pb2.SESSION_EVENT_UPDATE, number))
        for session in range(ended, ended + _ENDED):
            records.append(_later(session, records_pb2.SESSION_EVENT_END, number))
        yield _batch(records)


def _batch(records: list[SessionRecord]) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records).SerializeToString()


def _later(session: int, event: records_pb2.SessionEvent, revision: int) -> SessionRecord:
    record = _started(session)
    record.event, record.revision = event, 1 + revision
    record.answer_time.seconds = record.setup_time.seconds + 5
    if event == records_pb2.SESSION_EVENT_END:
        record.end_time.seconds = record.setup_time.seconds + 65
    return record


def _started(session: int) -> SessionRecord:
    """A session of one of 500 clients, with numbers that no other session has."""
    client = session * 7_919 % 500
    return SessionRecord(
        source="load",
        session_id=f"{session:032x}",
        event=records_pb2.SESSION_EVENT_START,
        kind=records_pb2.SESSION_KIND_CALL,
        setup_time=Timestamp(seconds=_BEGIN_S - session % 3_600),
        orig_clients_id=client,
        orig_clients_name=f"client {client}",
        orig_accounts_id=client,
        equipment_name=f"switch {session % 40}",
        term_clients_id=session % 50,
        term_clients_name=f"vendor {session % 50}",
        orig_rates_code=str(session % 2_000),
        term_rates_code=str(session % 1_000),
        dst_prefix_routing=str(session % 20_000),
        dst_country_id=session % 200,
        tenant_id=session % 20,
        auth_orig_ip=f"198.51.100.{session % 250}",
        orig_src_party_id=f"+1555{session % 10**7:07}",
        term_dst_party_id=f"+1555{session * 7 % 10**7:07}",
    )


_BEGIN_S = int(time.time())
