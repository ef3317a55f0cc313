"""What observers of calls learn of a report: the rows that it read, and its bins."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from pegcount.config import Config, Tuning
from pegcount.server import RunningServer
from pegcount.server.observed_call import ObservedCall
from pegcount.v1 import records_pb2, reports_pb2, reports_pb2_grpc
from service import NOW_US, Service
from waiting import wait_until

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    active_record,
    call_record,
    changed,
)


class Seen:
    """Remembers the calls that have ended."""

    def __init__(self) -> None:
        self.calls: list[ObservedCall] = []

    def call_ended(self, call: ObservedCall) -> None:
        self.calls.append(call)


Ask = Callable[[Any], tuple[int | None, int | None]]


@pytest.fixture(params=[Tuning(), Tuning(inline_cost_us_max=0)], ids=["on the loop", "on a thread"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ask]:
    """Sends a request, and returns its rows and bins.

    The server has two finished calls, an active one and a recognition.
    """
    seen = Seen()
    config = Config(tuning=request.param)
    with Service(tmp_path, config) as service:
        service.write(*(call_record(name) for name in ("1", "2")), active_record("3"))
        service.write(call_record("4", kind=records_pb2.SESSION_KIND_ASR))
        server = RunningServer(config, service.store, "127.0.0.1:0", lambda: NOW_US, observers=[seen])
        with closing(grpc.insecure_channel(server.addresses[0])) as channel:
            yield lambda message: answered(channel, message, seen)
        server.stop()


def answered(channel: grpc.Channel, message: Any, seen: Seen) -> tuple[int | None, int | None]:
    count = len(seen.calls)
    name = type(message).__name__.removesuffix("Request")
    stub = reports_pb2_grpc.ReportServiceStub(channel)
    with suppress(grpc.RpcError):
        getattr(stub, name)(message)
    wait_until(lambda: len(seen.calls) > count)
    return seen.calls[-1].row_count, seen.calls[-1].bin_count


def test_a_report_has_the_rows_of_its_scan_and_its_bins(ask: Ask) -> None:
    # Active sessions are in a memtable of their own, of which these reports need no row.
    assert ask(ASK_USAGE) == (3, 24)
    assert ask(ASK_QUALITY) == (3, 24)
    assert ask(ASK_FOLDER) == (3, 1)
    assert ask(ASK_ACTIVE) == (1, 1)


def test_bins_that_warm_up_an_average_count(ask: Ask) -> None:
    by_day = changed(ASK_USAGE, granularity=reports_pb2.GRANULARITY_DAY, sma_period=7)
    assert ask(by_day) == (3, 7)


def test_a_report_that_is_refused_has_neither(ask: Ask) -> None:
    assert ask(reports_pb2.QueryAsrUsageRequest()) == (None, None)
