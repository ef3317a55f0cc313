"""The figures of feeds, each from a scan of the visible records by their source."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pegcount import calendar, core
from pegcount.config import Config
from pegcount.errors import CellLimitError
from pegcount.feeds import COMPARED_DAYS, LOOK_BACK_DAYS, CallCounts, Feed, FeedQuery, UsualCounts, silent_us
from pegcount.model import Between, Measure, OneOf, Predicate, Present, Scan, SessionKind
from pegcount.server.visible_records import SETUP_END_US, VisibleRecords
from pegcount.traffic import (
    ANSWERED,
    CALLS,
    CAUSE_KNOWN,
    ColumnKey,
    InGroups,
    KeyValue,
    QuotientKey,
    TrafficMeasure,
    TrafficPredicate,
    TrafficScan,
)
from pegcount.zone import US_PER_DAY, US_PER_SECOND

_US_PER_HOUR: Final = 3_600 * US_PER_SECOND
_SOURCE: Final = ColumnKey("source")
_CALLS_ONLY: Final = OneOf("kind", (SessionKind.CALL,))
_MEASURES: Final = (
    CALLS,
    ANSWERED,
    CAUSE_KNOWN,
    TrafficMeasure("count", "alerted"),
    TrafficMeasure("count", "priced"),
    TrafficMeasure("values", "delay_ms"),
)
_FINER_US: Final = (_US_PER_HOUR, 60 * US_PER_SECOND, US_PER_SECOND)
"""Steps from the day of an instant to its second."""
SCAN_COUNT: Final = 2 * (1 + len(_FINER_US)) + 2
"""Scans of one answer."""


class FeedScans:
    """The scans of one answer. All methods raise what `VisibleRecords.traffic_partials` raises."""

    def __init__(
        self,
        query: FeedQuery,
        records: VisibleRecords,
        now_us: int,
        config: Config,
        cancel_token: core.CancelToken,
    ) -> None:
        self._query = query
        self._records = records
        self._now_us = now_us
        self._config = config
        self._cancel_token = cancel_token
        self._edge_us = look_back_us(now_us)
        self._of_sources = _of_sources(query.sources)

    def feeds(self) -> dict[str, Feed]:
        """Returns all feeds that have records, by source, without what was rejected.

        Raises CellLimitError for more than `feed_count_max` sources.
        """
        by_day = self._counts("received_time", US_PER_DAY, ())
        self._require_few({source for source, _ in by_day})
        since_yesterday = self._now_us // US_PER_DAY - 1
        recent: defaultdict[str, int] = defaultdict(int)
        for (source, day), count in by_day.items():
            recent[source] += count if day >= since_yesterday else 0
        received_us = self._latest_us("received_time", by_day)
        setup_us = self._latest_us("setup_time", self._counts("setup_time", US_PER_DAY, ()))
        counts, hours = self._call_counts(), _Hours(self._query, self._now_us, self)
        feeds = {}
        for source in received_us:
            feed = Feed(
                source,
                received_us[source],
                setup_us.get(source),
                counts=counts.get(source, CallCounts()),
                recent_records=recent[source],
            )
            feeds[source] = hours.added(feed)
        return feeds

    def known_sources(self) -> list[str]:
        """Returns the visible sources, whichever were asked for; none if there are too many."""
        scan = Scan(self._edge_us, (), ("source",), Measure("sessions"))
        try:
            partials = self._records.partials(scan, self._config.feed_count_max, self._cancel_token)
        except CellLimitError:
            return []
        codes, texts = partials.keys[0]
        return [texts[code] for code in codes if texts[code]]

    def cells(
        self,
        edge_us: NDArray[np.int64],
        predicates: tuple[TrafficPredicate, ...],
        measures: tuple[TrafficMeasure, ...],
        *keys: QuotientKey,
    ) -> Iterator[tuple[int, str, tuple[int, ...], list[Any]]]:
        """Yields the bin of each cell, its source, the values of its other keys, and its measures."""
        wanted = (*predicates, *self._of_sources)
        scan = TrafficScan(edge_us, wanted, (_SOURCE, *keys), measures)
        partials = self._records.traffic_partials(scan, self._config.cell_count_max, self._cancel_token)
        codes, texts = partials.keys[0]
        columns = [np.asarray(column).tolist() for column in partials.keys[1:]]
        lists = [partials.measure(number) for number in range(len(measures))]
        for i, (number, code) in enumerate(zip(partials.bins.tolist(), codes.tolist(), strict=True)):
            yield number, texts[code], tuple(column[i] for column in columns), [each[i] for each in lists]

    def _require_few(self, sources: set[str]) -> None:
        allowed = self._config.feed_count_max
        if len(sources) > allowed:
            raise CellLimitError(
                f"the report has {len(sources)} sources; {allowed} are allowed (feed_count_max): name some of"
                " them in `sources`",
                asked=len(sources),
                allowed=allowed,
            )

    def _latest_us(self, column: str, by_day: Mapping[tuple[str, int], int]) -> dict[str, int]:
        """Returns the latest second of a column by source, given how many records each has by day.

        Each step looks into the last part that the one before has found. From the first of these on, there
        are few rows to read where all sources are at work.
        """
        found, step_us = _last_parts(by_day), US_PER_DAY
        for finer_us in _FINER_US:
            if not found:
                break
            groups: tuple[tuple[KeyValue, ...], ...] = tuple(
                (source or None, part) for source, part in found.items()
            )
            last = InGroups((_SOURCE, QuotientKey(column, step_us)), groups)
            first = Between(column, min(found.values()) * step_us, SETUP_END_US)
            found, step_us = _last_parts(self._counts(column, finer_us, (first, last))), finer_us
        return {source: part * step_us for source, part in found.items()}

    def _counts(
        self, column: str, step_us: int, predicates: tuple[TrafficPredicate, ...]
    ) -> dict[tuple[str, int], int]:
        """Returns how many records each source has in each part of time."""
        cells = self.cells(self._edge_us, predicates, (CALLS,), QuotientKey(column, step_us))
        return {(source, part): count for _, source, (part,), (count,) in cells}

    def _call_counts(self) -> dict[str, CallCounts]:
        edge_us = np.array([self._now_us - US_PER_DAY, self._now_us], dtype=np.int64)
        predicates = (_CALLS_ONLY, Present("end_time", wanted=True))
        found = {}
        for _, source, _, (calls, answered, causes, alerted, priced, delays) in self.cells(
            edge_us, predicates, _MEASURES
        ):
            found[source] = CallCounts(calls, answered, causes, alerted, priced, tuple(delays))
        return found


class _Hours:
    """Calls by source in the hours of the last days."""

    def __init__(self, query: FeedQuery, now_us: int, scans: FeedScans) -> None:
        self._now_us = now_us
        self._days = calendar.days_before(query.zone, now_us, COMPARED_DAYS + 1)
        bin_count = len(self._days.edge_us) - 1
        counts: defaultdict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(bin_count, dtype=np.int64))
        for number, source, _, (count,) in scans.cells(self._days.edge_us, (_CALLS_ONLY,), (CALLS,)):
            counts[source][number] = count
        # By source: the calls before each edge.
        self._before = {source: np.concatenate(([0], np.cumsum(each))) for source, each in counts.items()}

    def added(self, feed: Feed) -> Feed:
        """Returns a feed with its rate of calls, and the usual one."""
        if feed.source not in self._before:
            return feed
        return replace(
            feed,
            last_hour=round(self._calls(feed.source, self._now_us, _US_PER_HOUR)),
            usual=self._usual(feed),
        )

    def _usual(self, feed: Feed) -> UsualCounts | None:
        """Returns the medians over the days before that have a call; None if none has."""
        starts = self._days.same_us[1:]
        ends = [
            end_us
            for end_us, start_us in pairwise(starts)
            if self._calls(feed.source, end_us, end_us - start_us)
        ]
        if not ends:
            return None
        pause_us = silent_us(feed, self._now_us)
        # A longer pause is as many whole days.
        width_us = min(pause_us, US_PER_DAY)
        expected = median(self._calls(feed.source, end_us, width_us) for end_us in ends)
        return UsualCounts(
            median(self._calls(feed.source, end_us, _US_PER_HOUR) for end_us in ends),
            len(ends),
            expected * max(1.0, pause_us / US_PER_DAY),
        )

    def _calls(self, source: str, end_us: int, width_us: int) -> float:
        """Returns the calls of a time before an instant; parts of a bin have their share of its calls."""
        ends = np.interp([end_us - width_us, end_us], self._days.edge_us, self._before[source])
        return float(ends[1] - ends[0])


def look_back_us(now_us: int) -> NDArray[np.int64]:
    """Returns the edges of the time in which records of a feed are looked for; clocks may be ahead."""
    return np.array([now_us - LOOK_BACK_DAYS * US_PER_DAY, SETUP_END_US], dtype=np.int64)


def _of_sources(sources: tuple[str, ...]) -> tuple[Predicate, ...]:
    named = tuple(source for source in sources if source)
    if named:
        return (OneOf("source", named, or_absent="" in sources),)
    return (Present("source", wanted=False),) if sources else ()


def _last_parts(counts: Mapping[tuple[str, int], int]) -> dict[str, int]:
    last: dict[str, int] = {}
    for source, part in counts:
        last[source] = max(part, last.get(source, part))
    return last
