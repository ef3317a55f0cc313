"""Retention: a limit of age in UTC days, and a limit of bytes of segments."""

from collections.abc import Sequence

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
