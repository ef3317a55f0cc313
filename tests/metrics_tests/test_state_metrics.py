"""The metrics of the server beside its calls: lanes, addresses, certificates."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.metrics import ServerMetrics
from pegcount.server import ListenOptions
from server_tests.example_requests import ASK_USAGE, replace_scan
from server_tests.tls_files import Tls
from service import Service

from metrics_tests.observed import REPORTS, Observed, observed


def test_reports_that_run_and_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    with observed(tmp_path, worker_count=2) as running:
        once = running.service.store.partials

        def wait_and_scan(*arguments: Any) -> Any:
            assert go.wait(30)
            return once(*arguments)

        replace_scan(running.service, monkeypatch, wait_and_scan)
        asked = [running.service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=30) for _ in range(5)]
        try:
            running.wait_for(2, "pegcount_reports_running", lane="large")
            running.wait_for(3, "pegcount_reports_waiting", lane="large")
            assert running.sample("pegcount_calls_in_progress") == 5
            usage = {"grpc_service": REPORTS, "grpc_method": "QueryAsrUsage"}
            assert running.sample("grpc_server_started_total", grpc_type="unary", **usage) == 5
        finally:
            go.set()
        assert [len(each.result().bins) for each in asked] == [24] * 5
        running.wait_for(0, "pegcount_reports_running", lane="large")
        running.wait_for(0, "pegcount_reports_waiting", lane="large")
        assert running.sample("pegcount_reports_waiting", lane="inline") == 0
        assert running.sample("pegcount_reports_running", lane="inline") is None


def test_addresses_count_together(tmp_path: Path) -> None:
    metrics = ServerMetrics()
    options = ListenOptions(admin_address="127.0.0.1:0")
    with Service(tmp_path, listen_options=options, observers=[metrics.calls]) as service:
        metrics.watch_server(service.state)
        running = Observed(service, metrics)
        labels = {"grpc_type": "unary", "grpc_service": "grpc.health.v1.Health", "grpc_method": "Check"}
        for address in service.addresses:
            with grpc.insecure_channel(address) as channel:
                health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        running.wait_for(2, "grpc_server_handled_total", **labels, grpc_code="OK")
        assert running.sample("grpc_server_started_total", **labels) == 2
        assert running.sample("pegcount_connections") == 2
    metrics.close()


def test_when_the_certificate_expires(tmp_path: Path) -> None:
    tls = Tls(tmp_path / "tls")
    metrics = ServerMetrics()
    options = ListenOptions(tls.files)
    data = tmp_path / "data"
    with Service(data, listen_options=options, channel_credentials=tls.trusted()) as service:
        metrics.watch_server(service.state)
        running = Observed(service, metrics)
        expire_s = running.sample("pegcount_certificate_expiry_timestamp_seconds")
        assert running.sample("pegcount_health", service="pegcount.tls") is not None
    assert expire_s is not None
    in_ten_days = datetime.now(UTC) + timedelta(days=10)
    assert abs(expire_s - in_ten_days.timestamp()) < 120
    metrics.close()


def test_plain_text_has_no_certificate(tmp_path: Path) -> None:
    with observed(tmp_path) as running:
        assert running.samples("pegcount_certificate_expiry_timestamp_seconds") == {}
