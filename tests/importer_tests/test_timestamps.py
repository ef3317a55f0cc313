"""Timestamps of local time, in RFC 3339 and in PostgreSQL's format, and the instants that they may mean."""

import pytest
from pegcount.importers.call_record import set_instant
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.timestamps import (
    is_local_timestamp,
    read_local_timestamp,
    read_postgres,
    read_rfc_3339,
)
from pegcount.v1.records_pb2 import SessionRecord

from .reading import get_zone, times

MINUTE_US = 60_000_000


@pytest.mark.parametrize(
    ("text", "seconds", "resolution_s"),
    [
        ("1970-01-01 00:00:00", 0, 1),
        ("1969-12-31 23:59:59", -1, 1),
        ("2026-03-29 02:30:00", 1_774_751_400, 1),
        ("2026/3/29 2:30", 1_774_751_400, 60),
        ("2026/03/29 02:30:01", 1_774_751_401, 1),
        ("2024-02-29 00:00:00", 1_709_164_800, 1),
    ],
)
def test_stamps(text: str, seconds: int, resolution_s: int) -> None:
    assert is_local_timestamp(text)
    stamp = read_local_timestamp("start", text)
    assert (stamp.us, stamp.resolution_us) == (seconds * 1_000_000, resolution_s * 1_000_000)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "2026-03-29",
            "2026-03-29T02:30:00",
            "2026-03/29 02:30:00",
            "29/03/2026 02:30",
            "3/29/2026 2:30",
        ),
        *("2026-02-29 00:00:00", "2026-13-01 00:00:00", "2026-03-29 24:00:00", "2026-03-29 23:59:60"),
        *("0000-00-00 00:00:00", "1968-12-31 00:00:00", "2201-01-01 00:00:00", "\uff12026-03-29 02:30:00"),
    ],
)
def test_malformed_stamps_are_rejected(text: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^start: "):
        read_local_timestamp("start", text)


@pytest.mark.parametrize(
    ("zone_name", "text", "utc", "gap_minutes"),
    [
        ("UTC", "2026-10-25 02:30:00", "2026-10-25 02:30:00", 0),
        ("Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24 23:59:59", 0),
        ("Europe/Berlin", "2026-10-25 02:00:00", "2026-10-25 00:00:00", 60),
        ("Europe/Berlin", "2026-10-25 02:59:59", "2026-10-25 00:59:59", 60),
        ("Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25 02:00:00", 0),
        ("Europe/Berlin", "2026-10-24 02:30:00", "2026-10-24 00:30:00", 0),
        ("Europe/Berlin", "2026-10-26 02:30:00", "2026-10-26 01:30:00", 0),
        ("Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29 00:59:59", 0),
        ("Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29 01:30:00", 0),
        ("Europe/Berlin", "2026-07-01 12:00:00", "2026-07-01 10:00:00", 0),
        ("Australia/Lord_Howe", "2026-04-05 01:29:59", "2026-04-04 14:29:59", 0),
        ("Australia/Lord_Howe", "2026-04-05 01:30:00", "2026-04-04 14:30:00", 30),
        ("Australia/Lord_Howe", "2026-04-05 02:00:00", "2026-04-04 15:30:00", 0),
        ("Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30 22:00:00", 0),
    ],
)
def test_instants_of_a_local_time(zone_name: str, text: str, utc: str, gap_minutes: int) -> None:
    earlier_us = read_local_timestamp("utc", utc).us
    expected = (earlier_us, earlier_us + gap_minutes * MINUTE_US)
    assert get_zone(zone_name).instants_us(read_local_timestamp("local", text).us) == expected


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
    assert formatted(read_rfc_3339("t", text, get_zone("Europe/Berlin"))) == expected


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
        read_rfc_3339("t", text, get_zone("UTC"))


@pytest.mark.parametrize(
    ("text", "expected", "is_instant"),
    [
        ("2026-03-29 02:30:00", "2026-03-29T02:30:00Z", False),
        ("2026-03-29 02:30:00.25", "2026-03-29T02:30:00.250000Z", False),
        ("2026-03-29 02:30:00+00", "2026-03-29T02:30:00Z", True),
        ("2026-03-29 02:30:00.123456+02", "2026-03-29T00:30:00.123456Z", True),
        ("2026-03-29 02:30:00+05:45", "2026-03-28T20:45:00Z", True),
        ("2026-03-29 02:30:00-0330", "2026-03-29T06:00:00Z", True),
        ("2026-03-29 02:30:00 UTC", "2026-03-29T02:30:00Z", True),
        ("2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z", True),
    ],
)
def test_postgres(text: str, expected: str, is_instant: bool) -> None:
    time = read_postgres("t", text)
    assert (formatted(time.us), time.is_instant) == (expected, is_instant)


@pytest.mark.parametrize("text", ["2026-03-29", "2026-03-29 02:30", "2026-03-29 02:30:00 CET", "infinity"])
def test_malformed_postgres_timestamps_are_rejected(text: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^t: "):
        read_postgres("t", text)


def test_the_epoch_is_a_present_time() -> None:
    record = SessionRecord()
    set_instant(record.answer_time, 0)
    assert record.HasField("answer_time")
