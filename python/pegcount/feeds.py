"""Immutable values of the report on feeds, and what figures of a feed say is wrong with it.

A *feed* is all records of one source. Findings are held against chance: few calls prove nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import ceil, sqrt
from typing import Final

from pegcount.zone import US_PER_SECOND, Zone

LOOK_BACK_DAYS: Final = 31
"""Days before now in which a feed has records that were set up, if it is there at all."""
COMPARED_DAYS: Final = 7
"""Days before the last 24 hours whose figures are the usual ones."""

_FEW_CALLS: Final = 20
"""Calls from which on a share of 0 percent, or their absence where they were expected, is hardly chance."""
_MANY_CALLS: Final = 100
"""Calls of which at least one fails in every network."""
_REJECTED_MIN: Final = 10
_REJECTED_PERCENT: Final = 1
_COMPARED_DAYS_MIN: Final = 3
_DEVIATIONS: Final = 4
"""Standard deviations, each the root of the expected calls, beyond which a difference is not by chance."""
_LATE_MS: Final = 15 * 60 * 1_000
"""Delay from which the calls of the last hour are not all there yet."""
_AHEAD_MS: Final = -1_000
_US_PER_DAY: Final = 86_400 * US_PER_SECOND


class Finding(IntEnum):
    """What is wrong with a feed, with the numbers of `pegcount.v1.FeedFinding`."""

    SILENT = 1
    FEWER_THAN_USUAL = 2
    MORE_THAN_USUAL = 3
    NO_FAILED_CALLS = 4
    NO_CAUSES = 5
    NO_ALERT_TIMES = 6
    NO_PRICES = 7
    CLOCK_AHEAD = 8
    REJECTED = 9
    NO_RECORDS = 10


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """A valid request for the health of feeds."""

    sources: tuple[str, ...]
    """Distinct ones; "" is the unnamed feed. Empty: all."""
    zone: Zone
    rejected_days: int
    """UTC days, today included."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Rejected records of one UTC day, in days since 1970-01-01, by the number of a `RejectReason`."""

    day: int
    reason: int
    count: int


@dataclass(frozen=True, slots=True)
class CallCounts:
    """Finished calls of a feed that were set up in the last 24 hours, and of these those with something."""

    calls: int = 0
    answered: int = 0
    with_cause: int = 0
    alerted: int = 0
    priced: int = 0
    """Answered ones with a customer price."""
    delays: tuple[tuple[int, int], ...] = ()
    """Milliseconds from the end until the record came, ascending, each with its number of calls."""

    def delay_ms(self, percent: int) -> int | None:
        """Returns a percentile of the delays by nearest rank, None without calls."""
        rank = ceil(percent * sum(count for _, count in self.delays) / 100)
        for delay_ms, count in self.delays:
            rank -= count
            if rank <= 0:
                return delay_ms
        return None


@dataclass(frozen=True, slots=True)
class UsualCounts:
    """Calls of a feed on the days before, at the same local time."""

    last_hour: float
    """In the same 60 minutes, the median over the days."""
    day_count: int
    """Days with a call, of which these are medians."""
    while_silent: float
    """In the time since the feed was last heard of, less what its records are late."""


@dataclass(frozen=True, slots=True)
class Feed:
    """The figures of one feed. Times are microseconds UTC."""

    source: str
    last_received_us: int | None = None
    """When something new last came, None without records."""
    latest_setup_us: int | None = None
    last_hour: int = 0
    """Calls set up in the last 60 minutes."""
    usual: UsualCounts | None = None
    """None: there was no call on the days before."""
    counts: CallCounts = CallCounts()
    recent_records: int = 0
    """Records of which something new came since the beginning of yesterday, UTC."""
    recent_rejected: int = 0
    """Records that were rejected since then."""
    rejections: tuple[Rejected, ...] = ()
    """Those of the days that were asked for."""


def silent_us(feed: Feed, now_us: int) -> int:
    """Returns how long a feed has been silent beyond the delay that its records usually have, at least 0.

    It must have records.
    """
    delay_ms = max(0, feed.counts.delay_ms(95) or 0)
    return max(0, now_us - (feed.last_received_us or 0) - delay_ms * 1_000)


def findings(feed: Feed, now_us: int) -> Sequence[Finding]:
    """Returns what is wrong with a feed, the most serious first."""
    counts = feed.counts
    found = {
        Finding.NO_RECORDS: feed.last_received_us is None,
        Finding.SILENT: _is_silent(feed, now_us),
        Finding.REJECTED: _are_many_rejected(feed),
        Finding.CLOCK_AHEAD: counts.calls >= _FEW_CALLS and (counts.delay_ms(50) or 0) <= _AHEAD_MS,
        Finding.NO_FAILED_CALLS: counts.calls >= _MANY_CALLS and counts.answered == counts.calls,
        Finding.FEWER_THAN_USUAL: _are_fewer(feed) and not _is_silent(feed, now_us),
        Finding.NO_CAUSES: counts.calls >= _FEW_CALLS and not counts.with_cause,
        Finding.NO_ALERT_TIMES: counts.calls >= _FEW_CALLS and not counts.alerted,
        Finding.NO_PRICES: counts.answered >= _FEW_CALLS and not counts.priced,
        Finding.MORE_THAN_USUAL: _are_more(feed),
    }
    return tuple(finding for finding, holds in found.items() if holds)


def _is_silent(feed: Feed, now_us: int) -> bool:
    if feed.last_received_us is None:
        return False
    if now_us - feed.last_received_us > COMPARED_DAYS * _US_PER_DAY:
        return True
    return feed.usual is not None and feed.usual.while_silent >= _FEW_CALLS


def _are_many_rejected(feed: Feed) -> bool:
    rejected, all_records = feed.recent_rejected, feed.recent_rejected + feed.recent_records
    return rejected >= _REJECTED_MIN and 100 * rejected > _REJECTED_PERCENT * all_records


def _are_fewer(feed: Feed) -> bool:
    usual, found = _usual(feed), feed.last_hour
    is_late = (feed.counts.delay_ms(95) or 0) > _LATE_MS
    return not is_late and 2 * found < usual and usual - found > _by_chance(usual)


def _are_more(feed: Feed) -> bool:
    usual, found = _usual(feed), feed.last_hour
    has_usual = feed.usual is not None and feed.usual.day_count >= _COMPARED_DAYS_MIN
    return has_usual and found >= _FEW_CALLS and found > 2 * usual and found - usual > _by_chance(usual)


def _usual(feed: Feed) -> float:
    """Returns the usual calls of the hour, 0 if too few days tell."""
    usual = feed.usual
    return 0.0 if usual is None or usual.day_count < _COMPARED_DAYS_MIN else usual.last_hour


def _by_chance(expected: float) -> float:
    return _DEVIATIONS * sqrt(expected)
