"""The earlier range of a comparison: the range of a question, moved by the calendar of its zone.

A move of days, months or years keeps the time of day that the local clock shows; a day that a month lacks is
its last day. An instant of a time that the clock shows twice moves to the same one of two, and to the only
one elsewhere; a time that the clock skips moves forward by the gap.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pegcount.calendar.open_windows import offsets_us_at
from pegcount.calendar.report_bins import traffic_bins
from pegcount.model import Bins, Granularity
from pegcount.traffic import Comparison, Earlier, TrafficQuery
from pegcount.zone import US_PER_DAY, Zone

_DAY_COUNTS: Final[Mapping[Comparison, int]] = {Comparison.DAY: 1, Comparison.WEEK: 7}
_MONTH_COUNTS: Final[Mapping[Comparison, int]] = {Comparison.MONTH: 1, Comparison.YEAR: 12}
_UNPAIRED: Final = -1

_Instants: TypeAlias = NDArray[np.int64]
_Dates: TypeAlias = NDArray[np.int64]
"""Days since 1970-01-01."""


def earlier_range(query: TrafficQuery, bins: Bins, now_us: int, bin_count_max: int) -> Earlier:
    """Returns the earlier range of a question with `compare`, whose answer has some bins, not of the future.

    It ends where the range does, or where now has moved. Raises InvalidRequestError if it has more than
    `bin_count_max` bins.
    """
    move_dates = _move_of_dates(query, now_us)
    ends_us = np.array([bins.from_us, bins.to_us], np.int64)
    if move_dates is None:
        length_us = _end_us(query, now_us) - query.from_us
        from_us, to_us = (ends_us - length_us).tolist()
    else:
        from_us, to_us = (_moved_us(query.zone, us, move_dates) for us in ends_us.tolist())
    moved = traffic_bins(replace(query, from_us=from_us, to_us=to_us), to_us, bin_count_max)
    if moved.is_empty or bins.is_empty:
        return Earlier(moved, np.full(max(0, len(bins.edge_us) - 1), _UNPAIRED))
    if query.granularity is None:
        return Earlier(moved, np.zeros(1, np.int64))
    if move_dates is None:
        pair = _pair(bins.calendar_us[:-1] - length_us, moved.calendar_us[:-1])
    else:
        pair = _pair_by_label(query.zone, query.granularity, bins, moved, move_dates)
    return Earlier(moved, _with_clipped(pair, bins, moved))


def _move_of_dates(query: TrafficQuery, now_us: int) -> Callable[[_Dates], _Dates] | None:
    """Returns how dates move; None if the range moves by its length."""
    compare = query.compare
    assert compare is not None, "there is an earlier range with a comparison only"
    if compare in _MONTH_COUNTS:
        month_count = _MONTH_COUNTS[compare]
        return lambda dates: _months_before(dates, month_count)
    day_count = _DAY_COUNTS.get(compare) or _whole_days(query, now_us)
    return None if day_count is None else lambda dates: dates - day_count


def _end_us(query: TrafficQuery, now_us: int) -> int:
    """Returns the end of the range that is asked for; one to now that begins later has no length."""
    return max(query.from_us, now_us) if query.to_us is None else query.to_us


def _whole_days(query: TrafficQuery, now_us: int) -> int | None:
    """Returns the local days of a range between two local midnights, None for another one."""
    ends_us = (query.from_us, _end_us(query, now_us))
    first_date, end_date = (query.zone.local_date(us) for us in ends_us)
    starts_us = (query.zone.day_start_us(first_date), query.zone.day_start_us(end_date))
    return end_date - first_date if starts_us == ends_us else None


def _months_before(dates: _Dates, month_count: int) -> _Dates:
    months = dates.astype("datetime64[D]").astype("datetime64[M]")
    days = dates - _first_dates(months)
    moved = months - month_count
    return np.asarray(np.minimum(_first_dates(moved) + days, _first_dates(moved + 1) - 1))


def _first_dates(months: "NDArray[np.datetime64]") -> _Dates:
    return months.astype("datetime64[D]").astype(np.int64)


def _moved_us(zone: Zone, us: int, move_dates: Callable[[_Dates], _Dates]) -> int:
    if zone.day_start_us(date := zone.local_date(us)) == us:
        # A day begins later where the clock skips midnight.
        return zone.day_start_us(int(move_dates(np.array([date]))[0]))
    local_us = us + zone.offset_s_at(us) * 1_000_000
    is_second = zone.instants_us(local_us)[0] < us
    date, time_us = divmod(local_us, US_PER_DAY)
    moved_us = int(move_dates(np.array([date]))[0]) * US_PER_DAY + time_us
    return zone.instants_us(moved_us)[is_second]


def _pair_by_label(
    zone: Zone, granularity: Granularity, bins: Bins, moved: Bins, move_dates: Callable[[_Dates], _Dates]
) -> NDArray[np.int64]:
    """Pairs the bins whose local start, moved, is that of an earlier bin, and the second of two with such."""
    labels_us, are_second = _labels(zone, granularity, bins.calendar_us[:-1])
    earlier_us, earlier_are_second = _labels(zone, granularity, moved.calendar_us[:-1])
    dates, times_us = np.divmod(labels_us, US_PER_DAY)
    labels_us = move_dates(dates) * US_PER_DAY + times_us
    # The second of two starts has the odd number.
    return _pair(2 * labels_us + are_second, 2 * earlier_us + earlier_are_second)


def _labels(zone: Zone, granularity: Granularity, us: _Instants) -> tuple[_Instants, NDArray[np.bool_]]:
    """Returns the local starts of bins, and which of them the clock shows for the second time."""
    if granularity >= Granularity.DAY:
        # The day whose midnight the clock skips has its date as others do.
        dates = np.array([zone.local_date(each) for each in us.tolist()], np.int64)
        return dates * US_PER_DAY, np.zeros(len(us), np.bool_)
    local_us = us + offsets_us_at(zone, us)
    run = np.searchsorted(np.array(zone.offset_bounds_us), us, side="right") - 1
    offset_us = np.array(zone.offsets_us, np.int64)
    shown_before_us = local_us - offset_us[np.maximum(run - 1, 0)]
    return local_us, (run > 0) & (shown_before_us < np.array(zone.offset_bounds_us)[run])


def _pair(labels: NDArray[np.int64], earlier: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the place of each label among the earlier ones, -1 if it is not there."""
    order = np.argsort(earlier, kind="stable")
    place = np.searchsorted(earlier[order], labels).clip(max=len(earlier) - 1)
    found = order[place]
    return np.asarray(np.where(earlier[found] == labels, found, _UNPAIRED), np.int64)


def _with_clipped(pair: NDArray[np.int64], bins: Bins, moved: Bins) -> NDArray[np.int64]:
    """Pairs the first bins if the range clips both, and the last bins likewise; none with two bins."""
    for end in (0, -1):
        place = end % (len(moved.edge_us) - 1)
        is_clipped = all(each.edge_us[end] != each.calendar_us[end] for each in (bins, moved))
        if is_clipped and place not in pair:
            pair[end] = place
    return pair
