"""Bins of the usage, quality and folder reports, and of the traffic question."""

from functools import lru_cache
from typing import Final

import numpy as np

from pegcount.calendar.bin_edges import bin_count, clip, day_edges, edges
from pegcount.calendar.moving_average import edges_with_days_before, warmup_day_count
from pegcount.errors import InvalidRequestError, Violation
from pegcount.model import Bins, FolderQuery, Granularity, QualityQuery, UsageQuery
from pegcount.traffic import TrafficQuery
from pegcount.zone import Zone

_BINS_CACHE_SIZE: Final = 32
"""Entries of each cache, at most 1.7 MB each. Clients poll the same range. A range that ends now bypasses
the cache, as it differs each time."""


def usage_bins(query: UsageQuery, now_us: int, bin_count_max: int) -> Bins:
    """Returns the whole bins of the range, after the warm-up days of the moving average.

    Returns no bins if the range begins now or later. Raises InvalidRequestError if the range has
    more than `bin_count_max` bins; warm-up days do not count.
    """
    if query.from_us >= now_us:
        return _no_bins(query)
    to_us = now_us if query.to_us is None else query.to_us
    warmup_count = warmup_day_count(query.sma_period)
    make_bins = _whole_bins if query.to_us is None else _cached_whole_bins
    return make_bins(query.zone, query.granularity, query.from_us, to_us, warmup_count, bin_count_max)


def quality_bins(query: QualityQuery, now_us: int, bin_count_max: int) -> Bins:
    """Returns the bins of the range, clipped to the range and to now.

    Returns no bins if the range begins now or later. Raises InvalidRequestError if the range has
    more than `bin_count_max` bins.
    """
    return _bins_in_range("sampling", query.granularity, query, now_us, bin_count_max)


def traffic_bins(query: TrafficQuery, now_us: int, bin_count_max: int) -> Bins:
    """Returns the bins of the range as `quality_bins` does; without a granularity, the range is one bin.

    The calendar end of this one bin is that of the range, which may be later than now.
    """
    if query.granularity is not None:
        return _bins_in_range("granularity", query.granularity, query, now_us, bin_count_max)
    if query.from_us >= now_us:
        return _no_bins(query)
    end_us = now_us if query.to_us is None else query.to_us
    to_us = min(end_us, now_us)
    edge_us, calendar_us = (np.array([query.from_us, us], dtype=np.int64) for us in (to_us, end_us))
    return Bins(edge_us, calendar_us, query.from_us, to_us)


def folder_bins(query: FolderQuery, now_us: int, bin_count_max: int) -> Bins:
    """Returns one bin per existing date from the first to the last, or no bins if the dates are reversed.

    Raises InvalidRequestError if more than `bin_count_max` of the dates exist in the zone.
    """
    return _day_bins(query.zone, *query.dates_at(now_us), bin_count_max)


def _whole_bins(
    zone: Zone, granularity: Granularity, from_us: int, to_us: int, warmup_count: int, bin_count_max: int
) -> Bins:
    _check_range("granularity", zone, granularity, (from_us, to_us), bin_count_max)
    if warmup_count:
        edge_us = edges_with_days_before(zone, from_us, to_us, warmup_count)
    else:
        edge_us = edges(zone, granularity, from_us, to_us)
    edge_us.flags.writeable = False
    return Bins(edge_us, edge_us, int(edge_us[warmup_count]), int(edge_us[-1]), warmup_count)


_cached_whole_bins = lru_cache(_BINS_CACHE_SIZE)(_whole_bins)


def _bins_in_range(
    field: str, granularity: Granularity, query: QualityQuery | TrafficQuery, now_us: int, bin_count_max: int
) -> Bins:
    if query.from_us >= now_us:
        return _no_bins(query)
    to_us = now_us if query.to_us is None else min(query.to_us, now_us)
    make_bins = _cached_clipped_bins if to_us == query.to_us else _clipped_bins
    return make_bins(field, query.zone, granularity, query.from_us, to_us, bin_count_max)


def _clipped_bins(
    field: str, zone: Zone, granularity: Granularity, from_us: int, to_us: int, bin_count_max: int
) -> Bins:
    _check_range(field, zone, granularity, (from_us, to_us), bin_count_max)
    calendar_us = edges(zone, granularity, from_us, to_us)
    clipped_us = clip(calendar_us, from_us, to_us)
    calendar_us.flags.writeable = clipped_us.flags.writeable = False
    return Bins(clipped_us, calendar_us, from_us, to_us)


_cached_clipped_bins = lru_cache(_BINS_CACHE_SIZE)(_clipped_bins)


@lru_cache(_BINS_CACHE_SIZE)
def _day_bins(zone: Zone, from_date: int, to_date: int, bin_count_max: int) -> Bins:
    edge_us = day_edges(zone, from_date, to_date)
    if len(edge_us) - 1 > bin_count_max:
        raise _too_many_bins("to_date", len(edge_us) - 1, bin_count_max, "ask for fewer days")
    edge_us.flags.writeable = False
    return Bins(edge_us, edge_us, zone.day_start_us(from_date), zone.day_start_us(to_date + 1))


def _no_bins(query: UsageQuery | QualityQuery | TrafficQuery) -> Bins:
    edge_us = np.empty(0, dtype=np.int64)
    return Bins(edge_us, edge_us, query.from_us, query.from_us if query.to_us is None else query.to_us)


def _check_range(
    field: str, zone: Zone, granularity: Granularity, range_us: tuple[int, int], bin_count_max: int
) -> None:
    """Raises InvalidRequestError for more bins than `bin_count_max`, with the next granularity that fits.

    Of 230 years, this takes some milliseconds.
    """
    asked = bin_count(zone, granularity, *range_us)
    if asked <= bin_count_max:
        return
    for wider in (each for each in Granularity if each > granularity):
        count = bin_count(zone, wider, *range_us)
        if count <= bin_count_max:
            name = f"GRANULARITY_{wider.name}"
            hint = f"{name} would give {count:,}"
            raise _too_many_bins(field, asked, bin_count_max, hint, suggestion=name)
    raise _too_many_bins(field, asked, bin_count_max, "ask for a shorter range")


def _too_many_bins(field: str, asked: int, allowed: int, hint: str, **metadata: str) -> InvalidRequestError:
    description = f"the range has {asked:,} bins; {allowed:,} are allowed; {hint}"
    metadata = {"asked": str(asked), "allowed": str(allowed), **metadata}
    return InvalidRequestError([Violation(field, "BIN_LIMIT_EXCEEDED", description, metadata)])
