"""Calendar bins, and parsing and formatting of times, by stepping through the clock of a zone.

Instants are whole microseconds UTC; names that end in `_s` are whole seconds UTC.
"""

import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import pairwise

from pegcount.v1 import reports_pb2

# Uses the tzdata package alone, since the files of the machine may be of another release.
zoneinfo.reset_tzpath(())

MICROSECONDS = 1_000_000
DAY_S = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DATE = EPOCH.date()
# Requests may begin a day before records and end a day after them, both inclusive: a local day can begin
# before the UTC day.
FIRST_DATE, LAST_DATE = date(1969, 12, 31), date(2200, 1, 2)

WIDTHS_S: dict[int, int] = {
    reports_pb2.GRANULARITY_MINUTE: 60,
    reports_pb2.GRANULARITY_FIVE_MINUTES: 300,
    reports_pb2.GRANULARITY_FIFTEEN_MINUTES: 900,
    reports_pb2.GRANULARITY_THIRTY_MINUTES: 1800,
    reports_pb2.GRANULARITY_HOUR: 3600,
}

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:(Z)|([+-])(\d\d):(\d\d))?)?",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4})(-?)(\d\d)\2(\d\d)", re.ASCII)


class Refused(Exception):  # noqa: N818 - it is a verdict on a text, not a fault
    """The service must refuse this time, date or zone; `reason` is an ErrorReason without prefix."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooManyBins(Exception):  # noqa: N818 - as above
    """The range has more bins than allowed."""


@cache
def zone_names() -> frozenset[str]:
    """Returns the IANA names in the tzdata package."""
    return frozenset(zoneinfo.available_timezones())


@cache
def zone_info(zone: str) -> zoneinfo.ZoneInfo:
    """Returns the rules of a zone."""
    return zoneinfo.ZoneInfo(zone)


def offset_s(zone: str, instant_s: int) -> int:
    """Returns the seconds that the local clock is ahead of UTC."""
    utc = EPOCH + timedelta(seconds=instant_s)
    offset = utc.astimezone(zone_info(zone)).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


@lru_cache(maxsize=200_000)
def change_of_utc_day(zone: str, day: int) -> int | None:
    """Returns the second of a UTC day (counted from 1970-01-01) at which the offset changes, or None.

    A day has at most one change: since 1970, changes of a zone in tzdata are at least six days apart.
    """
    before, after = day * DAY_S - 1, (day + 1) * DAY_S - 1
    old = offset_s(zone, before)
    if offset_s(zone, after) == old:
        return None
    while after - before > 1:
        middle = (before + after) // 2
        if offset_s(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def changes(zone: str, after_s: int, until_s: int) -> list[int]:
    """Returns the seconds in (after, until] at which the offset changes."""
    days = range(after_s // DAY_S, until_s // DAY_S + 1)
    found = [change_of_utc_day(zone, day) for day in days]
    return [at for at in found if at is not None and after_s < at <= until_s]


def pieces(zone: str, start_s: int, end_s: int) -> list[tuple[int, int, int]]:
    """Cuts [start, end) at the offset changes and returns (start, end, offset) of each part."""
    cuts = [start_s, *changes(zone, start_s, end_s - 1), end_s]
    return [(left, right, offset_s(zone, left)) for left, right in pairwise(cuts)]


def seconds_of_date(day: date) -> int:
    """Returns midnight of a date as if the local clock were UTC."""
    return (day - EPOCH_DATE).days * DAY_S


@lru_cache(maxsize=200_000)
def day_start_s(zone: str, day: date) -> int:
    """Returns the first instant with this local date, or that of the next date if this one does not exist."""
    midnight = seconds_of_date(day)
    for start, end, offset in pieces(zone, midnight - DAY_S, midnight + DAY_S):
        instant = max(start, midnight - offset)
        if instant < end:
            return instant
    raise AssertionError(f"no offset of {zone} is a whole day")


def day_start(zone: str, day: date) -> int:
    """Returns `day_start_s` in microseconds."""
    return day_start_s(zone, day) * MICROSECONDS


def date_of(zone: str, instant_us: int) -> date:
    """Returns the date of the DAY bin that contains the instant."""
    instant_s = instant_us // MICROSECONDS
    local = EPOCH + timedelta(seconds=instant_s + offset_s(zone, instant_s))
    day = local.date() + timedelta(days=1)
    while day_start_s(zone, day) > instant_s:
        day -= timedelta(days=1)
    return day


def anchor(day: date, granularity: int) -> date:
    """Returns the first date of the day, ISO week or month that contains this date."""
    if granularity == reports_pb2.GRANULARITY_WEEK:
        return day - timedelta(days=day.weekday())
    if granularity == reports_pb2.GRANULARITY_MONTH:
        return day.replace(day=1)
    return day


def next_anchor(day: date, granularity: int) -> date:
    """Returns the first date of the day, ISO week or month after the one that begins here."""
    if granularity == reports_pb2.GRANULARITY_WEEK:
        return day + timedelta(days=7)
    if granularity == reports_pb2.GRANULARITY_MONTH:
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=1)


def edges_from(zone: str, granularity: int, from_us: int) -> Iterator[int]:
    """Yields ascending bin edges (microseconds) without end, from the last one not after `from_us`."""
    if granularity in WIDTHS_S:
        yield from _clock_edges(zone, WIDTHS_S[granularity], from_us // MICROSECONDS)
        return
    day = anchor(date_of(zone, from_us), granularity)
    last = None
    while True:
        edge = day_start(zone, day)
        if edge != last:
            yield edge
        last = edge
        day = next_anchor(day, granularity)


def _clock_edges(zone: str, width_s: int, from_s: int) -> Iterator[int]:
    """Yields the edges at which the local clock reads a multiple of the width, and at offset changes."""
    offset = offset_s(zone, from_s)
    edge = from_s - (from_s + offset) % width_s
    edge = max([edge, *changes(zone, edge, from_s)])
    while True:
        yield edge * MICROSECONDS
        following = edge + width_s - (edge + offset) % width_s
        change = changes(zone, edge, following)
        if change:
            following = change[0]
            offset = offset_s(zone, following)
        edge = following


def edges(zone: str, granularity: int, from_us: int, to_us: int, bin_count_max: int) -> list[int]:
    """Returns the edges of all bins that overlap [from, to): the first is <= from, the last >= to."""
    found: list[int] = []
    for edge in edges_from(zone, granularity, from_us):
        found.append(edge)
        if edge >= to_us:
            return found
        if len(found) > bin_count_max:
            raise TooManyBins
    raise AssertionError("edges never end")


def day_edges_before(zone: str, day_edge_us: int, count: int) -> list[int]:
    """Returns the edges of the `count` DAY bins before the one that starts at `day_edge_us`."""
    found: list[int] = []
    day = date_of(zone, day_edge_us)
    while len(found) < count:
        day -= timedelta(days=1)
        edge = day_start(zone, day)
        if edge < (found[0] if found else day_edge_us):
            found.insert(0, edge)
    return found


def check_zone(zone: str) -> str:
    """Returns the zone if tzdata has it; raises Refused otherwise."""
    if zone not in zone_names():
        raise Refused("UNKNOWN_TIME_ZONE")
    return zone


def _date(year: str, month: str, day: str, malformed: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise Refused(malformed) from None


def parse_date(text: str) -> date:
    """Parses a `YYYYMMDD` or `YYYY-MM-DD` of a request; raises Refused."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise Refused("MALFORMED_DATE")
    day = _date(found[1], found[3], found[4], "MALFORMED_DATE")
    if not FIRST_DATE <= day <= LAST_DATE:
        raise Refused("TIME_OUT_OF_RANGE")
    return day


