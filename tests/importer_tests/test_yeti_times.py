"""Local times of Yeti in the hours that a clock repeats or skips: Berlin, 25 October and 29 March 2026."""

import pytest
from pegcount.importers.timestamps import read_postgres
from pegcount.importers.yeti_times import instants_us

from .reading import get_zone
from .test_timestamps import formatted

BERLIN = get_zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("times", "talk_s", "expected"),
    [
        # A call that ends by a clock that was set back.
        ("02:50:00 02:50:05 02:05:05", 900, "00:50:00 00:50:05 01:05:05"),
        ("02:50:00 02:50:05 02:05:05", None, "00:50:00 00:50:05 01:05:05"),
        ("02:50:00 02:05:00", None, "00:50:00 01:05:00"),
        # A call that began before the clock was set back, or after that.
        ("02:58:00 02:58:05 03:00:05", 120, "01:58:00 01:58:05 02:00:05"),
        ("02:58:00 02:58:05 03:00:05", None, "01:58:00 01:58:05 02:00:05"),
        ("02:58:00 02:58:05 03:00:05", 3720, "00:58:00 00:58:05 02:00:05"),
        ("02:58:00 03:00:05", None, "01:58:00 02:00:05"),
        ("01:59:00 01:59:05 02:01:05", 120, "23:59:00 23:59:05 00:01:05"),
        ("01:59:00 01:59:05 02:01:05", 3720, "23:59:00 23:59:05 01:01:05"),
        # Within the hour, only the duration tells whether the call is longer than it looks.
        ("02:10:00 02:10:05 02:15:05", 300, "00:10:00 00:10:05 00:15:05"),
        ("02:10:00 02:10:05 02:15:05", 3900, "00:10:00 00:10:05 01:15:05"),
        ("02:10:00 02:10:05.9 02:15:05.1", 300, "00:10:00 00:10:05.900000 00:15:05.100000"),
        ("02:10:00 02:15:05", None, "00:10:00 00:15:05"),
        # A duration that no reading agrees with, and times that are never in order.
        ("02:10:00 02:10:05 02:15:05", 77, "00:10:00 00:10:05 00:15:05"),
        ("02:10:00 01:15:05", None, "00:10:00 23:15:05"),
        # An offset says which one it was.
        ("02:10:00+01 02:10:05+01 02:15:05", 300, "01:10:00 01:10:05 01:15:05"),
        ("02:10:00+02 02:10:05+01 02:15:05", 300, "00:10:00 01:10:05 01:15:05"),
    ],
)
def test_the_hour_that_comes_twice(times: str, talk_s: int | None, expected: str) -> None:
    parsed = [read_postgres("t", f"2026-10-25 {time}") for time in times.split()]
    duration = "" if talk_s is None else str(talk_s)
    found = [formatted(instant_us)[11:-1] for instant_us in instants_us(parsed, duration, BERLIN)]
    assert " ".join(found) == expected


def test_the_hour_that_is_skipped() -> None:
    parsed = [read_postgres("t", f"2026-03-29 {time}") for time in ("01:59:00", "01:59:05", "03:01:05")]
    found = [formatted(instant_us) for instant_us in instants_us(parsed, "120", BERLIN)]
    assert found == ["2026-03-29T00:59:00Z", "2026-03-29T00:59:05Z", "2026-03-29T01:01:05Z"]
