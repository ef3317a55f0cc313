"""A stopping server: no call looks cancelled, and those that were being answered get their answer."""

import codecs
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from load.http2_peer import Peer
from pegcount.config import Config
from pegcount.server.undecodable_paths import accept_undecodable_paths
from pegcount.v1 import reports_pb2_grpc
from service import Service
from waiting import wait_until

from server_tests.example_requests import ASK_USAGE
from server_tests.refusal import refusal
from server_tests.test_admission import BlockedScans

Code = grpc.StatusCode
STOP_COUNT = 8


def test_calls_that_meet_a_stopping_server_are_unavailable(tmp_path: Path) -> None:
    counts = [count for _ in range(STOP_COUNT) for count in codes_around_a_stop(tmp_path)]
    assert {code for count in counts for code in count} <= {Code.OK, Code.UNAVAILABLE}


def codes_around_a_stop(directory: Path) -> "list[Counter[Code]]":
    """Stops a server under the calls of four clients, and returns the statuses of each."""
    service, stopped = Service(directory), threading.Event()
    counts: list[Counter[Code]] = [Counter() for _ in range(4)]
    with ThreadPoolExecutor(4) as callers:
        running = [callers.submit(call_until, service.address, stopped, count) for count in counts]
        wait_until(lambda: all(count[Code.OK] > 5 for count in counts))
        service.stop()
        stopped.set()
        for each in running:
            each.result()
    service.close()
    return counts


def call_until(address: str, stopped: threading.Event, codes: "Counter[Code]") -> None:
    """Calls without a pause, with a new channel from time to time, and counts the statuses."""
    while not stopped.is_set():
        with grpc.insecure_channel(address) as channel:
            reports = reports_pb2_grpc.ReportServiceStub(channel)
            for _ in range(50):
                codes[code_of(reports)] += 1


def code_of(reports: reports_pb2_grpc.ReportServiceStub) -> Code:
    call = reports.QueryAsrUsage.future(ASK_USAGE, timeout=20)
    call.exception()
    code: Code = call.code()
    return code


def test_a_failure_of_grpc_ends_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without the project's handler, gRPC fails on a path that is not UTF-8."""
    service = Service(tmp_path, Config(stop_grace_seconds=0.5))
    codecs.register_error("strict", codecs.strict_errors)
    try:
        with Peer(service.address) as peer:
            peer.open_call(peer.block(b"/\xff"), end_stream=True)  # type: ignore[arg-type]
            wait_until(lambda: not service.is_running())
    finally:
        accept_undecodable_paths()
    service.close()
    assert "gRPC has failed and accepts no more calls; the server ends" in caplog.text


def test_a_report_in_progress_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(tmp_path)
    blocked = BlockedScans(service, monkeypatch)
    report = service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=20)
    wait_until(lambda: blocked.count == 1)
    stopping = threading.Thread(target=service.stop)
    stopping.start()
    refused = refusal(lambda: service.reports.QueryAsrUsage(ASK_USAGE, timeout=20))
    assert (refused.code, refused.info.reason) == (Code.UNAVAILABLE, "SERVER_STOPPING")
    blocked.go.set()
    assert len(report.result().bins) == 24
    stopping.join(10)
    service.close()


def test_a_report_that_outlasts_the_grace_period_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path, Config(stop_grace_seconds=0.2))
    blocked = BlockedScans(service, monkeypatch)
    report = service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=20)
    wait_until(lambda: blocked.count == 1)
    service.stop()
    refused = refusal(report.result)
    assert (refused.code, refused.info.reason) == (Code.UNAVAILABLE, "SERVER_STOPPING")
    blocked.go.set()
    service.close()
