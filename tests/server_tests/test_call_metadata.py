"""Every call ends with the id of its request and the times of its phases, whatever its outcome."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.config import Config, Tuning
from pegcount.server.call_clock import CallClock, Phase
from pegcount.v1 import admin_pb2, reports_pb2
from service import Service
from waiting import stays

from server_tests.example_requests import ASK_ACTIVE, ASK_FOLDER, ASK_QUALITY, ASK_USAGE, call_record
from server_tests.streams import METHOD, batch

SENT = [("x-request-id", "import-7/8")]
REPORT_PHASES = ["read", "queue", "calendar", "store", "finish", "total"]
NOTHING_INLINE = Tuning(inline_cost_us_max=0)
Outcome = Callable[[Service], grpc.Call]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("store")) as service:
        service.write(call_record("c1", folder="support"))
        yield service


def ended(call: Callable[..., Any], *arguments: Any) -> grpc.Call:
    """Makes a unary call with a request id; returns it when it has ended, with or without an error."""
    try:
        _, done = call.with_call(*arguments, metadata=SENT, timeout=20)  # type: ignore[attr-defined]
    except grpc.RpcError as error:
        done = error
    assert isinstance(done, grpc.Call)
    return done


def ended_stream(service: Service, path: str, *messages: bytes) -> grpc.Call:
    call = service.channel.stream_stream(path)(iter(messages), metadata=SENT, timeout=20)
    with suppress(grpc.RpcError):
        list(call)
    assert isinstance(call, grpc.Call)
    return call


def metadata_of(call: grpc.Call) -> dict[str, str]:
    return {name: str(value) for name, value in call.trailing_metadata()}


def times_of(call: grpc.Call) -> dict[str, float]:
    """Returns the milliseconds by phase, in the order of the header."""
    text = metadata_of(call)["server-timing"]
    assert re.fullmatch(r"\w+;dur=\d+\.\d{3}(, \w+;dur=\d+\.\d{3})*", text), text
    pairs = (entry.split(";dur=") for entry in text.split(", "))
    return {name: float(value) for name, value in pairs}


CALLS: dict[str, Outcome] = {
    "usage": lambda s: ended(s.reports.QueryAsrUsage, ASK_USAGE),
    "active": lambda s: ended(s.reports.QueryActiveSessions, ASK_ACTIVE),
    "folder": lambda s: ended(s.reports.QueryFolderStats, ASK_FOLDER),
    "quality": lambda s: ended(s.reports.QueryOriginationQuality, ASK_QUALITY),
    "invalid": lambda s: ended(s.reports.QueryAsrUsage, reports_pb2.QueryAsrUsageRequest()),
    "admin": lambda s: ended(s.admin.GetStoreInfo, admin_pb2.GetStoreInfoRequest()),
    "not built": lambda s: ended(s.admin.ListCredentials, admin_pb2.ListCredentialsRequest()),
    "health": lambda s: ended(health_pb2_grpc.HealthStub(s.channel).Check, health_pb2.HealthCheckRequest()),
    "unknown method": lambda s: ended(s.channel.unary_unary("/pegcount.v1.ReportService/QueryAll"), b""),
    "write": lambda s: ended_stream(s, METHOD, batch("b1", "c2")),
    "malformed write": lambda s: ended_stream(s, METHOD, b"\xff"),
    "reflection": lambda s: ended_stream(s, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b""),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_returns_the_request_id_and_its_times(name: str, service: Service) -> None:
    call = CALLS[name](service)
    assert metadata_of(call)["x-request-id"] == "import-7/8"
    times = times_of(call)
    assert sum(times.values()) <= 2 * times["total"] + 0.01, "phases do not overlap"
    if name in ("usage", "active", "folder", "quality"):
        assert list(times) == REPORT_PHASES
    if name == "admin":
        assert list(times) == ["read", "queue", "store", "total"]


@pytest.mark.parametrize(
    "limits",
    [
        {"waiting_inline_report_count_max": 0},
        {
            "small_worker_count": 1,
            "waiting_small_report_count_max": 0,
            "tuning": NOTHING_INLINE,
        },
    ],
    ids=["by the event loop", "by a lane"],
)
def test_a_refused_call_has_them_too(limits: dict[str, Any], tmp_path: Path) -> None:
    """Of calls at once some are refused, with the same trailers as those that are answered."""
    with Service(tmp_path, Config(**limits)) as service, ThreadPoolExecutor(16) as callers:
        calls = [callers.submit(ended, service.reports.QueryAsrUsage, ASK_USAGE) for _ in range(200)]
        done = [call.result() for call in calls]
    assert grpc.StatusCode.RESOURCE_EXHAUSTED in {call.code() for call in done}
    for call in done:
        assert metadata_of(call)["x-request-id"] == "import-7/8"
        assert list(times_of(call))[-1] == "total"


def test_the_log_of_an_internal_fault_has_the_request_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Any:
        raise ValueError("a bug")

    with Service(tmp_path) as service:
        monkeypatch.setattr(service.store, "info", fail)
        call = ended(service.admin.GetStoreInfo, admin_pb2.GetStoreInfoRequest())
    assert call.code() == grpc.StatusCode.INTERNAL
    assert "request id import-7/8" in caplog.text


@pytest.mark.parametrize(
    "sent",
    [[], [("x-request-id", "")], [("x-request-id", "r" * 129)], [("x-request-id", "two words")]],
    ids=["none", "empty", "too long", "a space"],
)
def test_an_id_is_made_for_a_call_without_a_usable_one(sent: list[tuple[str, str]], service: Service) -> None:
    made = []
    for _ in range(2):
        _, call = service.reports.QueryAsrUsage.with_call(ASK_USAGE, metadata=sent)
        made.append(metadata_of(call)["x-request-id"])
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
    assert made[0] != made[1]


def test_the_longest_id_comes_back(service: Service) -> None:
    _, call = service.reports.QueryAsrUsage.with_call(ASK_USAGE, metadata=[("x-request-id", "r" * 128)])
    assert metadata_of(call)["x-request-id"] == "r" * 128


def test_the_clock_counts_each_phase_apart() -> None:
    clock = CallClock()
    for phase in (Phase.QUEUE, Phase.STORE, Phase.QUEUE):
        clock.enter(phase)
        begin = time.perf_counter()
        stays(lambda: True, 0.02)
        assert time.perf_counter() - begin >= 0.02
    text = clock.server_timing()
    found = {name: float(value) for name, value in (entry.split(";dur=") for entry in text.split(", "))}
    assert list(found) == ["queue", "store", "total"]
    assert found["queue"] >= 40
    assert found["store"] >= 20
    assert found["queue"] + found["store"] <= found["total"] + 0.002
