"""Loads time zones from the tzdata package, as arrays of UTC-offset changes.

The only file that imports `zoneinfo`. It extracts all offset changes of a zone once;
afterwards every conversion is a binary search (see `pegcount.zone`).
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

from pegcount.zone import Zone, larger_offset_us

# By default `zoneinfo` prefers the system's files over the package, whose version is pinned.
zoneinfo.reset_tzpath(())

# Requests use times from 1970 to 2200. A moving average reads up to a year before that, and the
# last bin may end after it.
_FIRST_DAY: Final = datetime(1968, 1, 1)
_LAST_DAY: Final = datetime(2201, 1, 1)

# Consecutive changes of a zone are at least 6 days and 23 hours apart (Recife 2000,
# Gaza 2040), so at most one change lies between two samples.
_SAMPLE_DAYS: Final = 5
_MINUTES: Final = [timedelta(minutes=count) for count in range(_SAMPLE_DAYS * 24 * 60)]
_SECONDS: Final = [timedelta(seconds=count) for count in range(61)]


def zone(name: str) -> Zone | None:
    """Returns the zone with an IANA name of the tzdata package, or None for any other text.

    >>> zone("europe/berlin") is zone("CEST") is zone("+02:00") is None
    True
    >>> zone("Europe/Berlin") is zone("Europe/Berlin")
    True
    """
    # Only known names reach the unbounded cache of `_load`.
    return _load(name) if name in zone_names() else None


def tzdata_version() -> str:
    """Returns the version of the tzdata package; package 2026.6 contains IANA release 2026f."""
    return version("tzdata")


@cache
def zone_names() -> frozenset[str]:
    """Returns the names of all zones."""
    return frozenset(zoneinfo.available_timezones())


@cache
def _load(name: str) -> Zone:
    # `ZoneInfo(name)` may return a zone that other code cached from the system's files.
    rules = zoneinfo.ZoneInfo.no_cache(name)
    samples = _samples()
    offsets = [rules.utcoffset(local) for local in samples]
    changed = [i for i, (before, after) in enumerate(pairwise(offsets)) if before != after]
    period_offsets = offsets[:1] + [offsets[i + 1] for i in changed]
    offset_s = np.array(period_offsets, dtype="timedelta64[s]").astype(np.int32)
    local_changes = [_next_local_change(rules, samples[i]) for i in changed]
    local_change_us = np.array(local_changes, dtype="datetime64[us]").astype(np.int64)
    change_us = local_change_us - larger_offset_us(offset_s)
    change_us.setflags(write=False)
    offset_s.setflags(write=False)
    return Zone(name, change_us, offset_s)


def _next_local_change(rules: zoneinfo.ZoneInfo, sample: datetime) -> datetime:
    """Returns the first local second after `sample` at which the lookup returns another offset.

    The search looks up offsets by local time, which is several times faster than by instant.
    `larger_offset_us` converts the result into the instant of the change.
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
