"""Open hours and local times as bins: the finer bins of a scan, and how they become those of an answer.

An instant is open if the local clock shows a time of the hours then, on the date on which they begin. So a
time that the clock skips is never open, and one that it shows twice is open twice. Between two changes of the
UTC offset, local times and instants differ by a constant, so that each such run has its windows.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pegcount.calendar.dst_edges import clock_bin_count, clock_edges
from pegcount.errors import InvalidRequestError, Violation
from pegcount.model import Bins
from pegcount.traffic import (
    AnyOf,
    Fold,
    InGroups,
    LocalTimeKey,
    Not,
    OpenHours,
    ScanBins,
    TrafficPredicate,
    TrafficQuery,
)
from pegcount.zone import US_PER_DAY, US_PER_SECOND, Zone

Part: TypeAlias = Literal["hour", "weekday"]
_WIDTH_US: Final[Mapping[Part, int]] = {"hour": 3_600 * US_PER_SECOND, "weekday": US_PER_DAY}
_LEFT_OUT: Final = -1


def scan_bins(query: TrafficQuery, bins: Bins, bin_count_max: int) -> ScanBins:
    """Returns the bins of the scan for a question's groups in bins of its answer.

    Bins are cut where open hours begin and end; with intervals also where keys and filters of local time
    change, which the scan then lacks. Raises InvalidRequestError if this makes more than `bin_count_max`.
    """
    keys = {number: key for number, key in enumerate(query.keys) if isinstance(key, LocalTimeKey)}
    local = (keys, query.local_filters) if query.has_intervals else ({}, ())
    return _scan_bins(query.zone, bins, query.open_hours, *local, bin_count_max)


def open_bins(query: TrafficQuery, bins: Bins, bin_count_max: int) -> ScanBins:
    """As `scan_bins`, for a scan of instants, which has keys and filters of local time itself."""
    return _scan_bins(query.zone, bins, query.open_hours, {}, (), bin_count_max)


def _scan_bins(
    zone: Zone,
    bins: Bins,
    hours: OpenHours | None,
    keys: Mapping[int, LocalTimeKey],
    filters: Sequence[TrafficPredicate],
    bin_count_max: int,
) -> ScanBins:
    parts = {key.part for key in keys.values()} | set(_parts_of(filters))
    is_plain = hours is None and not keys and not filters
    if is_plain or (bins.is_empty and not keys):
        return ScanBins(bins.edge_us, None, np.diff(bins.edge_us))
    if bins.is_empty:
        # Without bins, too, groups have all keys: one without any would be there whatever is counted.
        none = np.empty(0, np.int64)
        fold = Fold(none, 0, tuple((number, none) for number in sorted(keys)))
        return ScanBins(bins.edge_us, fold, np.diff(bins.edge_us))
    from_us, to_us = int(bins.edge_us[0]), int(bins.edge_us[-1])
    _check_count(zone, hours, parts, (from_us, to_us), bin_count_max)
    windows_us = None if hours is None else _windows_us(zone, hours, from_us, to_us)
    edge_us = _cut(bins, zone, parts, windows_us)
    start_us = edge_us[:-1]
    bin_of = np.searchsorted(bins.edge_us, start_us, side="right") - 1
    is_open = np.ones(len(start_us), np.bool_) if windows_us is None else _are_within(start_us, windows_us)
    covered_us = np.zeros(len(bins.edge_us) - 1, np.int64)
    np.add.at(covered_us, bin_of[is_open], np.diff(edge_us)[is_open])
    values = {part: _local_values(zone, part, start_us) for part in parts}
    is_shown = is_open
    for each in filters:
        is_shown = is_shown & _holds(each, values, len(start_us))
    fold = Fold(
        np.where(is_shown, bin_of, _LEFT_OUT),
        len(covered_us),
        tuple((number, values[key.part]) for number, key in sorted(keys.items())),
    )
    return ScanBins(edge_us, fold, covered_us)


def _check_count(
    zone: Zone,
    hours: OpenHours | None,
    parts: Collection[Part],
    range_us: tuple[int, int],
    bin_count_max: int,
) -> None:
    """Raises InvalidRequestError for more cuts than `bin_count_max`, before there is memory for them."""
    counts = [clock_bin_count(zone, _WIDTH_US[part], *range_us) for part in parts]
    if hours is not None:
        counts.append(2 * clock_bin_count(zone, US_PER_DAY, *range_us))
    asked = sum(counts)
    if asked > bin_count_max:
        description = (
            f"the range has {asked:,} beginnings and ends of local hours, weekdays and open hours;"
            f" {bin_count_max:,} are allowed; ask for a shorter range"
        )
        metadata = {"asked": str(asked), "allowed": str(bin_count_max)}
        raise InvalidRequestError([Violation("from_time", "BIN_LIMIT_EXCEEDED", description, metadata)])


def _cut(
    bins: Bins, zone: Zone, parts: Iterable[Part], windows_us: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Returns the edges of bins, cut where a part of the local time changes or a window begins or ends."""
    from_us, to_us = int(bins.edge_us[0]), int(bins.edge_us[-1])
    cuts_us = [clock_edges(zone, _WIDTH_US[part], from_us, to_us) for part in parts]
    if windows_us is not None:
        cuts_us.append(windows_us.ravel())
    edge_us = np.unique(np.concatenate([bins.edge_us, *cuts_us]))
    return edge_us[(edge_us >= from_us) & (edge_us <= to_us)]


