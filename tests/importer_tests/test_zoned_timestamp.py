"""Timestamps in RFC 3339 and in PostgreSQL's format."""

import pytest
from pegcount.importers.call_record import set_instant
from pegcount.importers.local_timestamp import LocalClock
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.zoned_timestamp import read_postgres, read_rfc_3339
from pegcount.v1.records_pb2 import SessionRecord

from .reading import get_zone, times


def formatted(instant_us: int) -> str:
    record = SessionRecord()
    set_instant(record.setup_time, instant_us)
    return times(record)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("2026-03-29T02:30:00.5Z", "2026-03-29T02:30:00.500000Z"),
        ("2026-03-29T02:30:00.123456789Z", "2026-03-29T02:30:00.123456Z"),
        ("2026-03-29T02:30:00+05:45", "2026-03-28T20:45:00Z"),
        ("2026-03-29T02:30:00-23:59", "2026-03-30T02:29:00Z"),
        ("2026-03-28T12:00:00", "2026-03-28T11:00:00Z"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
    ],
)
def test_rfc_3339(text: str, expected: str) -> None:
    assert formatted(read_rfc_3339("t", text, LocalClock(get_zone("Europe/Berlin")))) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-29", "2026-03-29 02:30:00Z", "2026-03-29T02:30Z", "2026-03-29T02:30:00z", "1774751400"),
        *("2026-03-29T02:30:00.Z", "2026-03-29T02:30:00.1234567890Z", "2026-03-29T02:30:60Z"),
        *("2026-03-29T02:30:00+0100", "2026-03-29T02:30:00+24:00", "2026-03-29T02:30:00+01:60"),
        *("2026-02-30T00:00:00Z", "9999-12-31T00:00:00Z", ""),
    ],
)
def test_malformed_rfc_3339_is_rejected(text: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^t: "):
        read_rfc_3339("t", text, LocalClock(get_zone("UTC")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-29 02:30:00", "2026-03-29T02:30:00Z"),
        ("2026-03-29 02:30:00.25", "2026-03-29T02:30:00.250000Z"),
        ("2026-03-29 02:30:00+00", "2026-03-29T02:30:00Z"),
        ("2026-03-29 02:30:00.123456+02", "2026-03-29T00:30:00.123456Z"),
        ("2026-03-29 02:30:00+05:45", "2026-03-28T20:45:00Z"),
        ("2026-03-29 02:30:00-0330", "2026-03-29T06:00:00Z"),
        ("2026-03-29 02:30:00 UTC", "2026-03-29T02:30:00Z"),
        ("2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z"),
    ],
)
def test_postgres(text: str, expected: str) -> None:
    assert formatted(read_postgres("t", text)) == expected


@pytest.mark.parametrize("text", ["2026-03-29", "2026-03-29 02:30", "2026-03-29 02:30:00 CET", "infinity"])
def test_malformed_postgres_timestamps_are_rejected(text: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^t: "):
        read_postgres("t", text)


def test_the_epoch_is_a_present_time() -> None:
    record = SessionRecord()
    set_instant(record.answer_time, 0)
    assert record.HasField("answer_time")
