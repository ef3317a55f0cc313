"""Instants of a call out of local dates and durations."""

import pytest
from pegcount.importers.call_times import LoggedCall, read_seconds, set_call_times
from pegcount.importers.local_timestamp import LocalClock, read_local_timestamp
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.v1.records_pb2 import SessionRecord

from .reading import known, times

AUTUMN = "2026-10-25"
CLOCK = LocalClock(known("Europe/Berlin"))


def check(row: str, expected: str, created: str = "") -> None:
    """`row` has start, answer (or -), end, duration and billsec; `expected` setup, answer and end."""
    start, answer, end, duration, billsec = row.split()
    call = LoggedCall(
        start=read_local_timestamp("start", f"{AUTUMN} {start}"),
        answer=None if answer == "-" else read_local_timestamp("answer", f"{AUTUMN} {answer}"),
        end=read_local_timestamp("end", f"{AUTUMN} {end}"),
        duration_us=read_seconds("duration", duration),
        billsec_us=read_seconds("billsec", billsec),
    )
    created_us = read_local_timestamp("created", f"{AUTUMN} {created}").local_us if created else None
    record = SessionRecord()
    set_call_times(record, call, CLOCK, created_us)
    found = [time.removeprefix(f"{AUTUMN}T").removesuffix("Z") for time in times(record)]
    assert " ".join(found) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # Nothing is repeated at noon.
        ("12:00:00 12:00:05 12:00:15 15 10", "11:00:00 11:00:05 11:00:15"),
        ("12:00:00 - 12:00:15 15 0", "11:00:00 - 11:00:15"),
        ("12:00:00 12:00:00 12:00:00 0 0", "11:00:00 11:00:00 11:00:00"),
        # The clock goes back while the call lasts; read by their texts it would have -45 minutes.
        ("02:50:00 02:50:05 02:05:00 900 895", "00:50:00 00:50:05 01:05:00"),
        ("02:50:00 02:00:10 02:05:00 900 290", "00:50:00 01:00:10 01:05:00"),
        ("02:10:00 02:10:05 02:10:00 3600 3595", "00:10:00 00:10:05 01:10:00"),
        # The end tells which of the two starts it was.
        ("02:50:00 02:50:05 03:05:00 900 895", "01:50:00 01:50:05 02:05:00"),
        ("02:50:00 02:50:05 03:05:00 4500 4495", "00:50:00 00:50:05 02:05:00"),
        # Both starts fit: the earlier.
        ("02:30:00 02:30:05 02:40:00 600 595", "00:30:00 00:30:05 00:40:00"),
        # Cut and rounded seconds.
        ("12:00:00 12:00:05 12:00:16 15 10", "11:00:00 11:00:05 11:00:15"),
        ("12:00:00 12:00:00 12:00:10 10 11", "11:00:00 11:00:00 11:00:10"),
        ("12:00:00 12:00:05 12:00:15 15.75 10.5", "11:00:00 11:00:05.250000 11:00:15.750000"),
        # A spreadsheet cuts dates to minutes, but not durations.
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
def test_the_making_of_the_channel_tells_the_second_half_past_two(created: str, expected: str) -> None:
    check("02:30:00 02:30:05 02:40:00 600 595", expected, created)


def test_a_start_before_the_making_of_the_channel() -> None:
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
def test_dates_that_contradict_the_durations(row: str) -> None:
    with pytest.raises(UnreadableRowError, match="do not agree"):
        check(row, "")


@pytest.mark.parametrize("text", ["", "-1", "1.", "1e3", "12:00", "1.1234567", "1234567890"])
def test_what_is_no_number_of_seconds(text: str) -> None:
    with pytest.raises(UnreadableRowError, match=r"^billsec: "):
        read_seconds("billsec", text)
