"""The scans of an answer to a traffic question, and the ranges that these are of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from pegcount import calendar, core
from pegcount.config import Config
from pegcount.model import Between, Bins, Measure, Predicate, Scan
from pegcount.server.visible_records import VisibleRecords
from pegcount.traffic import (
    INTERVALS,
    Figure,
    Fold,
    InGroups,
    LocalTimeKey,
    Not,
    ScanBins,
    Top,
    TrafficPredicate,
    TrafficQuery,
    TrafficScan,
)
from pegcount.zone import US_PER_SECOND

_MEASURES_PER_PASS: Final = 8
"""Measures that a scan adds up in about twice the time of one."""
_NEVER: Final = Between("tenant_id", 1, 0)
"""Holds for no record."""


@dataclass(frozen=True, slots=True)
class TrafficRange:
    """A range that is scanned: that of a question, or the one that it is compared with."""

    bins: Bins
    cells: ScanBins
    """Bins of the scan for the bins of the answer."""
    whole: ScanBins
    """The same for the range as one bin; empty without bins."""
    whole_of_instants: ScanBins
    """The same for a scan that has keys and filters of local time itself."""

    @property
    def covered_us(self) -> int:
        """Microseconds that the bins cover."""
        return int(self.cells.covered_us.sum())


def traffic_range(query: TrafficQuery, bins: Bins, config: Config) -> TrafficRange:
    """Returns the range of some bins; raises InvalidRequestError if it needs too many bins of a scan."""
    edge_us = bins.edge_us if bins.is_empty else bins.edge_us[[0, -1]]
    one = replace(bins, edge_us=edge_us, calendar_us=edge_us)
    bin_count_max = config.bin_count_max
    whole = calendar.scan_bins(query, one, bin_count_max)
    # What is not cut at all is the same.
    of_instants = whole if whole.fold is None else calendar.open_bins(query, one, bin_count_max)
    return TrafficRange(bins, calendar.scan_bins(query, bins, bin_count_max), whole, of_instants)


@dataclass(slots=True)
class HeldSums:
    """The partials of an answer. `clear` gives them up, as the traceback of an error keeps this object."""

    partials: core.TrafficPartials | None = None
    rest: core.TrafficPartials | None = None
    """By bin, without keys, of the groups that `partials` lack; None if they lack none."""

    def clear(self) -> None:
        """Gives up the partials."""
        self.partials = self.rest = None

    def total(self, number: int) -> int:
        """Returns a count or sum of all groups."""
        return sum(each.total(number) for each in (self.partials, self.rest) if each is not None)


class TrafficScans:
    """The scans of one range, each of the calls that a caller may see.

    All raise the errors of `Store.traffic_partials`. Their bins and keys are those of the answer.
    """

    def __init__(
        self,
        query: TrafficQuery,
        scanned: TrafficRange,
        records: VisibleRecords,
        config: Config,
        now_us: int,
        cancel_token: core.CancelToken,
    ) -> None:
        self.query = query
        self.range = scanned
        self._records = records
        self._cell_count_max = config.cell_count_max
        self._now_us = now_us
        self._cancel_token = cancel_token

    @property
    def has_local_keys(self) -> bool:
        """Whether bins have the values of keys, by which a scan can therefore not select groups."""
        fold = self.range.cells.fold
        return fold is not None and bool(fold.keys)

    def cells(self) -> core.TrafficPartials:
        """Returns all groups by bin."""
        # Cells of groups are added to totals; without groups, no cell of a bin is added to another one.
        scan = replace(self._scan(self.range.cells), only_peaks=not self.query.keys)
        return self._partials(scan, self.range.cells.fold)

    def ranked(self, top: Top) -> core.RankedGroups:
        """Returns the groups of `top`."""
        figure, numbers = self._alone(self.query.columns[top.column].figure)
        measures = tuple(self.query.measures[number] for number in numbers)
        whole = self.range.whole
        scan = replace(self._scan(whole), measures=measures)
        # Passed on at once: a name here would keep the partials in the traceback of an error.
        return core.rank_groups(
            self._partials(scan, whole.fold), figure, self.range.covered_us, top.limit, top.ascending
        )

    def winners(self, ranked: core.RankedGroups) -> core.TrafficPartials:
        """Returns the groups of `top` by bin."""
        groups = tuple(ranked.groups)
        chosen = InGroups(self.query.keys, groups) if groups else _NEVER
        return self._partials(self._scan(self.range.cells, (chosen,)), self.range.cells.fold)

    def others(self, ranked: core.RankedGroups) -> core.TrafficPartials:
        """Returns the calls of all other groups by bin."""
        chosen = (Not(InGroups(self.query.keys, tuple(ranked.groups))),) if ranked.groups else ()
        scan = replace(self._scan(self.range.cells, chosen), keys=())
        return self._partials(scan, self.range.cells.fold)

    def instants(self, scan: TrafficScan) -> core.TrafficPartials:
        """Returns what a scan of the whole range finds, whose measures are of the setup time alone.

        Its edges are those of the range.
        """
        whole = self.range.whole_of_instants
        return self._partials(replace(scan, edge_us=whole.edge_us), whole.fold)

    def _scan(self, bins: ScanBins, more: tuple[TrafficPredicate, ...] = ()) -> TrafficScan:
        query = self.query
        if not query.has_intervals:
            predicates = (*query.predicates, *more)
            return TrafficScan(bins.edge_us, predicates, query.keys, query.measures, query.code_deck)
        session_now_us = min(self._now_us, self._records.session_now_us)
        return TrafficScan(
            bins.edge_us,
            (*(each for each in query.predicates if each not in query.local_filters), *more),
            tuple(key for key in query.keys if not isinstance(key, LocalTimeKey)),
            query.measures,
            query.code_deck,
            (*query.occupancy_predicates_at(session_now_us), *more),
            self._now_us,
        )

    def _partials(self, scan: TrafficScan, fold: Fold | None) -> core.TrafficPartials:
        if fold is None:
            return self._records.traffic_partials(scan, self._cell_count_max, self._cancel_token)
        # Folded at once, as above.
        return self._records.traffic_partials(scan, self._cell_count_max, self._cancel_token).folded(
            fold.bin, fold.bin_count, fold.keys
        )

    def _alone(self, figure: Figure) -> tuple[Figure, tuple[int, ...]]:
        """Returns a figure over the measures of a scan for it alone, and their numbers in the whole scan."""
        used = [figure.first]
        if figure.form in ("difference", "ratio"):
            used.append(figure.second)
        if figure.only_with is not None:
            used.append(figure.only_with)
        # A group that has calls, or calls that occupy a line, is there whatever it is ranked by.
        kept = [number for number, each in enumerate(self.query.measures) if each.how in INTERVALS]
        numbers = tuple(dict.fromkeys([*used, *kept, *((0,) if kept else ())]))
        only_with = None if figure.only_with is None else numbers.index(figure.only_with)
        second = numbers.index(figure.second) if figure.second in used else 0
        return replace(figure, first=0, second=second, only_with=only_with), numbers


def priced_scan(query: TrafficQuery, scanned: TrafficRange, config: Config) -> Scan:
    """Returns a scan that reads as many rows as one of an answer, or more; it has groups if that has."""
    edge_us = scanned.cells.edge_us
    predicates: Sequence[TrafficPredicate] = query.predicates
    if query.has_intervals:
        # Calls that are active, or began before the range.
        predicates = query.occupancy_predicates_at(0)
        edge_us = _looking_back(edge_us, config)
    keys = ("kind",) if query.keys else ()
    simple = tuple(each for each in predicates if isinstance(each, get_args(Predicate)))
    return Scan(edge_us, simple, keys, Measure("calls"), query.code_deck)


def pass_count(query: TrafficQuery) -> int:
    """Returns how often an answer goes through all rows, without a `top` of very many groups.

    Of intervals, each has two instants, which are put in order.
    """
    currencies = {name for column in query.columns for name in column.currencies}
    interval_count = sum(measure.how in INTERVALS for measure in query.measures)
    scan_count = (1 + len(currencies)) * (1 if query.compare is None else 2)
    return scan_count * (1 + len(query.measures) // _MEASURES_PER_PASS + interval_count)


def look_back_us(query: TrafficQuery, config: Config) -> int:
    """Returns how long before a range the calls are set up, at most, that have a part in its figures."""
    return config.call_seconds_max * US_PER_SECOND if query.has_intervals else 0


def _looking_back(edge_us: NDArray[np.int64], config: Config) -> NDArray[np.int64]:
    """Returns edges of bins, the first as early as a call may begin that reaches into it."""
    earlier_us = edge_us.copy()
    earlier_us[:1] -= config.call_seconds_max * US_PER_SECOND
    return earlier_us
