"""Records for the reports of the client: a day of 23 hours, an unanswered call, an id beyond 2^53."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2
from service import Service

ODD_ID = 2**53 + 1
"""An id that a float would round."""
ACTIVE_FIELDS = [
    "orig_clients_name",
    "quantity",
    "equipment_id",
    "session_setup_time",
    "session_start_time",
    "duration",
]
"""Fields of active sessions: of every kind, with the aggregates between the keys."""


def at(text: str) -> Timestamp:
    """Returns an instant as records have it."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.fromisoformat(text))
    return stamp


def _record(session_id: str, setup: str, **more: Any) -> records_pb2.SessionRecord:
    given: dict[str, Any] = {
        "setup_time": at(setup),
        "company": "acme",
        "organization": "north",
        "account_id": "1001",
        **more,
    }
    return records_pb2.SessionRecord(session_id=session_id, **given)


RECORDS = [
    # So old that no report begins before it.
    _record(
        "old",
        "2025-01-01T00:00:00+00:00",
        end_time=at("2025-01-01T00:00:01+00:00"),
        company="other",
        account_id="1",
    ),
    # Of 29 March, the day of 23 hours, in Berlin.
    _record(
        "answered",
        "2026-03-29T03:00:00+02:00",
        answer_time=at("2026-03-29T03:00:10+02:00"),
        end_time=at("2026-03-29T03:01:10.5+02:00"),
        folder="sales",
        agent_id="mona",
    ),
    _record(
        "unanswered", "2026-03-29T04:30:00+02:00", end_time=at("2026-03-29T04:30:09+02:00"), agent_id="max"
    ),
    _record(
        "next day", "2026-03-30T00:00:00+02:00", end_time=at("2026-03-30T00:00:30+02:00"), folder="sales"
    ),
    # Another agent of the same day and folder.
    _record(
        "missed",
        "2026-03-29T05:00:00+02:00",
        end_time=at("2026-03-29T05:00:20+02:00"),
        folder="sales",
        agent_id="nora",
        account_id="1002",
    ),
    # In progress.
    _record(
        "ringing",
        "2026-03-30T11:59:00.000001+00:00",
        equipment_id=ODD_ID,
        orig_clients_name="Łódź",
    ),
    _record(
        "talking",
        "2026-03-30T11:58:00+00:00",
        answer_time=at("2026-03-30T11:58:30+00:00"),
        equipment_id=0,
    ),
    # Speech recognition.
    *(
        _record(
            f"speech {number}", "2026-03-29T23:59:59.999999+02:00", kind="SESSION_KIND_ASR", app_id=ODD_ID
        )
        for number in range(3)
    ),
]


@contextmanager
def served_records(directory: Path) -> Iterator[Service]:
    """Runs a service with the records. Its clock stands at 2026-03-30T12:00:00Z."""
    with Service(directory) as service:
        outcome = service.write_all(RECORDS)
        assert outcome.accepted == len(RECORDS)
        yield service
