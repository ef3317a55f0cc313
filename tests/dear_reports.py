"""Records of which every group is distinct, and the reports over them that cost most."""

from collections.abc import Iterator

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2, reports_pb2

NOW_S = 1_774_872_000
"""2026-03-30T12:00:00Z, the time at which the reports are asked."""
DAY_S = 86_400
_BATCH_RECORDS = 5_000
_DAYS = 20
_FOLDERS = 500
ALL_FIELDS = [field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields if field.name != "level"]

REPORTS: dict[str, Message] = {
    "QueryActiveSessions, all fields, rollup": reports_pb2.QueryActiveSessionsRequest(
        return_fields=ALL_FIELDS, order=["-duration"], grouping=reports_pb2.GROUPING_ROLLUP
    ),
    "QueryActiveSessions, ordered by text": reports_pb2.QueryActiveSessionsRequest(
        return_fields=["term_src_party_id", "orig_clients_name", "quantity"], order=["-term_src_party_id"]
    ),
    "QueryFolderStats, 20 days": reports_pb2.QueryFolderStatsRequest(
        company="c", organization="o", from_date="2026-03-10", to_date="2026-03-29"
    ),
    "QueryAsrUsage, a year of five minutes": reports_pb2.QueryAsrUsageRequest(
        from_time="2025-04-01",
        to_time="2026-03-30",
        granularity=reports_pb2.GRANULARITY_FIVE_MINUTES,
        kind=records_pb2.SESSION_KIND_CALL,
    ),
    "QueryOriginationQuality, 76 days of minutes": reports_pb2.QueryOriginationQualityRequest(
        account_id="a", from_time="2026-01-14", to_time="2026-03-30", sampling=reports_pb2.GRANULARITY_MINUTE
    ),
}
"""Requests by a name that begins with their method."""


def batches(active_count: int, finished_count: int) -> Iterator[bytes]:
    """Yields serialized `WriteRecordsRequest`s with sessions in progress, and with finished calls."""
    numbers = [*range(active_count)]
    for first in range(0, active_count, _BATCH_RECORDS):
        yield _batch([_active(number) for number in numbers[first : first + _BATCH_RECORDS]])
    for first in range(0, finished_count, _BATCH_RECORDS):
        last = min(finished_count, first + _BATCH_RECORDS)
        yield _batch([_finished(number) for number in range(first, last)])


def _batch(records: list[records_pb2.SessionRecord]) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records).SerializeToString()


def _active(number: int) -> records_pb2.SessionRecord:
    """A session whose numbers and names no other session has."""
    setup_s = NOW_S - 3_600 + number % 3_600
    return records_pb2.SessionRecord(
        source="s",
        session_id=f"active {number}",
        setup_time=Timestamp(seconds=setup_s, nanos=number % 1_000 * 1_000_000),
        answer_time=Timestamp(seconds=setup_s, nanos=number % 999 * 1_000_000),
        orig_src_party_id=f"1201555{number * 7_919 % 10_000_000:07}",
        term_src_party_id=f"1202555{number * 104_729 % 10_000_000:07}",
        term_dst_party_id=f"1203555{number * 15_485_863 % 10_000_000:07}",
        orig_clients_name=f"customer {number % 50_000}",
        term_clients_name=f"vendor {number % 1_000}",
        orig_clients_id=number % 50_000,
        term_clients_id=number % 1_000,
        equipment_name=f"switch {number % 10}",
    )


def _finished(number: int) -> records_pb2.SessionRecord:
    """A call of a folder and an agent that have no other call on its day."""
    day, agent = number % _DAYS, number // _DAYS
    setup_s = NOW_S // DAY_S * DAY_S - (_DAYS - day) * DAY_S + agent % DAY_S
    return records_pb2.SessionRecord(
        source="s",
        session_id=f"finished {number}",
        setup_time=Timestamp(seconds=setup_s),
        answer_time=Timestamp(seconds=setup_s + 5),
        end_time=Timestamp(seconds=setup_s + 65),
        account_id="a",
        company="c",
        organization="o",
        folder=f"folder {agent % _FOLDERS}",
        agent_id=f"agent {agent}",
    )
