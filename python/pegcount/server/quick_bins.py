"""Refuses to make many bins on the event loop, where a report with few bins is prepared."""

from collections.abc import Iterator, Mapping
from typing import Final

from pegcount.model import Granularity, QualityQuery, UsageQuery
from pegcount.traffic import LocalTimeKey, TrafficQuery
from pegcount.zone import US_PER_DAY

_US_PER_MINUTE: Final = 60_000_000
_BIN_US: Final[Mapping[Granularity, int]] = {
    Granularity.MINUTE: _US_PER_MINUTE,
    Granularity.FIVE_MINUTES: 5 * _US_PER_MINUTE,
    Granularity.FIFTEEN_MINUTES: 15 * _US_PER_MINUTE,
    Granularity.THIRTY_MINUTES: 30 * _US_PER_MINUTE,
    Granularity.HOUR: 60 * _US_PER_MINUTE,
    Granularity.DAY: US_PER_DAY,
    Granularity.WEEK: 7 * US_PER_DAY,
    Granularity.MONTH: 30 * US_PER_DAY,
}
"""About the width of a bin."""


class ManyBinsError(Exception):
    """A report has too many bins to be prepared on the event loop."""


def require_few_bins(
    query: UsageQuery | QualityQuery | TrafficQuery, now_us: int, bin_count_max: int | None
) -> None:
    """Raises ManyBinsError for a range of about more bins than `bin_count_max`; None is without limit."""
    if bin_count_max is None:
        return
    length_us = (now_us if query.to_us is None else query.to_us) - query.from_us
    widths_us = [] if query.granularity is None else [_BIN_US[query.granularity]]
    if isinstance(query, TrafficQuery):
        widths_us += _cut_widths_us(query)
        # An earlier range has as many.
        widths_us *= 1 if query.compare is None else 2
    if sum(length_us / width_us for width_us in widths_us) > bin_count_max:
        raise ManyBinsError


def _cut_widths_us(query: TrafficQuery) -> Iterator[int]:
    """Yields about how wide the bins are into which open hours and local times cut those of an answer."""
    if query.open_hours is not None:
        # Hours begin and end on each day.
        yield US_PER_DAY // 2
    if query.has_intervals and (
        query.local_filters or any(isinstance(key, LocalTimeKey) for key in query.keys)
    ):
        yield _BIN_US[Granularity.HOUR]


def require_few_days(from_date: int, to_date: int, day_count_max: int | None) -> None:
    """Raises ManyBinsError for more days than `day_count_max` between two dates; None is without limit."""
    if day_count_max is not None and to_date - from_date > day_count_max:
        raise ManyBinsError
