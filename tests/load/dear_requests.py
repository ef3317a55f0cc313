"""A store with a year of calls and many active sessions, and requests over it, from cheap to the dearest."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.config import Config
from pegcount.request.active import RETURN_FIELDS
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from load.traffic import ACCOUNT, DAY_S, batch, day_report

_REPORTS = "/pegcount.v1.ReportService"
CALL_COUNT = 300_000
ACTIVE_COUNT = 20_000
_ROLLUP_CLIENT_COUNT = 10
"""One of these clients has the sessions of the rollup."""
_SMALL_CALL_COUNT = 2_000
_BATCH_RECORDS = 5_000
_DAY_COUNT = 360
_SECONDS_PER_DAY = 86_400
_FOLDER_COUNT, _AGENT_COUNT = 20, 50
_DEAR_ACCOUNT = "dear"


@dataclass(frozen=True, slots=True)
class Request:
    """A unary call."""

    name: str
    method: str
    message: Message

    def option(self, directory: Path) -> str:
        """Writes the message to a file and returns the option of the Go program that asks it."""
        path = directory / self.name.replace(" ", "-")
        path.write_bytes(self.message.SerializeToString())
        return f"--request={self.method}:{path}"


def fill(directory: Path) -> None:
    """Makes a data directory with the records."""
    store = EmbeddedStore(directory, Config(), create=True)
    store.write(batch(ACCOUNT, 0, _SMALL_CALL_COUNT))
    for records in (_finished(), _active(int(time.time()))):
        for message in _batches(records):
            store.write(message)
        store.flush()
    store.close()


def small_report() -> Request:
    """One day of one account by the hour."""
    return Request(
        "small report",
        f"{_REPORTS}/QueryOriginationQuality",
        day_report(ACCOUNT, reports_pb2.GRANULARITY_HOUR),
    )


def mixed_reports() -> list[Request]:
    """One of each report, two cheap ones and two dear ones."""
    usage, _, _, _, by_text = dearest_reports()
    quality = day_report(_DEAR_ACCOUNT, reports_pb2.GRANULARITY_MINUTE)
    return [
        usage,
        by_text,
        Request("folders of a month", f"{_REPORTS}/QueryFolderStats", _folder("2026-02-09")),
        Request("quality by minute", f"{_REPORTS}/QueryOriginationQuality", quality),
    ]


def dearest_reports() -> list[Request]:
    """The dearest legal requests."""
    usage = reports_pb2.QueryAsrUsageRequest(
        from_time="2025-03-15", to_time="2026-03-11", granularity=reports_pb2.GRANULARITY_FIVE_MINUTES
    )
    quality = reports_pb2.QueryOriginationQualityRequest(
        account_id=_DEAR_ACCOUNT,
        from_time="2025-12-25",
        to_time="2026-03-11",
        sampling=reports_pb2.GRANULARITY_MINUTE,
    )
    filters = reports_pb2.ActiveSessionFilters(orig_clients_id=[1])
    rollup = reports_pb2.QueryActiveSessionsRequest(
        return_fields=RETURN_FIELDS, grouping=reports_pb2.GROUPING_ROLLUP, filters=filters
    )
    by_text = reports_pb2.QueryActiveSessionsRequest(
        return_fields=["session_id", "orig_src_party_id", "quantity"], order=["-orig_src_party_id"]
    )
    return [
        Request("usage of a year", f"{_REPORTS}/QueryAsrUsage", usage),
        Request("quality of 76 days", f"{_REPORTS}/QueryOriginationQuality", quality),
        Request("folders of a year", f"{_REPORTS}/QueryFolderStats", _folder("2025-03-16")),
        Request("rollup of all keys", f"{_REPORTS}/QueryActiveSessions", rollup),
        Request("sessions by text", f"{_REPORTS}/QueryActiveSessions", by_text),
    ]


def _folder(from_date: str) -> reports_pb2.QueryFolderStatsRequest:
    return reports_pb2.QueryFolderStatsRequest(
        company="acme", organization="north", from_date=from_date, to_date="2026-03-10"
    )


def _batches(records: Iterable[SessionRecord]) -> Iterator[bytes]:
    waiting: list[SessionRecord] = []
    for record in records:
        waiting.append(record)
        if len(waiting) == _BATCH_RECORDS:
            yield WriteRecordsRequest(records=waiting).SerializeToString()
            waiting = []
    if waiting:
        yield WriteRecordsRequest(records=waiting).SerializeToString()


def _finished() -> Iterator[SessionRecord]:
    for number in range(CALL_COUNT):
        day = number % _DAY_COUNT
        setup_s = DAY_S - day * _SECONDS_PER_DAY + number * 7_919 % 86_000
        yield SessionRecord(
            source="load",
            session_id=f"finished/{number}",
            account_id=_DEAR_ACCOUNT,
            company="acme",
            organization="north",
            folder=f"folder {number % _FOLDER_COUNT}",
            agent_id=f"agent {number // _DAY_COUNT % _AGENT_COUNT}",
            is_last_attempt=True,
            setup_time=Timestamp(seconds=setup_s),
            answer_time=Timestamp(seconds=setup_s + 5),
            end_time=Timestamp(seconds=setup_s + 65),
        )


def _active(now_s: int) -> Iterator[SessionRecord]:
    for number in range(ACTIVE_COUNT):
        client = number % _ROLLUP_CLIENT_COUNT
        yield SessionRecord(
            source="load",
            session_id=f"active/{number}",
            setup_time=Timestamp(seconds=now_s - number % 3_000),
            answer_time=Timestamp(seconds=now_s - number % 3_000 + 1),
            orig_src_party_id=f"+44{number * 7_919 % 10_000_000:07}",
            orig_dst_party_id=f"+49{number:07}",
            orig_clients_id=client,
            orig_clients_name=f"client {client}",
            term_clients_name=f"vendor {number % 7}",
            equipment_name=f"switch {number % 3}",
        )
