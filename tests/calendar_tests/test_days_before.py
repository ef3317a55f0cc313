"""The last days by the local clock: each ends at the local time that it is now."""

from itertools import pairwise

import numpy as np
import pytest
from pegcount import calendar
from pegcount.time_text import REQUEST, read_time

HOUR_US = 3_600_000_000


def us(text: str) -> int:
    return read_time(text, REQUEST).us


@pytest.mark.parametrize(
    ("zone", "now", "hours"),
    [
        ("UTC", "2026-03-30T00:30:00Z", [24, 24]),
        # The day from 00:30 on the 29th has 23 hours, that from 00:30 on the 25th of October 25.
        ("Europe/Berlin", "2026-03-30T00:30:00+02:00", [23, 24]),
        ("Europe/Berlin", "2026-10-26T00:30:00+01:00", [25, 24]),
        # The clock skipped 02:30 on the 29th, which so is 03:30 there.
        ("Europe/Berlin", "2026-03-30T02:30:00+02:00", [23, 24]),
        # The clock showed 02:30 twice on the 25th, of which the first counts.
        ("Europe/Berlin", "2026-10-26T02:30:00+01:00", [25, 24]),
        ("Europe/Berlin", "2026-10-25T02:30:00+02:00", [24, 24]),
        ("Europe/Berlin", "2026-10-25T02:30:00+01:00", [25, 24]),
        # Half an hour.
        ("Australia/Lord_Howe", "2026-04-05T12:00:00+10:30", [24.5, 24]),
        # Samoa skipped the 30th of December: noon of that day is noon of the next one, so it is empty.
        ("Pacific/Apia", "2012-01-01T12:00:00+14:00", [24, 0]),
    ],
)
def test_hours_of_the_days_before(zone: str, now: str, hours: list[float]) -> None:
    found = calendar.zone(zone)
    assert found is not None
    days = calendar.days_before(found, us(now), 2)
    assert days.same_us[0] == us(now)
    assert [(end - start) / HOUR_US for end, start in pairwise(days.same_us)] == hours
    steps = np.diff(days.edge_us)
    assert ((steps > 0) & (steps <= HOUR_US)).all()
    assert set(days.same_us) <= set(days.edge_us.tolist())
    # The hour before now, and the same hour of each day that is there, are whole bins.
    last_hours = {end - HOUR_US for end, start in pairwise(days.same_us) if start < end}
    assert last_hours <= set(days.edge_us.tolist())
