"""A clock that jumped shows in the answers of AdminService, which also accept it, and abandons no session."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.config import Config
from pegcount.model import Retention
from pegcount.server import RunningServer
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, admin_pb2_grpc, records_pb2, reports_pb2, reports_pb2_grpc
from service import NOW_US

US = 1_000_000
DAY_S = 86_400
DAYS = 3


class MovableClock:
    """The clock of a store and its server; `error_us` is what it is ahead of the true time."""

    def __init__(self) -> None:
        self.error_us = 0

    def __call__(self) -> int:
        return NOW_US + self.error_us


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def channel(tmp_path: Path, clock: MovableClock) -> Iterator[grpc.Channel]:
    """Returns a channel to a service with three days of records, which it retains, and an active session."""
    config = Config(maintenance_seconds=3_600.0)
    store = EmbeddedStore(tmp_path / "data", config, create=True, clock=clock, monotonic=lambda: 0.0)
    with closing(store):
        records = [record(f"{age} days ago", age, is_active=False) for age in range(DAYS)]
        store.write(records_pb2.WriteRecordsRequest(records=records).SerializeToString())
        store.flush()
        active = [record("active", 0, is_active=True)]
        store.write(records_pb2.WriteRecordsRequest(records=active).SerializeToString())
        store.set_retention(Retention(days=DAYS))
        server = RunningServer(config, store, "127.0.0.1:0", clock)
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield channel
        server.stop()


def record(session_id: str, age_days: int, *, is_active: bool) -> records_pb2.SessionRecord:
    setup_s = NOW_US // US - age_days * DAY_S - 60
    end = None if is_active else Timestamp(seconds=setup_s + 1)
    kind = records_pb2.SESSION_KIND_CALL
    return records_pb2.SessionRecord(
        session_id=session_id, setup_time=Timestamp(seconds=setup_s), end_time=end, kind=kind
    )


def test_a_refused_clock_is_shown_until_it_is_accepted(channel: grpc.Channel, clock: MovableClock) -> None:
    admin = admin_pb2_grpc.AdminServiceStub(channel)
    assert not admin.GetRetention(admin_pb2.GetRetentionRequest()).HasField("refused_clock")
    assert not admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest()).HasField("clock_refused_since_time")
    clock.error_us = 60 * DAY_S * US
    shown = admin.GetRetention(admin_pb2.GetRetentionRequest())
    assert shown.retention.days == DAYS
    refused = shown.refused_clock
    assert refused.since_time == "2026-03-30T12:00:00Z"
    assert (refused.deviation_seconds, refused.waiting_days) == (60 * DAY_S, 1)
    info = admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest())
    assert (info.clock_refused_since_time, info.records) == (refused.since_time, DAYS + 1)
    admin.SetRetention(admin_pb2.SetRetentionRequest(accept_clock=True))
    shown = admin.GetRetention(admin_pb2.GetRetentionRequest())
    assert (shown.retention.days, shown.HasField("refused_clock")) == (DAYS, False)
    assert admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest()).records == DAYS


def test_the_active_report_shows_a_session_while_the_clock_is_wrong(
    channel: grpc.Channel, clock: MovableClock
) -> None:
    reports = reports_pb2_grpc.ReportServiceStub(channel)
    request = reports_pb2.QueryActiveSessionsRequest(return_fields=["quantity"])
    for error_days, as_of in ((0, "2026-03-30T12:00:00Z"), (60, "2026-05-29T12:00:00Z")):
        clock.error_us = error_days * DAY_S * US
        answer = reports.QueryActiveSessions(request)
        assert ([row.quantity for row in answer.rows], answer.as_of) == ([1], as_of)
