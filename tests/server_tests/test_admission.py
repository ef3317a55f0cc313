"""The admission gate: queueing, refusals with a retry delay, and services that bypass it."""

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from pegcount import core
from pegcount.config import Config
from pegcount.model import Scan
from pegcount.server.admission import AdmissionGate
from pegcount.v1 import admin_pb2
from service import Service
from waiting import wait_until

from server_tests.example_requests import ASK_FOLDER, ASK_USAGE, call_record, replace_scan
from server_tests.refusal import Refusal, refusal
from server_tests.streams import DelayedStore, Stream, batch

Code = grpc.StatusCode
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
LIST = reflection_pb2.ServerReflectionRequest(list_services="")


class Arrivals:
    """Counts the calls that have reached a gate.

    A probe that asks whether the queue of a gate is full may itself occupy a place in it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        enter = AdmissionGate.enter

        async def count_and_enter(gate: AdmissionGate, connection: Hashable) -> None:
            # The call takes its place before the event loop turns to another one.
            self.count += 1
            await enter(gate, connection)

        monkeypatch.setattr(AdmissionGate, "enter", count_and_enter)


class BlockedScans:
    """Blocks each scan until `go` is set, and counts the running ones."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.count = self.peak = 0
        self._lock = threading.Lock()
        self._scan = service.store.partials
        replace_scan(service, monkeypatch, self.scan)

    def scan(self, scan: Scan, cell_count_max: int, stop: core.CancelToken) -> core.Partials:
        with self._lock:
            self.count += 1
            self.peak = max(self.peak, self.count)
        assert self.go.wait(20)
        with self._lock:
            self.count -= 1
        return self._scan(scan, cell_count_max, stop)


Start = Callable[..., Service]


def check_overloaded(refused: Refusal, error: BaseException, seconds: float) -> None:
    assert (refused.code, refused.info.reason) == (Code.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert (refused.detail_names, refused.metadata) == (["RetryInfo", "ErrorInfo"], {})
    status = rpc_status.from_call(error)
    assert status is not None
    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.ToNanoseconds() == seconds * 1e9


def overloaded(call: Callable[[], object], seconds: float) -> str:
    """Asserts that a call is refused at once as overloaded, and returns the message."""
    start_time = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert time.monotonic() - start_time < 5

    def raise_again() -> None:
        raise raised.value

    refused = refusal(raise_again)
    check_overloaded(refused, raised.value, seconds)
    return refused.message


def test_calls_beyond_workers_and_queue_are_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(worker_count=2, waiting_call_count_max=3, overload_retry_seconds=1.5)
    blocked, arrivals = BlockedScans(service, monkeypatch), Arrivals(monkeypatch)
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(service.reports.QueryAsrUsage, ASK_USAGE, timeout=30) for _ in range(5)]
        wait_until(lambda: blocked.count == 2)
        wait_until(lambda: arrivals.count == 5)
        assert is_queue_full(service)
        message = overloaded(lambda: service.reports.QueryAsrUsage(ASK_USAGE, timeout=30), 1.5)
        assert message == "2 large reports are in progress and 3 wait; no more are allowed"
        assert service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=30).records == 0
        blocked.go.set()
        assert [len(answer.result(20).bins) for answer in answers] == [24] * 5
    assert blocked.peak == 2
    assert len(service.reports.QueryAsrUsage(ASK_USAGE).bins) == 24


def is_queue_full(service: Service) -> bool:
    """Returns whether the queue is full. A probe that gets queued leaves again at its deadline."""
    try:
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=0.05)
    except grpc.RpcError as error:
        return isinstance(error, grpc.Call) and error.code() is Code.RESOURCE_EXHAUSTED
    return False


def test_a_cancelled_call_leaves_the_queue(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(worker_count=1, waiting_call_count_max=1)
    blocked, arrivals = BlockedScans(service, monkeypatch), Arrivals(monkeypatch)
    first = service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=30)
    wait_until(lambda: blocked.count == 1)
    waiting = service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=30)
    wait_until(lambda: arrivals.count == 2)
    assert is_queue_full(service)
    waiting.cancel()
    wait_until(lambda: not is_queue_full(service))
    blocked.go.set()
    assert len(first.result().bins) == 24
    assert blocked.peak == 1
    wait_until(lambda: len(service.reports.QueryAsrUsage(ASK_USAGE).bins) == 24)


def test_a_stream_over_the_limit_is_refused_at_once(start: Start) -> None:
    service = start(write_stream_count_max=2, overload_retry_seconds=0.25)
    with contextlib.ExitStack() as streams:
        admitted = [streams.enter_context(Stream(service.channel)) for _ in range(2)]
        for i, stream in enumerate(admitted):
            stream.send(batch(None, f"s{i}"))
            assert stream.answer().accepted == 1
        third = streams.enter_context(Stream(service.channel))
        third.send(*[batch(None, "t")] * 5)
        message = overloaded(third.answer, 0.25)
        assert message == "2 write streams are in progress; no more are allowed"
        assert admitted[0].end() == []
        last = streams.enter_context(Stream(service.channel))
        last.send(batch(None, "s3"))
        assert last.answer().accepted == 1


