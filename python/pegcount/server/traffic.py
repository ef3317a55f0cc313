"""`TrafficService`: the traffic question, prepared and answered as the reports of `reports` are.

One scan has all groups by bin, also with `top`: so all figures are of one state of the records. If there are
too many groups for that, `top` takes three scans, of which each may see later records: all groups over the
whole range tell which ones are returned; a second scan has these by bin, and a third all other calls by bin.
No figure is a difference of two scans, so that each is one that its calls have.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from pegcount import calendar, core, request, response
from pegcount.config import Config
from pegcount.errors import CellLimitError, MemoryLimitError
from pegcount.model import Between, Bins, Measure, Predicate, Scan
from pegcount.server.call_clock import CallClock, Phase
from pegcount.server.missing_values import missing_notices
from pegcount.server.notices import notice_scans, range_notices
from pegcount.server.prepared_report import Answer, Prepare, PreparedReport
from pegcount.server.quick_bins import require_few_bins
from pegcount.server.report_queries import ReportQueries
from pegcount.server.unseen_values import FilterValues, UnseenSearch
from pegcount.server.visible_records import VisibleRecords
from pegcount.traffic import Figure, InGroups, Not, Top, TrafficMeasure, TrafficQuery, TrafficScan
from pegcount.v1 import traffic_pb2

_METHOD: Final = "QueryTraffic"
_MEASURES_PER_PASS: Final = 8
"""Measures that a scan adds up in about twice the time of one."""
_NEVER: Final = Between("tenant_id", 1, 0)
"""Holds for no record."""


class TrafficService:
    """Prepares the answers to the traffic question."""

    def __init__(self, config: Config, clock: Callable[[], int]) -> None:
        """`clock` returns the current time in microseconds UTC."""
        self._config = config
        self._clock = clock
        made_of = {_METHOD: (traffic_pb2.QueryTrafficRequest, request.traffic_query)}
        self._queries = ReportQueries(config, made_of)

    def reports(self) -> dict[str, Prepare]:
        """Returns the function that prepares a report, by the names of the methods."""
        return {_METHOD: self.traffic}

    def traffic(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """Prepares an answer."""
        query: TrafficQuery = self._queries.query(_METHOD, data, records, cancel_token.check)
        now_us = self._clock()
        # Each column has as many values.
        bin_count_max = None if quick_bin_count_max is None else quick_bin_count_max // len(query.columns)
        require_few_bins(query, now_us, bin_count_max)
        bins = calendar.traffic_bins(query, now_us, self._config.bin_count_max)

        def finish(cancel_token: core.CancelToken, clock: CallClock) -> Answer:
            notices = range_notices(bins, now_us, records, cancel_token)
            scans = _Scans(query, bins, records, self._config.cell_count_max, cancel_token)

            def build(
                partials: core.TrafficPartials,
                rest: core.TrafficPartials | None,
                ranked: core.RankedGroups | None = None,
                *,
                other: bool = False,
            ) -> bytes:
                def total(measure: TrafficMeasure) -> int:
                    number = query.measures.index(measure)
                    return partials.total(number) + (0 if rest is None else rest.total(number))

                # Currencies are looked at after the amounts were added up, so that none is missed.
                missing = missing_notices(query, scans.whole_us, total, scans.partials)
                granularity, zone, latest_us = query.granularity, query.zone, records.latest_setup_us()
                return core.traffic_response(
                    partials,
                    rest,
                    header=response.traffic_header(
                        bins, granularity, zone, now_us, notices, missing, latest_us
                    ),
                    limits=core.AnswerLimits(
                        cancel_token, self._config.answer_bytes_max, self._config.subtotal_count_max
                    ),
                    columns=query.columns,
                    edge_us=bins.edge_us,
                    calendar_us=bins.calendar_us,
                    now_us=now_us,
                    ranked=ranked,
                    other=other,
                    value_count_max=self._config.value_count_max,
                )

            search = _search(query, records)
            if query.top is not None and query.keys:
                return _answer_of_top(query.top, scans, build, search, clock)
            return _answer_of_one_scan(None, scans, build, search, clock)

        pass_count = _scan_count(query) * (1 + len(query.measures) // _MEASURES_PER_PASS)
        return PreparedReport(_priced_scan(query, bins), finish, notice_scans(bins, records), pass_count)


class _Scans:
    """The scans of one answer."""

    def __init__(
        self,
        query: TrafficQuery,
        bins: Bins,
        records: VisibleRecords,
        cell_count_max: int,
        cancel_token: core.CancelToken,
    ) -> None:
        self.query = query
        self._bins = bins
        self._records = records
        self._cell_count_max = cell_count_max
        self._cancel_token = cancel_token

    @property
    def whole_us(self) -> NDArray[np.int64]:
        """The edges of the whole range as one bin; empty without bins."""
        edge_us = self._bins.edge_us
        return edge_us if self._bins.is_empty else edge_us[[0, -1]]

    @property
    def covered_us(self) -> int:
        """Microseconds of the whole range."""
        return 0 if self._bins.is_empty else int(self.whole_us[1] - self.whole_us[0])

    def partials(self, scan: TrafficScan) -> core.TrafficPartials:
        return self._records.traffic_partials(scan, self._cell_count_max, self._cancel_token)

    def cells(self) -> TrafficScan:
        """All groups by bin."""
        query = self.query
        return TrafficScan(self._bins.edge_us, query.predicates, query.keys, query.measures, query.code_deck)

    def ranked(self, top: Top) -> core.RankedGroups:
        """Returns the groups of `top`."""
        figure, numbers = _alone(self.query.columns[top.column].figure)
        measures = tuple(self.query.measures[number] for number in numbers)
        scan = replace(self.cells(), edge_us=self.whole_us, measures=measures)
        # Passed on at once: a name here would keep the partials in the traceback of an error.
        return core.rank_groups(self.partials(scan), figure, self.covered_us, top.limit, top.ascending)

    def winners(self, ranked: core.RankedGroups) -> TrafficScan:
        """The groups of `top` by bin."""
        groups = tuple(ranked.groups)
        chosen = InGroups(self.query.keys, groups) if groups else _NEVER
        return replace(self.cells(), predicates=(*self.query.predicates, chosen))

    def others(self, ranked: core.RankedGroups) -> TrafficScan:
        """The calls of all other groups by bin."""
        chosen = InGroups(self.query.keys, tuple(ranked.groups))
        predicates = (*self.query.predicates, Not(chosen)) if ranked.groups else self.query.predicates
        return replace(self.cells(), predicates=predicates, keys=())


def _answer_of_top(
    top: Top, scans: _Scans, build: Callable[..., bytes], search: UnseenSearch, clock: CallClock
) -> Answer:
    try:
        return _answer_of_one_scan(top, scans, build, search, clock)
    except (CellLimitError, MemoryLimitError):
        clock.enter(Phase.STORE)
    return _answer_of_three_scans(top, scans, build, search, clock)


def _answer_of_one_scan(
    top: Top | None, scans: _Scans, build: Callable[..., bytes], search: UnseenSearch, clock: CallClock
) -> Answer:
    partials = scans.partials(scans.cells())
    clock.enter(Phase.FINISH)
    try:
        counts_nothing = not partials.cell_count if scans.query.keys else not partials.total(0)
        if top is None:
            data = build(partials, None)
        else:
            figure = scans.query.columns[top.column].figure
            ranked = core.rank_groups(partials, figure, scans.covered_us, top.limit, top.ascending)
            data = build(partials, None, ranked, other=top.other)
        return Answer(data, search if counts_nothing and search.filters else None)
    finally:
        # The traceback of an error has this frame, which would keep the partials in memory.
        del partials


def _answer_of_three_scans(
    top: Top, scans: _Scans, build: Callable[..., bytes], search: UnseenSearch, clock: CallClock
) -> Answer:
    ranked = scans.ranked(top)
    partials: core.TrafficPartials | None = scans.partials(scans.winners(ranked))
    others: core.TrafficPartials | None = None
    try:
        others = scans.partials(scans.others(ranked))
        clock.enter(Phase.FINISH)
        data = build(partials, others, ranked, other=top.other)
        return Answer(data, search if not ranked.group_count and search.filters else None)
    finally:
        # As above.
        partials = others = None


def _alone(figure: Figure) -> tuple[Figure, tuple[int, ...]]:
    """Returns a figure over its own measures alone, and the numbers that these have in the scan."""
    used = [figure.first]
    if figure.form in ("difference", "ratio"):
        used.append(figure.second)
    if figure.only_with is not None:
        used.append(figure.only_with)
    numbers = tuple(dict.fromkeys(used))
    only_with = None if figure.only_with is None else numbers.index(figure.only_with)
    second = numbers.index(figure.second) if figure.second in used else 0
    return replace(figure, first=0, second=second, only_with=only_with), numbers


def _search(query: TrafficQuery, records: VisibleRecords) -> UnseenSearch:
    """Returns the search for values that no record carries."""
    values = tuple(FilterValues(each.field, each.column, each.values) for each in query.listed_values)
    return UnseenSearch(values, traffic_pb2.QueryTrafficResponse, records)


def _priced_scan(query: TrafficQuery, bins: Bins) -> Scan:
    """Returns a scan that reads as many rows as one of an answer, or more; it has groups if that has."""
    predicates = tuple(each for each in query.predicates if isinstance(each, get_args(Predicate)))
    keys = ("kind",) if query.keys else ()
    return Scan(bins.edge_us, predicates, keys, Measure("calls"), query.code_deck)


def _scan_count(query: TrafficQuery) -> int:
    """Returns the scans of an answer, without those of a `top` of very many groups."""
    currencies = {name for column in query.columns for name in column.currencies}
    return 1 + len(currencies)
