"""Where a report runs: a cheap one on the event loop, others on the threads of small or of large reports."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from pegcount import calendar, core
from pegcount.config import Config, Tuning
from pegcount.model import Bins, Scan
from pegcount.v1 import records_pb2, reports_pb2
from service import Service

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    active_record,
    call_record,
    changed,
)

Start = Callable[..., Service]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as started:

        def start_service(**tuning: int) -> Service:
            started.close()
            service = started.enter_context(Service(tmp_path, Config(tuning=Tuning(**tuning))))
            service.write(call_record("c1"), call_record("c2"), active_record("a1"), active_record("a2"))
            return service

        yield start_service


def thread_of(service: Service, ask: Callable[[], object]) -> str:
    """Returns the kind of thread that ran the first scan of a report: `server` is that of the event loop."""
    names: list[str] = []
    scan_store = service.store.partials

    def scan(scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        names.append(threading.current_thread().name.partition("_")[0])
        return scan_store(scan, cell_count_max, cancel_token)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.store, "partials", scan)
        ask()
    return names[0]


def test_short_reports_run_on_the_event_loop(start: Start) -> None:
    service = start()
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "server"
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(ASK_ACTIVE)) == "server"
    assert thread_of(service, lambda: service.reports.QueryOriginationQuality(ASK_QUALITY)) == "server"


def test_reports_that_search_records_run_on_a_thread(start: Start) -> None:
    service = start()
    assert thread_of(service, lambda: service.reports.QueryFolderStats(ASK_FOLDER)) == "small-report"


def test_reports_that_search_many_records_are_large(start: Start) -> None:
    service = start(row_cost_ns=10_000_000)
    assert thread_of(service, lambda: service.reports.QueryFolderStats(ASK_FOLDER)) == "large-report"


def test_reports_of_many_rows_run_on_a_thread(start: Start) -> None:
    service = start(row_cost_ns=1_000_000)
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "small-report"
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(ASK_ACTIVE)) == "server"
    service = start(row_cost_ns=10_000_000)
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "large-report"


def test_reports_of_many_groups_run_on_a_thread(start: Start) -> None:
    service = start(grouped_row_cost_ns=1_000_000)
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(ASK_ACTIVE)) == "small-report"
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "server"


def test_each_subtotal_level_costs_a_pass(start: Start) -> None:
    service = start(grouped_row_cost_ns=400_000)
    fields = ["equipment_name", "orig_clients_name", "quantity"]
    plain = changed(ASK_ACTIVE, return_fields=fields)
    rollup = changed(plain, grouping=reports_pb2.GROUPING_ROLLUP)
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(plain)) == "server"
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(rollup)) == "small-report"


def test_reports_of_many_bins_run_on_a_thread(start: Start) -> None:
    service = start()
    minutes = changed(ASK_USAGE, granularity=reports_pb2.GRANULARITY_MINUTE, to_time="2026-03-31")
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(minutes)) == "small-report"


@pytest.mark.parametrize("granularity", [reports_pb2.GRANULARITY_MINUTE, reports_pb2.GRANULARITY_DAY])
def test_many_bins_are_made_on_a_thread(start: Start, granularity: reports_pb2.Granularity) -> None:
    service = start(bin_cost_ns=1_000_000)
    made_on: list[str] = []
    make = calendar.usage_bins

    def make_bins(*arguments: Any) -> Bins:
        made_on.append(threading.current_thread().name.partition("_")[0])
        return make(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calendar, "usage_bins", make_bins)
        service.reports.QueryAsrUsage(changed(ASK_USAGE, granularity=granularity, from_time="2026-03-25"))
    assert made_on == ["small-report"]


def test_long_requests_are_validated_on_a_thread(start: Start) -> None:
    service = start(cached_request_bytes_max=100)
    long = changed(ASK_USAGE, app_ids=range(200))
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(long)) == "small-report"


def test_a_busy_store_is_asked_on_a_thread(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    monkeypatch.setattr(service.store, "estimate", lambda _: None)
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "large-report"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
def test_large_reports_run_at_a_low_priority(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(large_report_niceness=7)
    found: list[int] = []
    scan_store = service.store.partials

    def scan(*arguments: Any) -> core.Partials:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return scan_store(*arguments)

    before = os.getpriority(os.PRIO_PROCESS, 0)
    monkeypatch.setattr(service.store, "partials", scan)
    service.reports.QueryAsrUsage(ASK_USAGE)
    monkeypatch.setattr(service.store, "estimate", lambda _: None)
    service.reports.QueryAsrUsage(ASK_USAGE)
    assert found == [before, max(before, 7)]


def test_small_reports_never_wait_for_large_ones(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    go = threading.Event()
    scan_store = service.store.partials

    def scan(scan: Scan, *arguments: Any) -> core.Partials:
        if threading.current_thread().name.startswith("large"):
            assert go.wait(20)
        return scan_store(scan, *arguments)

    monkeypatch.setattr(service.store, "partials", scan)
    monkeypatch.setattr(
        service.store, "estimate", lambda scan: 1 if scan.keys or scan.edge_us is None else None
    )
    waiting = [service.reports.QueryAsrUsage.future(ASK_USAGE, timeout=20) for _ in range(10)]
    assert len(service.reports.QueryFolderStats(ASK_FOLDER, timeout=10).rows) == 1
    assert len(service.reports.QueryActiveSessions(ASK_ACTIVE, timeout=10).rows) == 2
    go.set()
    assert [len(call.result().bins) for call in waiting] == [24] * 10


def test_short_reports_take_turns(start: Start) -> None:
    """More calls at once than one round of the event loop takes, over several connections."""
    service = start(inline_round_us=1)
    ask = changed(ASK_USAGE, kind=records_pb2.SESSION_KIND_CALL).SerializeToString()
    with ExitStack() as channels:
        calls = []
        for _ in range(3):
            channel = channels.enter_context(
                grpc.insecure_channel(service.address, [("grpc.use_local_subchannel_pool", 1)])
            )
            usage: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                "/pegcount.v1.ReportService/QueryAsrUsage"
            )
            calls += [usage.future(ask, timeout=20) for _ in range(20)]
        answers = {call.result()[-200:] for call in calls}
    assert len(answers) == 1
