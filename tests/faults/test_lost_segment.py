"""A segment is truncated or removed under a running server: its day fails, all else goes on."""

import os
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2, reports_pb2
from waiting import stays

from faults.process import ServiceProcess

DAY_S = 86_400
FIRST_DAY_S = 1_774_742_400
"""2026-03-29T00:00:00Z."""


def truncate(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("damage", [truncate, Path.unlink])
def test_a_lost_segment_fails_its_day_and_the_server_goes_on(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    directory = tmp_path / "data"
    write_two_days(directory)
    service = ServiceProcess(directory)
    try:
        assert [sessions_of_day(service, day) for day in range(2)] == [500, 500]
        (path,) = directory.glob("segments/2026-03-29/*")
        damage(path)
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as raised:
                sessions_of_day(service, 0)
            assert raised.value.code() == grpc.StatusCode.DATA_LOSS
            stays(lambda: sessions_of_day(service, 1) == 500, 0.1)
        assert service.health() == health_pb2.HealthCheckResponse.SERVING
    finally:
        service.stop()
    assert service.log.read_text().count(f"{path}: it was") == 1


def write_two_days(directory: Path) -> None:
    store = EmbeddedStore(directory, Config(), create=True)
    records = [record(day, number) for day in range(2) for number in range(500)]
    outcome = store.write(records_pb2.WriteRecordsRequest(records=records).SerializeToString())
    assert outcome.accepted == 1_000, outcome.rejected[:1]
    store.flush()
    store.close()


def record(day: int, number: int) -> records_pb2.SessionRecord:
    setup_s = FIRST_DAY_S + day * DAY_S + number
    return records_pb2.SessionRecord(
        session_id=f"s{day}-{number}",
        kind=records_pb2.SESSION_KIND_CALL,
        setup_time=Timestamp(seconds=setup_s),
        end_time=Timestamp(seconds=setup_s + 60),
    )


def sessions_of_day(service: ServiceProcess, day: int) -> int:
    request = reports_pb2.QueryAsrUsageRequest(
        from_time=f"2026-03-{29 + day}",
        to_time=f"2026-03-{30 + day}",
        granularity=reports_pb2.GRANULARITY_DAY,
        time_zone="UTC",
        kind=records_pb2.SESSION_KIND_CALL,
    )
    session_count: int = service.reports.QueryAsrUsage(request, timeout=30).totals.session_count
    return session_count
