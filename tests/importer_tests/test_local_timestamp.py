"""Local timestamps and the instants that they may denote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount.importers.local_timestamp import LocalClock, is_local_timestamp, read_local_timestamp
from pegcount.importers.parsed_line import UnreadableRowError

from .reading import get_zone

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


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
    assert (stamp.local_us, stamp.resolution_us) == (seconds * 1_000_000, resolution_s * 1_000_000)


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


@pytest.mark.parametrize("zone_name", ["UTC", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"])
@given(local_s=st.integers(0, 84_006 * 86_400 - 1))
def test_the_earlier_instant_equals_that_of_requests(zone_name: str, local_s: int) -> None:
    zone = get_zone(zone_name)
    local_us = local_s * 1_000_000
    assert LocalClock(zone).instants_us(local_us)[0] == zone.instant_us(local_us)


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
    clock = LocalClock(get_zone(zone_name))
    earlier_us = read_local_timestamp("utc", utc).local_us
    expected = (earlier_us, earlier_us + gap_minutes * MINUTE_US)
    assert clock.instants_us(read_local_timestamp("local", text).local_us) == expected