def parse_time(text: str, zone: str) -> int:
    """Parses a time of a request into microseconds; raises Refused."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise Refused("MALFORMED_TIME")
    day = _date(found[1], found[2], found[3], "MALFORMED_TIME")
    hour, minute, second = (int(found[group] or 0) for group in (4, 5, 6))
    zone_hour, zone_minute = (int(found[group] or 0) for group in (10, 11))
    if hour > 23 or minute > 59 or second > 59 or zone_hour > 23 or zone_minute > 59:
        raise Refused("MALFORMED_TIME")
    # An offset moves a time by less than 25 hours, so times farther out of range need no zone rules.
    if not FIRST_DATE - timedelta(days=2) <= day <= LAST_DATE + timedelta(days=2):
        raise Refused("TIME_OUT_OF_RANGE")
    local_s = seconds_of_date(day) + hour * 3600 + minute * 60 + second
    ahead_s = (zone_hour * 3600 + zone_minute * 60) * (-1 if found[9] == "-" else 1)
    if found[4] is None:
        instant_s = day_start_s(zone, day)
    elif found[8] or found[9]:
        instant_s = local_s - ahead_s
    else:
        instant_s = local_to_utc_s(zone, local_s)
    instant_us = instant_s * MICROSECONDS + int((found[7] or "").ljust(6, "0"))
    first_us, last_us = (seconds_of_date(limit) * MICROSECONDS for limit in (FIRST_DATE, LAST_DATE))
    if not first_us <= instant_us <= last_us:
        raise Refused("TIME_OUT_OF_RANGE")
    return instant_us


def local_to_utc_s(zone: str, local_s: int) -> int:
    """Returns the instant of a local time: the earlier of two; a skipped time moves forward by the gap."""
    around = pieces(zone, local_s - 2 * DAY_S, local_s + 2 * DAY_S)
    for start, end, offset in around:
        if start <= local_s - offset < end:
            return local_s - offset
    for (_, change, before), (_, _, after) in pairwise(around):
        if local_s - before >= change > local_s - after:
            return local_s - before
    raise AssertionError(f"{local_s} is neither on the clock of {zone} nor skipped")


def format_time(zone: str, instant_us: int) -> str:
    """Formats an instant as RFC 3339 in the zone."""
    instant_s, fraction_us = divmod(instant_us, MICROSECONDS)
    offset = offset_s(zone, instant_s)
    if offset % 60:
        offset = 0
    local = EPOCH + timedelta(seconds=instant_s + offset)
    text = local.strftime("%Y-%m-%dT%H:%M:%S")
    if fraction_us:
        text += f".{fraction_us:06d}"
    if offset == 0:
        return text + "Z"
    minutes = abs(offset) // 60
    return f"{text}{'+' if offset > 0 else '-'}{minutes // 60:02d}:{minutes % 60:02d}"
