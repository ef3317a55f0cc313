"""The UTC offsets of a zone within a range of times."""

from bisect import bisect_right

from pegcount.zone import Zone


def offsets_within(zone: Zone, from_us: int, to_us: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns since when each UTC offset of [from_us, to_us) applies, and the offsets, all in microseconds.

    The first applies from `from_us` on; `to_us` of None is without end.

    >>> from pegcount.calendar import zone
    >>> from pegcount.time_text import REQUEST, read_time
    >>> from_us, to_us = (read_time(text, REQUEST).us for text in ("2026-03-28", "2026-04-01"))
    >>> since_us, offsets_us = offsets_within(zone("Europe/Berlin"), from_us, to_us)
    >>> since_us[0] == from_us, [offset_us // 3_600_000_000 for offset_us in offsets_us]
    (True, [1, 2])
    """
    first = bisect_right(zone.offset_bounds_us, from_us) - 1
    # The last bound is the end of all offsets.
    changes_us = [us for us in zone.offset_bounds_us[first + 1 : -1] if to_us is None or us < to_us]
    return (from_us, *changes_us), zone.offsets_us[first : first + len(changes_us) + 1]
