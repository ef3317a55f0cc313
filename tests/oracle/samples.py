"""Short ways to write records by hand."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1.records_pb2 import SessionRecord

from . import calendar, records

US = calendar.MICROSECONDS


def at(text: str) -> int:
    return calendar.parse_time(text, "UTC")


def stamp(instant_us: int) -> Timestamp:
    return Timestamp(seconds=instant_us // US, nanos=instant_us % US * 1000)


def record(
    session_id: str, setup: int, answer: int | None = None, end: int | None = None, **fields: Any
) -> SessionRecord:
    return SessionRecord(
        session_id=session_id,
        setup_time=stamp(setup),
        answer_time=None if answer is None else stamp(answer),
        end_time=None if end is None else stamp(end),
        **fields,
    )


def merged_sessions(*messages: SessionRecord, received_us: int = 0) -> list[records.Session]:
    return records.merge_messages(messages, received_us).sessions
