"""The records of the load tests, finished calls of one day, and a report of that day."""

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from pegcount.v1.reports_pb2 import Granularity, QueryOriginationQualityRequest

ACCOUNT = "a1"
DAY_S = 1_773_100_800
"""2026-03-10T00:00:00Z."""


def batch(account: str, first: int, count: int) -> bytes:
    """Encodes a WriteRecordsRequest with calls `first`, `first + 1`, … of an account."""
    records = [_call(account, number) for number in range(first, first + count)]
    return WriteRecordsRequest(batch_id=str(first), records=records).SerializeToString()


def day_report(account: str, sampling: Granularity) -> QueryOriginationQualityRequest:
    return QueryOriginationQualityRequest(
        account_id=account, from_time="2026-03-10", to_time="2026-03-11", sampling=sampling
    )


def _call(account: str, number: int) -> SessionRecord:
    # A prime step spreads the calls over the day.
    setup_s = DAY_S + number * 7_919 % 86_000
    return SessionRecord(
        source="load",
        session_id=f"{account}/{number}",
        account_id=account,
        setup_time=Timestamp(seconds=setup_s),
        answer_time=Timestamp(seconds=setup_s + 5),
        end_time=Timestamp(seconds=setup_s + 65),
    )