def test_idle_or_blocked_streams_do_not_starve_reports(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are more streams than workers, and the store never finishes a batch."""
    service = start(
        worker_count=1,
        waiting_call_count_max=0,
        write_stream_count_max=12,
        write_stream_count_per_peer_max=12,
    )
    service.write(call_record("c1"))
    store = DelayedStore(service, monkeypatch)
    with contextlib.ExitStack() as streams:
        for i in range(12):
            stream = streams.enter_context(Stream(service.channel))
            if i % 2:
                stream.send(*[batch(None, "c1")] * 20)
        wait_until(lambda: len(store.submitted) == 6 * Config().stream_batch_count_max)
        for _ in range(5):
            assert len(service.reports.QueryFolderStats(ASK_FOLDER, timeout=10).rows) == 1
            assert health_status(service) == SERVING
        store.go.set()


def test_health_and_reflection_answer_under_overload(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(worker_count=1, waiting_call_count_max=2, write_stream_count_max=0)
    blocked, arrivals = BlockedScans(service, monkeypatch), Arrivals(monkeypatch)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(service.reports.QueryAsrUsage, ASK_USAGE, timeout=30) for _ in range(3)]
        wait_until(lambda: blocked.count == 1)
        wait_until(lambda: arrivals.count == 3)
        assert is_queue_full(service)
        reflection = reflection_pb2_grpc.ServerReflectionStub(service.channel)
        for _ in range(5):
            assert health_status(service) == SERVING
            (listed,) = reflection.ServerReflectionInfo(iter([LIST]), timeout=10)
            assert len(listed.list_services_response.service) == 7
        blocked.go.set()
        for answer in asked:
            answer.result(20)


def test_health_watchers_occupy_no_worker(start: Start) -> None:
    service = start(
        worker_count=1,
        waiting_call_count_max=0,
        write_stream_count_max=0,
        health_watch_count_max=20,
        health_watch_count_per_peer_max=20,
    )
    stub = health_pb2_grpc.HealthStub(service.channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=30) for _ in range(20)]
    assert {next(watch).status for watch in watches} == {SERVING}
    overloaded(lambda: next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=30)), 1.0)
    assert len(service.reports.QueryAsrUsage(ASK_USAGE, timeout=10).bins) == 24
    assert health_status(service) == SERVING
    for watch in watches:
        watch.cancel()


def test_health_changes_while_watchers_leave(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the health must not wait until a watching client that leaves was told of it."""
    fault: list[str | None] = [None]
    monkeypatch.setattr("pegcount.store.EmbeddedStore.write_fault", property(lambda _: fault[0]))
    service = start(
        health_look_seconds=0.001, health_watch_count_max=300, health_watch_count_per_peer_max=300
    )
    stub = health_pb2_grpc.HealthStub(service.channel)
    for i in range(30):
        watches = [stub.Watch(health_pb2.HealthCheckRequest(service=RECORDS), timeout=30) for _ in range(10)]
        for watch in watches:
            next(watch)
        fault[0] = None if i % 2 else "no space left on device"
        for watch in watches:
            watch.cancel()
        assert health_status(service) == SERVING


def test_reflection_streams_have_a_limit_of_their_own(start: Start) -> None:
    service = start(reflection_stream_count_max=2)
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    go = threading.Event()

    def send_once_and_idle() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        yield LIST
        go.wait(20)

    idle = [stub.ServerReflectionInfo(send_once_and_idle(), timeout=30) for _ in range(2)]
    for call in idle:
        next(call)
    overloaded(lambda: list(stub.ServerReflectionInfo(iter([LIST]), timeout=30)), 1.0)
    assert len(service.reports.QueryAsrUsage(ASK_USAGE, timeout=10).bins) == 24
    go.set()
    assert [list(call) for call in idle] == [[], []]
    assert len(list(stub.ServerReflectionInfo(iter([LIST]), timeout=30))) == 1


RECORDS, REPORTS = "pegcount.v1.RecordService", "pegcount.v1.ReportService"


def health_status(service: Service, name: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(service.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status)


def test_health_reports_whether_records_can_be_written(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    fault: list[str | None] = [None]
    monkeypatch.setattr("pegcount.store.EmbeddedStore.write_fault", property(lambda _: fault[0]))
    service = start(health_look_seconds=0.01)
    stub = health_pb2_grpc.HealthStub(service.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=RECORDS), timeout=30)
    assert next(watch).status == SERVING == health_status(service, RECORDS)
    fault[0] = "no space left on device"
    assert next(watch).status == NOT_SERVING == health_status(service, RECORDS)
    assert health_status(service, REPORTS) == SERVING == health_status(service)
    assert len(service.reports.QueryAsrUsage(ASK_USAGE, timeout=10).bins) == 24
    fault[0] = None
    assert next(watch).status == SERVING == health_status(service, RECORDS)
    watch.cancel()
