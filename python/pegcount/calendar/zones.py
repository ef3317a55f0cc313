"""Time zones as arrays of UTC-offset changes, read from the tzdata package alone.

The only file that imports `zoneinfo`. A zone is asked once for its changes;
afterwards every conversion is a binary search.
"""

import zoneinfo
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from typing import Final

import numpy as np

from pegcount.zone import Zone, counts_from_us

# By default the system's files come before the package, so pinning it would be in vain.
zoneinfo.reset_tzpath(())

# Changes outside these days do not matter: times start at 1970, a year of warm-up
# before that, and end at 2200 with the bin that they are in.
_FIRST_DAY: Final = datetime(1968, 1, 1)
_LAST_DAY: Final = datetime(2201, 1, 1)

# Two changes of one zone are never less than 6 days and 23 hours apart (Recife 2000,
# Gaza 2040), so no more than one lies between two samples.
_SAMPLE_DAYS: Final = 5
_MINUTES: Final = [timedelta(minutes=count) for count in range(_SAMPLE_DAYS * 24 * 60)]
_SECONDS: Final = [timedelta(seconds=count) for count in range(61)]


def zone(name: str) -> Zone | None:
    """The zone of an IANA name in the tzdata package, None for any other text."""
    # The cache behind this check is bounded by the number of names.
    return _load(name) if name in _names() else None


def tzdata_version() -> str:
    """Version of the tzdata package; 2026.6 holds what IANA calls 2026f."""
    return version("tzdata")


@cache
def _names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@cache
def _load(name: str) -> Zone:
    # Another part of the process may have cached the system's rules under this name.
    rules = zoneinfo.ZoneInfo.no_cache(name)
    samples = _samples()
    offsets = [rules.utcoffset(local) for local in samples]
    changed = [i for i, (before, after) in enumerate(pairwise(offsets)) if before != after]
    period_offsets = offsets[:1] + [offsets[i + 1] for i in changed]
    offset_s = np.array(period_offsets, dtype="timedelta64[s]").astype(np.int32)
    threshold = [_first_changed(rules, samples[i]) for i in changed]
    threshold_us = np.array(threshold, dtype="datetime64[us]").astype(np.int64)
    change_us = threshold_us - counts_from_us(offset_s)
    change_us.setflags(write=False)
    offset_s.setflags(write=False)
    return Zone(name, change_us, offset_s)


def _first_changed(rules: zoneinfo.ZoneInfo, sample: datetime) -> datetime:
    """First local second with another offset than a sample that differs from the next.

    Offsets are looked up by local time, several times faster than by instant; such a
    lookup changes at the local time that `counts_from_us` belongs to.
    """
    before = rules.utcoffset(sample)

    def first(steps: Sequence[timedelta], start: datetime) -> int:
        return bisect_left(steps, True, key=lambda step: rules.utcoffset(start + step) != before)

    minute = sample + _MINUTES[first(_MINUTES, sample) - 1]
    return minute + _SECONDS[first(_SECONDS, minute)]


@cache
def _samples() -> list[datetime]:
    step = timedelta(days=_SAMPLE_DAYS)
    return [_FIRST_DAY + count * step for count in range((_LAST_DAY - _FIRST_DAY) // step)]
