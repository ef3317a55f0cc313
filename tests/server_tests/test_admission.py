"""Too much to do: what waits, what is refused with when to try again, and what is answered all the same."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
from pegcount import core
from pegcount.config import Config
from pegcount.model import Scan
from pegcount.v1 import admin_pb2
from service import Service

from server_tests.example_requests import ASK_FOLDER, ASK_USAGE, call_record, replace_scan
from server_tests.refusal import Refusal, refusal
from server_tests.streams import Slow, Stream, batch, wait_for

Code = grpc.StatusCode
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
LIST = reflection_pb2.ServerReflectionRequest(list_services="")


ARRIVAL_SECONDS = 1.0
"""Until calls that were sent have come: one that asks whether all places are taken would take theirs."""


class Held:
    """Scans that go on only when `go` is set."""

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


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with contextlib.ExitStack() as started:

        def start_service(**limits: object) -> Service:
            config = Config(**limits)  # type: ignore[arg-type]
            return started.enter_context(Service(tmp_path, config))

        yield start_service


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
    """That a call is refused at once for overload; what it is told."""
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert time.monotonic() - began < 5

    def again() -> None:
        raise raised.value

    refused = refusal(again)
    check_overloaded(refused, raised.value, seconds)
    return refused.message


def test_so_many_reports_run_so_many_wait_and_one_more_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(worker_count=2, waiting_call_count_max=3, overload_retry_seconds=1.5)
    held = Held(service, monkeypatch)
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(service.reports.QueryAsrUsage, ASK_USAGE, timeout=30) for _ in range(5)]
        wait_for(lambda: held.count == 2)
        time.sleep(ARRIVAL_SECONDS)
        wait_for(lambda: refuses(service))
        told = overloaded(lambda: service.reports.QueryAsrUsage(ASK_USAGE, timeout=30), 1.5)
        assert told == "2 calls are in progress and 3 wait; no more are allowed"
        overloaded(lambda: service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=30), 1.5)
        held.go.set()
        assert [len(answer.result(20).bins) for answer in answers] == [24] * 5
    assert held.peak == 2
    assert len(service.reports.QueryAsrUsage(ASK_USAGE).bins) == 24


def refuses(service: Service) -> bool:
    """Whether every place to wait is taken; one that waits here goes again at its deadline."""
    try:
        service.reports.QueryAsrUsage(ASK_USAGE, timeout=0.05)
    except grpc.RpcError as error:
        return isinstance(error, grpc.Call) and error.code() is Code.RESOURCE_EXHAUSTED
    return False


def test_a_call_that_is_cancelled_while_it_waits_leaves_its_place(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(worker_count=1, waiting_call_count_max=1)
    held = Held(service, monkeypatch)
    first = service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=30)
    wait_for(lambda: held.count == 1)
    waiting = service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=30)
    time.sleep(ARRIVAL_SECONDS)
    wait_for(lambda: refuses(service))
    waiting.cancel()
    wait_for(lambda: not refuses(service))
    held.go.set()
    assert len(first.result().bins) == 24
    assert held.peak == 1
    wait_for(lambda: len(service.reports.QueryAsrUsage(ASK_USAGE).bins) == 24)


def test_one_stream_too_many_is_refused_at_once(start: Start) -> None:
    service = start(write_stream_count_max=2, overload_retry_seconds=0.25)
    with contextlib.ExitStack() as streams:
        open_ones = [streams.enter_context(Stream(service.channel)) for _ in range(2)]
        for i, stream in enumerate(open_ones):
            stream.send(batch(None, f"s{i}"))
            assert stream.answer().accepted == 1
        third = streams.enter_context(Stream(service.channel))
        third.send(*[batch(None, "t")] * 5)
        told = overloaded(third.answer, 0.25)
        assert told == "2 write streams are in progress; no more are allowed"
        assert open_ones[0].end() == []
        last = streams.enter_context(Stream(service.channel))
        last.send(batch(None, "s3"))
        assert last.answer().accepted == 1


def test_streams_that_idle_or_hang_starve_nothing_else(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """More streams than there are workers, and a store that never gets a batch done."""
    service = start(worker_count=1, waiting_call_count_max=0, write_stream_count_max=12)
    service.write(call_record("c1"))
    slow = Slow(service, monkeypatch)
    with contextlib.ExitStack() as streams:
        for i in range(12):
            stream = streams.enter_context(Stream(service.channel))
            if i % 2:
                stream.send(*[batch(None, "c1")] * 20)
        wait_for(lambda: len(slow.submitted) == 6 * Config().stream_batch_count_max)
        for _ in range(5):
            assert len(service.reports.QueryFolderStats(ASK_FOLDER, timeout=10).rows) == 1
            assert healthy(service) == SERVING
        slow.go.set()


def test_health_and_reflection_answer_under_overload(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(worker_count=1, waiting_call_count_max=2, write_stream_count_max=0)
    held = Held(service, monkeypatch)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(service.reports.QueryAsrUsage, ASK_USAGE, timeout=30) for _ in range(3)]
        wait_for(lambda: held.count == 1)
        time.sleep(ARRIVAL_SECONDS)
        wait_for(lambda: refuses(service))
        reflection = reflection_pb2_grpc.ServerReflectionStub(service.channel)
        for _ in range(5):
            assert healthy(service) == SERVING
            (listed,) = reflection.ServerReflectionInfo(iter([LIST]), timeout=10)
            assert len(listed.list_services_response.service) == 5
        held.go.set()
        for answer in asked:
            answer.result(20)


def test_those_who_watch_health_take_nobodys_place(start: Start) -> None:
    service = start(
        worker_count=1, waiting_call_count_max=0, write_stream_count_max=0, health_watch_count_max=20
    )
    stub = health_pb2_grpc.HealthStub(service.channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=30) for _ in range(20)]
    assert {next(watch).status for watch in watches} == {SERVING}
    overloaded(lambda: next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=30)), 1.0)
    assert len(service.reports.QueryAsrUsage(ASK_USAGE, timeout=10).bins) == 24
    assert healthy(service) == SERVING
    for watch in watches:
        watch.cancel()


def test_a_change_of_health_while_those_who_watch_it_leave(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """grpcio's way to watch without a thread deadlocks here: a change waits for a message to be
    sent, and the thread that sends waits for the change."""
    fault: list[str | None] = [None]
    monkeypatch.setattr("pegcount.store.EmbeddedStore.write_fault", property(lambda _: fault[0]))
    service = start(health_look_seconds=0.001, health_watch_count_max=300)
    stub = health_pb2_grpc.HealthStub(service.channel)
    for i in range(30):
        watches = [stub.Watch(health_pb2.HealthCheckRequest(service=RECORDS), timeout=30) for _ in range(10)]
        for watch in watches:
            next(watch)
        fault[0] = None if i % 2 else "no space left on device"
        for watch in watches:
            watch.cancel()
        assert healthy(service) == SERVING


def test_one_who_asks_for_descriptors_without_end_does_not_keep_others_from_it(start: Start) -> None:
    service = start(reflection_stream_count_max=2)
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    go = threading.Event()

    def ask_once_and_stay() -> Iterator[reflection_pb2.ServerReflectionRequest]:
        yield LIST
        go.wait(20)

    idle = [stub.ServerReflectionInfo(ask_once_and_stay(), timeout=30) for _ in range(2)]
    for call in idle:
        next(call)
    overloaded(lambda: list(stub.ServerReflectionInfo(iter([LIST]), timeout=30)), 1.0)
    assert len(service.reports.QueryAsrUsage(ASK_USAGE, timeout=10).bins) == 24
    go.set()
    assert [list(call) for call in idle] == [[], []]
    assert len(list(stub.ServerReflectionInfo(iter([LIST]), timeout=30))) == 1


RECORDS, REPORTS = "pegcount.v1.RecordService", "pegcount.v1.ReportService"


def healthy(service: Service, name: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(service.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status)


def test_health_tells_whether_records_can_be_written(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    fault: list[str | None] = [None]
    monkeypatch.setattr("pegcount.store.EmbeddedStore.write_fault", property(lambda _: fault[0]))
    service = start(health_look_seconds=0.01)
    stub = health_pb2_grpc.HealthStub(service.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=RECORDS), timeout=30)
    assert next(watch).status == SERVING == healthy(service, RECORDS)
    fault[0] = "no space left on device"
    assert next(watch).status == NOT_SERVING == healthy(service, RECORDS)
    assert healthy(service, REPORTS) == SERVING == healthy(service)
    assert len(service.reports.QueryAsrUsage(ASK_USAGE, timeout=10).bins) == 24
    fault[0] = None
    assert next(watch).status == SERVING == healthy(service, RECORDS)
    watch.cancel()
