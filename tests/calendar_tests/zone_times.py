"""Zones, instants and their texts for the calendar tests."""

from datetime import date

import numpy as np
from numpy.typing import NDArray
from pegcount import calendar, core
from pegcount.time_text import REQUEST, read_time
from pegcount.zone import Zone


def get_zone(name: str) -> Zone:
    zone = calendar.zone(name)
    assert zone is not None
    return zone


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def instant_of(text: str, zone: Zone) -> int:
    return read_time(text, REQUEST).instant_us(zone)


def printed(us: int, zone: Zone) -> str:
    return core.format_time(us, zone)


def printed_starts(edge_us: NDArray[np.int64], zone: Zone) -> list[str]:
    return [printed(start_us, zone) for start_us in edge_us[:-1].tolist()]
