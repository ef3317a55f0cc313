"""`TrafficService`: the traffic question, prepared and answered as the reports of `reports` are.

One scan has all groups by bin, also with `top`: so all figures are of one state of the records. If there are
too many groups for that, `top` takes three scans, of which each may see later records: all groups over the
whole range tell which ones are returned; a second scan has these by bin, and a third all other calls by bin.
No figure is a difference of two scans, so that each is one that its calls have.

An earlier range to compare with is scanned in the same way, once the groups of the answer are known.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pegcount import calendar, core, request, response
from pegcount.config import Config
from pegcount.data_scope import DataScope
from pegcount.errors import CellLimitError, MemoryLimitError
from pegcount.request import TrafficWatch
from pegcount.server.call_clock import CallClock, Phase
from pegcount.server.missing_values import missing_notices, require_one_earlier_currency
from pegcount.server.notices import look_back_notices, notice_scans, range_notices
from pegcount.server.prepared_report import Answer, Prepare, PreparedReport
from pegcount.server.quick_bins import require_few_bins
from pegcount.server.report_queries import ReportQueries
from pegcount.server.scope_check import require_visible
from pegcount.server.traffic_scans import (
    HeldSums,
    TrafficRange,
    TrafficScans,
    look_back_us,
    pass_count,
    priced_scan,
    traffic_range,
)
from pegcount.server.unseen_values import FilterValues, UnseenSearch
from pegcount.server.visible_records import VisibleRecords
from pegcount.traffic import Earlier, Top, TrafficMeasure, TrafficQuery
from pegcount.v1 import traffic_pb2

_METHOD: Final = "QueryTraffic"
_LOCAL_KEYS_HINT: Final = (
    "with OCCUPIED_US, ERLANG, PEAK or PEAK_AT, top forms all groups by HOUR_OF_DAY or WEEKDAY before it"
    " ranks them: filter, ask for fewer bins, or leave out one of the other dimensions"
)


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
        return self._prepared(query, records, quick_bin_count_max)

    def watched(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """As `traffic`, with the further columns of `request.with_denominators`."""
        query: TrafficQuery = self._queries.query(_METHOD, data, records, cancel_token.check)
        return self._prepared(request.with_denominators(query), records, quick_bin_count_max)

    def watch(self, data: bytes, scope: DataScope | None, cancel_token: core.CancelToken) -> TrafficWatch:
        """Returns what a serialized `WatchTrafficRequest` asks for.

        Raises OutsideScopeError, RequestTooLargeError, MalformedMessageError or InvalidRequestError, and
        CancelledError or DeadlineError on behalf of the token.
        """
        message = self._queries.parse(traffic_pb2.WatchTrafficRequest, data, cancel_token.check)
        if scope is not None:
            require_visible(message.query, scope, "query.")
        return request.traffic_watch(message, self._config, self._clock(), cancel_token.check)

    def _prepared(
        self, query: TrafficQuery, records: VisibleRecords, quick_bin_count_max: int | None
    ) -> PreparedReport:
        now_us = self._clock()
        # Each column has as many values.
        bin_count_max = None if quick_bin_count_max is None else quick_bin_count_max // len(query.columns)
        require_few_bins(query, now_us, bin_count_max)
        return prepared_traffic(query, records, self._config, now_us)


def prepared_traffic(
    query: TrafficQuery, records: VisibleRecords, config: Config, now_us: int
) -> PreparedReport:
    """Prepares the answer to a valid question as of `now_us`.

    Raises InvalidRequestError if it has too many bins.
    """
    bins = calendar.traffic_bins(query, now_us, config.bin_count_max)
    scanned = traffic_range(query, bins, config)
    compared = None
    if query.compare is not None:
        earlier = calendar.earlier_range(query, bins, now_us, config.bin_count_max)
        compared = _Compared(earlier, traffic_range(query, earlier.bins, config))

    def finish(cancel_token: core.CancelToken, clock: CallClock) -> Answer:
        answer = _TrafficAnswer(query, scanned, compared, records, config, now_us, cancel_token)
        return answer.of_top(query.top, clock) if query.top and query.keys else answer.of_all(clock)

    scan, searches = (
        priced_scan(query, scanned, config),
        notice_scans(bins, records, look_back_us(query, config)),
    )
    return PreparedReport(scan, finish, searches, pass_count(query))


@dataclass(frozen=True, slots=True)
class _Compared:
    """The earlier range of a comparison."""

    earlier: Earlier
    range: TrafficRange


class _TrafficAnswer:
    """The answer to a question."""

    def __init__(
        self,
        query: TrafficQuery,
        scanned: TrafficRange,
        compared: _Compared | None,
        records: VisibleRecords,
        config: Config,
        now_us: int,
        cancel_token: core.CancelToken,
    ) -> None:
        self._query = query
        self._compared = compared
        self._records = records
        self._config = config
        self._now_us = now_us
        self._cancel_token = cancel_token
        self._notices = range_notices(scanned.bins, now_us, records, cancel_token)
        self._scans = self._scans_of(scanned)

    def of_all(self, clock: CallClock) -> Answer:
        """Returns all groups."""
        sums = HeldSums()
        try:
            sums.partials = self._scans.cells()
            clock.enter(Phase.FINISH)
            return self._answer(sums, None)
        finally:
            sums.clear()

    def of_top(self, top: Top, clock: CallClock) -> Answer:
        """Returns the groups of `top`, by one scan or by three."""
        sums = HeldSums()
        try:
            if self._has_all_groups(sums):
                clock.enter(Phase.FINISH)
                # An answer of more values than it may have would have as many after three scans.
                with suppress(*(() if self._scans.has_local_keys else (MemoryLimitError,))):
                    return self._of_one_scan(top, sums)
                sums.clear()
                clock.enter(Phase.STORE)
            return self._of_three_scans(top, sums, clock)
        finally:
            sums.clear()

    def _has_all_groups(self, sums: HeldSums) -> bool:
        """Scans all groups by bin; returns whether they fit, if others can be left out instead."""
        try:
            sums.partials = self._scans.cells()
        except MemoryLimitError:
            if self._scans.has_local_keys:
                raise
        except CellLimitError as error:
            if self._scans.has_local_keys:
                raise CellLimitError(f"{error}; {_LOCAL_KEYS_HINT}", **error.metadata) from None
        return sums.partials is not None

    def _of_one_scan(self, top: Top, sums: HeldSums) -> Answer:
        assert sums.partials is not None, "the scan has returned"
        figure, covered_us = self._query.columns[top.column].figure, self._scans.range.covered_us
        ranked = core.rank_groups(sums.partials, figure, covered_us, top.limit, top.ascending)
        return self._answer(sums, ranked, other=top.other)

    def _of_three_scans(self, top: Top, sums: HeldSums, clock: CallClock) -> Answer:
        ranked = self._scans.ranked(top)
        _select(self._scans, ranked, sums)
        clock.enter(Phase.FINISH)
        return self._answer(sums, ranked, other=top.other)

    def _answer(self, sums: HeldSums, ranked: core.RankedGroups | None, *, other: bool = False) -> Answer:
        assert sums.partials is not None, "the scan has returned"
        counts_nothing = sums.partials.is_empty and (sums.rest is None or sums.rest.is_empty)
        header = self._header(sums)
        earlier = HeldSums()
        try:
            data = core.traffic_response(
                sums.partials,
                sums.rest,
                header=header,
                limits=core.AnswerLimits(
                    self._cancel_token, self._config.answer_bytes_max, self._config.subtotal_count_max
                ),
                columns=self._query.columns,
                covered_us=self._scans.range.cells.covered_us,
                calendar_us=self._scans.range.bins.calendar_us,
                now_us=self._now_us,
                ranked=ranked,
                other=other,
                value_count_max=self._config.value_count_max,
                compared=self._compared_traffic(earlier, ranked),
            )
        finally:
            earlier.clear()
        search = _search(self._query, self._records)
        return Answer(data, search if counts_nothing and search.filters else None)

    def _header(self, sums: HeldSums) -> bytes:
        """Returns the head of the answer.

        Currencies are looked at after the amounts were added up, so that none is missed.
        """

        def total(measure: TrafficMeasure) -> int:
            return sums.total(self._query.measures.index(measure))

        query, scanned = self._query, self._scans.range
        missing = missing_notices(query, scanned.whole_of_instants.edge_us, total, self._scans.instants)
        look_back = look_back_us(query, self._config)
        notices = look_back_notices(self._notices, scanned.bins, look_back, self._records, self._cancel_token)
        return response.traffic_header(
            scanned.bins,
            query.granularity,
            query.zone,
            self._now_us,
            self._notices,
            [*notices, *missing],
            self._records.latest_setup_us(self._cancel_token),
        )

    def _compared_traffic(
        self, sums: HeldSums, ranked: core.RankedGroups | None
    ) -> core.ComparedTraffic | None:
        """Returns the earlier range, whose partials go to `sums`; None without a comparison."""
        if self._compared is None:
            return None
        scans = self._scans_of(self._compared.range)
        try:
            sums.partials = scans.cells()
        except (CellLimitError, MemoryLimitError):
            if ranked is None or scans.has_local_keys:
                raise
            _select(scans, ranked, sums)
        assert sums.partials is not None, "the scan has returned"
        bins, query = scans.range.bins, self._query
        require_one_earlier_currency(query, scans.range.whole_of_instants.edge_us, scans.instants)
        return core.ComparedTraffic(
            response.comparison_header(bins, query.granularity, query.zone, self._now_us),
            sums.partials,
            sums.rest,
            scans.range.cells.covered_us,
            bins.calendar_us,
            self._compared.earlier.pair,
        )

    def _scans_of(self, scanned: TrafficRange) -> TrafficScans:
        return TrafficScans(
            self._query, scanned, self._records, self._config, self._now_us, self._cancel_token
        )


def _select(scans: TrafficScans, ranked: core.RankedGroups, sums: HeldSums) -> None:
    """Scans for the groups of `top`, and for all others."""
    sums.partials = scans.winners(ranked)
    sums.rest = scans.others(ranked)


def _search(query: TrafficQuery, records: VisibleRecords) -> UnseenSearch:
    """Returns the search for values that no record carries."""
    values = tuple(FilterValues(each.field, each.column, each.values) for each in query.listed_values)
    return UnseenSearch(values, traffic_pb2.QueryTrafficResponse, records)
