"""Where a report runs: a short one on the event loop, a long one on a thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from pegcount import core
from pegcount.config import Config, Tuning
from pegcount.model import Scan
from pegcount.v1 import reports_pb2
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
            service = started.enter_context(Service(tmp_path, Config(tuning=Tuning(**tuning))))
            service.write(call_record("c1"), call_record("c2"), active_record("a1"), active_record("a2"))
            return service

        yield start_service


def thread_of(service: Service, ask: Callable[[], object]) -> str:
    """Returns the kind of thread that scanned for a report: `server` is that of the event loop."""
    names: list[str] = []
    scan_store = service.store.partials

    def scan(scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        names.append(threading.current_thread().name.partition("_")[0])
        return scan_store(scan, cell_count_max, cancel_token)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.store, "partials", scan)
        ask()
    (name,) = names
    return name


def test_short_reports_run_on_the_event_loop(start: Start) -> None:
    service = start()
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "server"
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(ASK_ACTIVE)) == "server"
    assert thread_of(service, lambda: service.reports.QueryOriginationQuality(ASK_QUALITY)) == "server"


def test_reports_that_search_records_run_on_a_thread(start: Start) -> None:
    service = start()
    assert thread_of(service, lambda: service.reports.QueryFolderStats(ASK_FOLDER)) == "report"


def test_reports_of_many_rows_run_on_a_thread(start: Start) -> None:
    service = start(inline_row_count_max=1)
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "report"
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(ASK_ACTIVE)) == "server"


def test_reports_of_many_groups_run_on_a_thread(start: Start) -> None:
    service = start(inline_group_count_max=1)
    assert thread_of(service, lambda: service.reports.QueryActiveSessions(ASK_ACTIVE)) == "report"
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "server"


def test_reports_of_many_bins_run_on_a_thread(start: Start) -> None:
    service = start()
    minutes = changed(ASK_USAGE, granularity=reports_pb2.GRANULARITY_MINUTE, to_time="2026-03-31")
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(minutes)) == "report"


def test_long_requests_are_validated_on_a_thread(start: Start) -> None:
    service = start(cached_request_bytes_max=100)
    long = changed(ASK_USAGE, app_ids=range(200))
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(long)) == "report"


def test_a_busy_store_is_asked_on_a_thread(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    monkeypatch.setattr(service.store, "estimate", lambda _: None)
    assert thread_of(service, lambda: service.reports.QueryAsrUsage(ASK_USAGE)) == "report"


def test_short_reports_take_turns(start: Start) -> None:
    """More calls at once than one round of the event loop takes, over several connections."""
    service = start(inline_report_count=1)
    with ExitStack() as channels:
        calls = []
        for _ in range(3):
            channel = channels.enter_context(
                grpc.insecure_channel(service.address, [("grpc.use_local_subchannel_pool", 1)])
            )
            usage: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                "/pegcount.v1.ReportService/QueryAsrUsage"
            )
            calls += [usage.future(ASK_USAGE.SerializeToString(), timeout=20) for _ in range(20)]
        answers = {call.result()[-200:] for call in calls}
    assert len(answers) == 1
