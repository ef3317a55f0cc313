"""The times of a row of Yeti, of which those without a UTC offset are local."""

import re
from collections.abc import Sequence
from itertools import product

from pegcount.time_text import ParsedTime
from pegcount.zone import US_PER_SECOND, Zone

# Yeti rounds durations to whole seconds, and perhaps the times of an export, too.
_TOLERANCE_US = 2 * US_PER_SECOND
_SECONDS = re.compile(r"[0-9]{1,9}")


def instants_us(times: Sequence[ParsedTime], duration: str, zone: Zone) -> Sequence[int]:
    """Returns the instants of start, connect (if there is one) and end, in microseconds UTC.

    In the hour that a clock repeats, a local time has two readings. Of all readings in which the times are in
    order, those count that agree with `duration`, the text of the seconds from connect to end (empty if they
    are not known); of these, the shortest call, and then the earliest. Times that are in order under no
    reading get their earliest instants, so that the store rejects them.
    """
    readings = [(time.us,) if time.is_instant else zone.instants_us(time.us) for time in times]
    for reading in readings:
        if reading[0] != reading[-1]:
            return _likeliest(readings, duration)
    return [reading[0] for reading in readings]


def _likeliest(readings: Sequence[Sequence[int]], duration: str) -> Sequence[int]:
    ordered = [found for found in product(*readings) if list(found) == sorted(found)]
    if len(readings) > 2 and _SECONDS.fullmatch(duration):
        talk_us = int(duration) * US_PER_SECOND
        agreeing = [found for found in ordered if abs(found[-1] - found[1] - talk_us) <= _TOLERANCE_US]
        ordered = agreeing or ordered
    earliest = tuple(reading[0] for reading in readings)
    return min(ordered, key=lambda found: (found[-1] - found[0], found), default=earliest)
