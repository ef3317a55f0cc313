"""How long records are kept: by age in UTC days, and by bytes of segments."""

from collections.abc import Sequence

from pegcount.model import Retention
from pegcount.zone import US_PER_DAY


def first_retained_day(retention: Retention, segments: Sequence[tuple[int, int]], now_us: int) -> int | None:
    """First UTC day that is kept, in days since 1970-01-01; None where all are.

    `segments` are the UTC day and the bytes of each segment.
    """
    days = [] if retention.days is None else [_first_by_age(retention.days, now_us)]
    if retention.bytes is not None and (first := _first_by_bytes(retention.bytes, segments)) is not None:
        days.append(first)
    return max(days, default=None)


def oldest_us(retention: Retention, retained_day: int | None, now_us: int) -> int:
    """Earliest setup time that is taken, microseconds UTC.

    `retained_day` is the first day that was kept when days were last dropped.
    """
    by_age = 0 if retention.days is None else _first_by_age(retention.days, now_us)
    return max(by_age, retained_day or 0, 0) * US_PER_DAY


def _first_by_age(days: int, now_us: int) -> int:
    return now_us // US_PER_DAY - days + 1


def _first_by_bytes(bytes_max: int, segments: Sequence[tuple[int, int]]) -> int | None:
    """The newest day is kept whatever its size."""
    first_retained: int | None = None
    total = 0
    for day in sorted({day for day, _ in segments}, reverse=True):
        total += sum(size for other, size in segments if other == day)
        if total > bytes_max and first_retained is not None:
            return first_retained
        first_retained = day
    return None
