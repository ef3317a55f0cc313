"""Retention: a limit of age in UTC days, and a limit of bytes of segments."""

from collections.abc import Iterable, Sequence

from pegcount.model import Retention
from pegcount.zone import US_PER_DAY


def first_retained_day(retention: Retention, segments: Sequence[tuple[int, int]], now_us: int) -> int | None:
    """Returns the first UTC day inside both limits, in days since 1970-01-01; None if that is every day.

    `segments` are pairs of the UTC day and the size in bytes of each segment.
    """
    days = [] if retention.days is None else [_first_by_age(retention.days, now_us)]
    if retention.bytes is not None and (first := _first_by_bytes(retention.bytes, segments)) is not None:
        days.append(first)
    return max(days, default=None)


def oldest_us(retention: Retention, retained_day: int | None, now_us: int) -> int:
    """Returns the earliest setup time that the store accepts, in microseconds UTC.

    `retained_day` is the first day that was retained when days were last dropped.
    """
    by_age = 0 if retention.days is None else _first_by_age(retention.days, now_us)
    return max(by_age, retained_day or 0, 0) * US_PER_DAY


def believable_first_day(
    retention: Retention, retained_day: int | None, newest_day: int | None, now_us: int
) -> int | None:
    """Returns the first retained day of a directory, None if a wrong clock set it.

    Days are dropped up to the newest one that is held, and for their age up to today. Earlier versions
    dropped every record by a clock that had jumped forward, and rejected new ones from then on, as the first
    retained day was in the future.
    """
    if retained_day is None or newest_day is None:
        return None
    last = newest_day if retention.bytes is not None else min(newest_day, now_us // US_PER_DAY)
    return retained_day if retained_day <= last + 1 else None


def waiting_days(retention: Retention, days: Iterable[int], trusted_us: int, clock_us: int) -> int:
    """Returns how many of the UTC days would be dropped by the clock, but not by the trusted time."""
    if retention.days is None:
        return 0
    first, end = _first_by_age(retention.days, trusted_us), _first_by_age(retention.days, clock_us)
    return len({day for day in days if first <= day < end})


def _first_by_age(days: int, now_us: int) -> int:
    return now_us // US_PER_DAY - days + 1


def _first_by_bytes(bytes_max: int, segments: Sequence[tuple[int, int]]) -> int | None:
    """Returns the first of the newest days that fit into `bytes_max`, None if all fit.

    The newest day is retained whatever its size.
    """
    first_retained: int | None = None
    total = 0
    for day in sorted({day for day, _ in segments}, reverse=True):
        total += sum(size for other, size in segments if other == day)
        if total > bytes_max and first_retained is not None:
            return first_retained
        first_retained = day
    return None
