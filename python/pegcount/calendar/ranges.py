"""The bins of each report that has any."""

from functools import lru_cache
from typing import Final

import numpy as np

from pegcount.calendar.bins import bin_count, clip, day_edges, edges, edges_with_days_before
from pegcount.errors import InvalidRequestError, Violation
from pegcount.model import Bins, FolderQuery, Granularity, QualityQuery, UsageQuery
from pegcount.zone import Zone

_BINS_CACHE_SIZE: Final = 32
"""Bins that are cached, 1.7 MB each at most: the same are asked for again, unless their range ends now."""


def usage_bins(query: UsageQuery, now_us: int, bin_count_max: int) -> Bins:
    """Whole bins, and before them the days that only the moving average reads.

    A range that begins now or later has no bins. Raises InvalidRequestError if the
    range has more than `bin_count_max`; the days before it do not count.
    """
    if query.from_us >= now_us:
        return _no_bins(query)
    to_us = now_us if query.to_us is None else query.to_us
    warmup_count = 0 if query.sma_period is None else query.sma_period - 1
    bins_of = _whole_bins.__wrapped__ if query.to_us is None else _whole_bins
    return bins_of(query.zone, query.granularity, query.from_us, to_us, warmup_count, bin_count_max)


def quality_bins(query: QualityQuery, now_us: int, bin_count_max: int) -> Bins:
    """Bins clipped to the range, which ends now at the latest.

    A range that begins now or later has no bins. Raises InvalidRequestError if the
    range has more than `bin_count_max`.
    """
    if query.from_us >= now_us:
        return _no_bins(query)
    to_us = now_us if query.to_us is None else min(query.to_us, now_us)
    bins_of = _clipped_bins if to_us == query.to_us else _clipped_bins.__wrapped__
    return bins_of(query.zone, query.granularity, query.from_us, to_us, bin_count_max)


def folder_bins(query: FolderQuery, bin_count_max: int) -> Bins:
    """The days from the first date to the last; none where that is before the first.

    Raises InvalidRequestError if more than `bin_count_max` of these dates exist.
    """
    zone = query.zone
    edge_us = day_edges(zone, query.from_date, query.to_date)
    _check_count("to_date", len(edge_us) - 1, bin_count_max)
    from_us, to_us = zone.day_start_us(query.from_date), zone.day_start_us(query.to_date + 1)
    return Bins(edge_us, edge_us, from_us, to_us)


@lru_cache(_BINS_CACHE_SIZE)
def _whole_bins(
    zone: Zone, granularity: Granularity, from_us: int, to_us: int, warmup_count: int, bin_count_max: int
) -> Bins:
    _check_count("granularity", bin_count(zone, granularity, from_us, to_us), bin_count_max)
    if warmup_count:
        edge_us = edges_with_days_before(zone, from_us, to_us, warmup_count)
    else:
        edge_us = edges(zone, granularity, from_us, to_us)
    edge_us.flags.writeable = False
    return Bins(edge_us, edge_us, int(edge_us[warmup_count]), int(edge_us[-1]), warmup_count)


@lru_cache(_BINS_CACHE_SIZE)
def _clipped_bins(zone: Zone, granularity: Granularity, from_us: int, to_us: int, bin_count_max: int) -> Bins:
    _check_count("sampling", bin_count(zone, granularity, from_us, to_us), bin_count_max)
    calendar_us = edges(zone, granularity, from_us, to_us)
    clipped_us = clip(calendar_us, from_us, to_us)
    calendar_us.flags.writeable = clipped_us.flags.writeable = False
    return Bins(clipped_us, calendar_us, from_us, to_us)


def _no_bins(query: UsageQuery | QualityQuery) -> Bins:
    none = np.empty(0, dtype=np.int64)
    return Bins(none, none, query.from_us, query.from_us if query.to_us is None else query.to_us)


def _check_count(field: str, asked: int, allowed: int) -> None:
    if asked > allowed:
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        description = f"the range has {asked} bins; {allowed} are allowed"
        raise InvalidRequestError([Violation(field, "BIN_LIMIT_EXCEEDED", description, metadata)])
