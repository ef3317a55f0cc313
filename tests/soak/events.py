"""Batches of START, UPDATE and END events whose setup times move on faster than the clock."""

import time
from collections import deque
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from pegcount.v1 import records_pb2, reports_pb2

_SESSIONS_PER_BATCH = 20
RECORDS_PER_BATCH = 3 * _SESSIONS_PER_BATCH
_BATCHES_UNTIL_UPDATE, _BATCHES_UNTIL_END = 2, 4
_FIRST_SETUP_S = 1_700_000_000
"""In the past by so much that no setup time comes after the present."""
_CLIENT_COUNT, _GATEWAY_COUNT = 20, 30
_SECONDS_PER_DAY = 86_400
_REPORT_DAYS = 3
_HOUR = reports_pb2.GRANULARITY_HOUR


class MovingDays:
    """The setup times: a UTC day of them passes every `day_seconds`."""

    def __init__(self, day_seconds: float) -> None:
        self._day_seconds = day_seconds
        self._begin = time.monotonic()

    def now_s(self) -> int:
        """Returns the setup time of calls that begin now, in Unix seconds."""
        days = (time.monotonic() - self._begin) / self._day_seconds
        return _FIRST_SETUP_S + int(days * _SECONDS_PER_DAY)

    def report(self, kind: int) -> tuple[str, Message]:
        """Returns a method of ReportService and its request: one of four, of the last days."""
        day = datetime.fromtimestamp(self.now_s(), UTC).date()
        first, last, end = (str(day + timedelta(days=each)) for each in (1 - _REPORT_DAYS, 0, 1))
        return [_usage(first, end), _active(), _folders(first, last), _quality(first, end)][kind]


def _usage(first: str, end: str) -> tuple[str, Message]:
    return "QueryAsrUsage", reports_pb2.QueryAsrUsageRequest(
        from_time=first, to_time=end, granularity=_HOUR, kind=records_pb2.SESSION_KIND_CALL
    )


def _active() -> tuple[str, Message]:
    fields = ["orig_clients_name", "equipment_name", "quantity"]
    return "QueryActiveSessions", reports_pb2.QueryActiveSessionsRequest(
        return_fields=fields, order=["-quantity"], grouping=reports_pb2.GROUPING_ROLLUP
    )


def _folders(first: str, last: str) -> tuple[str, Message]:
    return "QueryFolderStats", reports_pb2.QueryFolderStatsRequest(
        company="company", organization="organization", from_date=first, to_date=last
    )


def _quality(first: str, end: str) -> tuple[str, Message]:
    return "QueryOriginationQuality", reports_pb2.QueryOriginationQualityRequest(
        account_id="1", from_time=first, to_time=end, sampling=_HOUR
    )


class EventFeed:
    """The events of one caller: each session begins, is updated and ends, each in a later batch."""

    def __init__(self, name: str, days: MovingDays) -> None:
        self._name = name
        self._days = days
        self._count = 0
        self._setups: deque[tuple[int, int]] = deque(maxlen=_BATCHES_UNTIL_END + 1)

    def batch(self) -> records_pb2.WriteRecordsRequest:
        """Returns the next batch."""
        self._setups.append((self._count, self._days.now_s()))
        self._count += 1
        records = self._records(0, records_pb2.SESSION_EVENT_START)
        records += self._records(_BATCHES_UNTIL_UPDATE, records_pb2.SESSION_EVENT_UPDATE)
        records += self._records(_BATCHES_UNTIL_END, records_pb2.SESSION_EVENT_END)
        return records_pb2.WriteRecordsRequest(records=records)

    def _records(self, age: int, event: records_pb2.SessionEvent) -> list[records_pb2.SessionRecord]:
        if age >= len(self._setups):
            return []
        number, setup_s = self._setups[-1 - age]
        return [self._record(number, each, setup_s, event) for each in range(_SESSIONS_PER_BATCH)]

    def _record(
        self, number: int, each: int, setup_s: int, event: records_pb2.SessionEvent
    ) -> records_pb2.SessionRecord:
        record = records_pb2.SessionRecord(
            source="soak",
            session_id=f"{self._name}/{number}/{each}",
            event=event,
            kind=records_pb2.SESSION_KIND_CALL,
            account_id=str(each % _CLIENT_COUNT),
            orig_clients_name=f"client {each % _CLIENT_COUNT}",
            equipment_name=f"gateway {number % _GATEWAY_COUNT}",
            company="company",
            organization="organization",
            folder=f"folder {each % 5}",
            agent_id=f"agent {number % 7}",
        )
        record.setup_time.seconds = setup_s
        if event != records_pb2.SESSION_EVENT_START:
            record.answer_time.seconds = setup_s + 5
        if event == records_pb2.SESSION_EVENT_END:
            record.end_time.seconds = setup_s + 65
        return record
