"""Example records and requests, and ways to replace a store's scan."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.errors import PegcountError
from pegcount.model import Scan
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2
from service import Service

SETUP_S = 1_774_771_200
"""2026-03-29T08:00:00Z."""

ASK_USAGE = reports_pb2.QueryAsrUsageRequest(
    from_time="2026-03-29", to_time="2026-03-30", granularity=reports_pb2.GRANULARITY_HOUR
)
ASK_ACTIVE = reports_pb2.QueryActiveSessionsRequest(return_fields=["session_id", "quantity"])
ASK_FOLDER = reports_pb2.QueryFolderStatsRequest(
    company="acme", organization="north", from_date="2026-03-29", to_date="2026-03-29"
)
ASK_QUALITY = reports_pb2.QueryOriginationQualityRequest(
    account_id="a1", from_time="2026-03-29", to_time="2026-03-30", sampling=reports_pb2.GRANULARITY_HOUR
)
ASK_TRAFFIC = traffic_pb2.QueryTrafficRequest(
    from_time="2026-03-29",
    to_time="2026-03-30",
    granularity=reports_pb2.GRANULARITY_HOUR,
    metrics=[traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS)],
)
ONE_CODE = admin_pb2.PutCodeDeckRequest(id=1, entries=[admin_pb2.CodeDeckEntry(code="49", name="Germany")])


def changed(request: Any, **fields: object) -> Any:
    """Copies a request with some fields replaced."""
    more = type(request)(**fields)
    copy = type(request)()
    copy.CopyFrom(request)
    for name in fields:
        copy.ClearField(name)
    copy.MergeFrom(more)
    return copy


def call_record(session_id: str, **more: Any) -> records_pb2.SessionRecord:
    """Builds a finished call of account a1 in acme/north/sales that rings for 10 s and lasts for 60 s."""
    given: dict[str, Any] = {
        "setup_time": Timestamp(seconds=SETUP_S),
        "answer_time": Timestamp(seconds=SETUP_S + 10),
        "end_time": Timestamp(seconds=SETUP_S + 70),
        "company": "acme",
        "organization": "north",
        "folder": "sales",
        "account_id": "a1",
        **more,
    }
    return records_pb2.SessionRecord(session_id=session_id, **given)


def active_record(session_id: str, **more: Any) -> records_pb2.SessionRecord:
    """Builds an answered call without an end."""
    return call_record(session_id, end_time=None, **more)


def replace_scan(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    scan: Callable[[Scan, int, core.CancelToken], core.Partials],
) -> None:
    """Replaces the scan of the store with `scan`, which counts as long."""
    monkeypatch.setattr(service.store, "estimate", lambda _: None)
    monkeypatch.setattr(service.store, "partials", scan)


def scan_without_end(
    service: Service, monkeypatch: pytest.MonkeyPatch, begun: Callable[[], None], ended: list[Exception]
) -> None:
    """Repeats each scan until its cancel token stops it; appends the resulting error to `ended`."""
    once = service.store.partials

    def again_and_again(scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        try:
            while True:
                once(scan, cell_count_max, cancel_token)
                begun()
        except PegcountError as error:
            ended.append(error)
            raise

    replace_scan(service, monkeypatch, again_and_again)


def damage_segments(directory: Path) -> None:
    """Overwrites each segment with invalid bytes."""
    for path in directory.glob("segments/*/*"):
        # Unlinked first, so that segments mapped by an open store stay intact.
        path.unlink()
        path.write_bytes(b"damaged")