def _windows_us(zone: Zone, hours: OpenHours, from_us: int, to_us: int) -> NDArray[np.int64]:
    """Returns starts and ends of the hours within a range, ascending and disjoint: shape (windows, 2)."""
    bounds_us, windows_us = zone.offset_bounds_us, [np.empty((0, 2), np.int64)]
    for run in range(bisect_right(bounds_us, from_us) - 1, bisect_left(bounds_us, to_us)):
        first_us, end_us = max(from_us, bounds_us[run]), min(to_us, bounds_us[run + 1])
        offset_us = zone.offsets_us[run]
        # Hours that began on the date before reach into the first one.
        first_date, last_date = (us // US_PER_DAY for us in (first_us + offset_us, end_us + offset_us))
        dates = np.arange(first_date - 1, last_date + 1)
        midnight_us = dates[_begin_on(hours, dates)] * US_PER_DAY - offset_us
        of_run_us = np.stack([midnight_us + hours.from_us, midnight_us + hours.to_us], axis=1)
        of_run_us = of_run_us.clip(first_us, end_us)
        windows_us.append(of_run_us[of_run_us[:, 0] < of_run_us[:, 1]])
    return np.concatenate(windows_us)


def _begin_on(hours: OpenHours, dates: NDArray[np.int64]) -> NDArray[np.bool_]:
    is_open = np.isin(_weekdays(dates), sorted(hours.weekdays))
    return is_open & ~np.isin(dates, sorted(hours.excluded_dates))


def _are_within(us: NDArray[np.int64], windows_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns whether instants are within one of the windows."""
    # One more window, so that an instant before the first is within none.
    first_us = np.array([[np.iinfo(np.int64).min] * 2], np.int64)
    bounded_us = np.concatenate([first_us, windows_us])
    place = np.searchsorted(bounded_us[:, 0], us, side="right") - 1
    return np.asarray(us < bounded_us[place, 1])


def _local_values(zone: Zone, part: Part, us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns a part of the local time at instants, as a `LocalTimeKey` has it."""
    local_us = us + offsets_us_at(zone, us)
    return _weekdays(local_us // US_PER_DAY) if part == "weekday" else local_us // _WIDTH_US["hour"] % 24


def offsets_us_at(zone: Zone, us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the UTC offsets at instants, in microseconds."""
    run = np.searchsorted(np.array(zone.offset_bounds_us), us, side="right") - 1
    return np.array(zone.offsets_us, np.int64)[run]


def _weekdays(dates: NDArray[np.int64]) -> NDArray[np.int64]:
    # 1970-01-01 was a Thursday.
    return np.asarray((dates + 3) % 7 + 1)


def _parts_of(filters: Iterable[TrafficPredicate]) -> Iterator[Part]:
    for each in filters:
        match each:
            case InGroups(keys=keys):
                yield from (key.part for key in keys if isinstance(key, LocalTimeKey))
            case AnyOf(conditions=conditions):
                yield from _parts_of(conditions)
            case Not(condition=condition):
                yield from _parts_of([condition])


def _holds(
    predicate: TrafficPredicate, values: Mapping[Part, NDArray[np.int64]], count: int
) -> NDArray[np.bool_]:
    """Returns whether a filter of local time holds, by `count` instants, of which `values` are the parts."""
    match predicate:
        case InGroups(keys=(LocalTimeKey(part=part),), groups=groups):
            return np.isin(values[part], [value for (value,) in groups if isinstance(value, int)])
        case AnyOf(conditions=conditions):
            return reduce(np.logical_or, [_holds(each, values, count) for each in conditions])
        case Not(condition=condition):
            return np.logical_not(_holds(condition, values, count))
    # What else a filter of local time becomes holds for no record.
    return np.zeros(count, np.bool_)
