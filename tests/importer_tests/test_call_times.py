"""The instants of a call, computed from local dates and durations."""

import pytest
from pegcount.importers.call_times import LoggedCall, read_seconds, set_call_times
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.timestamps import read_local_timestamp
from pegcount.v1.records_pb2 import SessionRecord

from .reading import get_zone, times

AUTUMN = "2026-10-25"
BERLIN = get_zone("Europe/Berlin")


def check(row: str, expected: str, created: str = "") -> None:
    """`row` is start, answer (or -), end, duration and billsec; `expected` is setup, answer and end (UTC)."""
    start, answer, end, duration, billsec = row.split()
    call = LoggedCall(
        start=read_local_timestamp("start", f"{AUTUMN} {start}"),
        is_answered=answer != "-",
        answer=None if answer == "-" else read_local_timestamp("answer", f"{AUTUMN} {answer}"),
        end=read_local_timestamp("end", f"{AUTUMN} {end}"),
        duration_us=read_seconds("duration", duration),
        billsec_us=read_seconds("billsec", billsec),
    )
    created_us = read_local_timestamp("created", f"{AUTUMN} {created}").us if created else None
    record = SessionRecord()
    set_call_times(record, call, BERLIN, created_us)
    found = [time.removeprefix(f"{AUTUMN}T").removesuffix("Z") for time in times(record)]
    assert " ".join(found) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # At noon, each local time is unique.
        ("12:00:00 12:00:05 12:00:15 15 10", "11:00:00 11:00:05 11:00:15"),
        ("12:00:00 - 12:00:15 15 0", "11:00:00 - 11:00:15"),
        ("12:00:00 12:00:00 12:00:00 0 0", "11:00:00 11:00:00 11:00:00"),
        # The clock goes back during the call; the difference of the texts is -45 minutes.
        ("02:50:00 02:50:05 02:05:00 900 895", "00:50:00 00:50:05 01:05:00"),
        ("02:50:00 02:00:10 02:05:00 900 290", "00:50:00 01:00:10 01:05:00"),
        ("02:10:00 02:10:05 02:10:00 3600 3595", "00:10:00 00:10:05 01:10:00"),
        # The end decides between the two possible starts.
        ("02:50:00 02:50:05 03:05:00 900 895", "01:50:00 01:50:05 02:05:00"),
        ("02:50:00 02:50:05 03:05:00 4500 4495", "00:50:00 00:50:05 02:05:00"),
        # Both starts fit the end: the earlier one applies.
        ("02:30:00 02:30:05 02:40:00 600 595", "00:30:00 00:30:05 00:40:00"),
        # Truncated and rounded seconds.
        ("12:00:00 12:00:05 12:00:16 15 10", "11:00:00 11:00:05 11:00:15"),
        ("12:00:00 12:00:00 12:00:10 10 11", "11:00:00 11:00:00 11:00:10"),
        ("12:00:00 12:00:05 12:00:15 15.75 10.5", "11:00:00 11:00:05.250000 11:00:15.750000"),
        # A spreadsheet truncates dates to minutes, but not durations.
        ("12:00 12:00 12:02 100 95", "11:00:00 11:00:05 11:01:40"),
    ],
)
def test_times(row: str, expected: str) -> None:
    check(row, expected)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("00:29:59", "00:30:00 00:30:05 00:40:00"),
        ("00:30:01", "00:30:00 00:30:05 00:40:00"),
        ("00:45:00", "01:30:00 01:30:05 01:40:00"),
        ("01:30:00", "01:30:00 01:30:05 01:40:00"),
    ],
)
def test_the_channel_creation_time_resolves_a_repeated_start(created: str, expected: str) -> None:
    check("02:30:00 02:30:05 02:40:00 600 595", expected, created)


def test_a_start_before_the_channel_creation_is_rejected() -> None:
    with pytest.raises(UnreadableRowError, match="is the time zone right"):
        check("12:00:00 12:00:05 12:00:15 15 10", "", created="12:00:00")


@pytest.mark.parametrize(
    "row",
    [
        "12:00:00 12:00:05 12:00:25 15 10",
        "12:00:00 12:00:09 12:00:15 15 10",
        "12:00:00 11:59:50 12:00:15 15 25",
        "12:00:15 12:00:05 12:00:00 15 10",
        "02:50:00 02:50:05 02:05:00 800 795",
        "12:00 12:00 12:04 100 95",
    ],
)
def test_dates_that_contradict_the_durations_are_rejected(row: str) -> None:
    with pytest.raises(UnreadableRowError, match="do not agree"):
        check(row, "")


@pytest.mark.parametrize("text", ["", "-1", "1.", "1e3", "12:00", "1.1234567", "1234567890"])
def test_malformed_seconds_are_rejected(text: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^billsec: "):
        read_seconds("billsec", text)
