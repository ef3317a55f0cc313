"""`ReportService`: the four reports, each on one screen: validate, bins, scan, finish.

A report is prepared first, up to its scan, so that its cost can be estimated, and then answered, which scans
the store and finishes the sums. Both run within the deadline of the call, whose token they get.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from pegcount import calendar, core, request, response
from pegcount.config import Config
from pegcount.model import ActiveQuery, FolderQuery, Measure, QualityQuery, Scan, UsageQuery
from pegcount.server.call_clock import CallClock, Phase
from pegcount.server.existence import check_exists
from pegcount.server.hidden_figures import figures_of
from pegcount.server.notices import date_notices, notice_scans, range_notices
from pegcount.server.prepared_report import Answer, Prepare, PreparedReport
from pegcount.server.quick_bins import require_few_bins, require_few_days
from pegcount.server.report_queries import ReportQueries
from pegcount.server.unseen_values import FilterValues, UnseenSearch, filter_values
from pegcount.server.visible_records import VisibleRecords
from pegcount.v1 import reports_pb2

_QUERIES: Final[Mapping[str, tuple[Any, Callable[..., Any]]]] = {
    "QueryAsrUsage": (reports_pb2.QueryAsrUsageRequest, request.usage_query),
    "QueryActiveSessions": (reports_pb2.QueryActiveSessionsRequest, request.active_query),
    "QueryFolderStats": (reports_pb2.QueryFolderStatsRequest, request.folder_query),
    "QueryOriginationQuality": (reports_pb2.QueryOriginationQualityRequest, request.quality_query),
}
"""The message of a request, and the function that turns it into a query, by method."""
_USAGE_FIELDS: Final = {"kind": "kind", "app_id": "app_ids", "comp_id": "comp_ids", "tenant_id": "tenant_ids"}
"""Filters whose values a report looks for if it counts nothing: fields of the request by column."""
_ACTIVE_FIELDS: Final = {name: f"filters.{name}" for name in request.FILTER_FIELDS}
_DECK_COLUMNS: Final = {
    f"{leg}_{name}" for leg in ("orig", "term") for name in ("rates_code", "rates_code_name")
}
"""Columns that a code deck supplies instead of the records."""
_COUNTRY_FIELDS: Final = {name: name for name in ("src_country_id", "dst_country_id")}


class ReportService:
    """Prepares the four reports."""

    def __init__(self, config: Config, clock: Callable[[], int]) -> None:
        """`clock` returns the current time in microseconds UTC."""
        self._config = config
        self._clock = clock
        self._queries = ReportQueries(config, _QUERIES)

    def reports(self) -> dict[str, Prepare]:
        """Returns the function that prepares a report, by the names of the methods."""
        return {
            "QueryAsrUsage": self.usage,
            "QueryActiveSessions": self.active,
            "QueryFolderStats": self.folder,
            "QueryOriginationQuality": self.quality,
        }

    def usage(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """Prepares the report of sessions per bin."""
        query: UsageQuery = self._queries.query("QueryAsrUsage", data, records, cancel_token.check)
        now_us = self._clock()
        require_few_bins(query, now_us, quick_bin_count_max)
        bins = calendar.usage_bins(query, now_us, self._config.bin_count_max)
        scan = Scan(bins.edge_us, query.predicates, (), Measure("sessions"))
        values = filter_values(query.predicates, _USAGE_FIELDS)
        search = UnseenSearch(values, reports_pb2.QueryAsrUsageResponse, records)

        def finish(cancel_token: core.CancelToken, clock: CallClock) -> Answer:
            notices = range_notices(bins, now_us, records, cancel_token)
            build = partial(
                core.usage_response,
                header=response.usage_header(bins, query.granularity, query.zone, now_us, notices),
                limits=self._limits(cancel_token),
                edges=bins.edge_us,
                warmup_bin_count=bins.warmup_count,
                sma_period=query.sma_period,
                now_us=now_us,
                zone=query.zone,
            )
            return self._answer(build, scan, records, search, cancel_token, clock)

        return PreparedReport(scan, finish, notice_scans(bins, records))

    def active(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """Prepares the report of calls in progress per group, which has one bin."""
        query: ActiveQuery = self._queries.query("QueryActiveSessions", data, records, cancel_token.check)
        now_us = self._clock()
        # Where the clock is behind the store's, the report counts from its own instant, `as_of`.
        predicates = query.predicates_at(min(now_us, records.session_now_us))
        scan = Scan(None, predicates, query.key_columns, Measure("elapsed", now_us), query.code_deck)

        search = UnseenSearch(_active_values(query), reports_pb2.QueryActiveSessionsResponse, records)

        def finish(cancel_token: core.CancelToken, clock: CallClock) -> Answer:
            build = partial(
                core.active_response,
                header=response.active_header(query.zone, now_us),
                limits=self._limits(cancel_token),
                fields=query.fields,
                order=query.order,
                limit=query.limit,
                rollup=query.rollup,
                zone=query.zone,
            )
            return self._answer(build, scan, records, search, cancel_token, clock)

        pass_count = max(1, len(query.key_columns)) if query.rollup else 1
        return PreparedReport(scan, finish, pass_count=pass_count)

    def folder(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """Prepares the report of calls per day, folder and agent."""
        query: FolderQuery = self._queries.query("QueryFolderStats", data, records, cancel_token.check)
        now_us = self._clock()
        from_date, to_date = query.dates_at(now_us)
        require_few_days(from_date, to_date, quick_bin_count_max)
        bins = calendar.folder_bins(query, now_us, self._config.bin_count_max)
        scan = Scan(bins.edge_us, query.predicates, ("folder", "agent_id"), Measure("calls"))
        figures = figures_of(records.data_scope)

        def finish(cancel_token: core.CancelToken, clock: CallClock) -> Answer:
            check_exists(query, records, cancel_token)
            notices = date_notices(bins, from_date > to_date, records, cancel_token)
            build = partial(
                core.folder_response,
                header=response.folder_header(bins, query.zone, now_us, notices, figures.hidden_of_folders),
                limits=self._limits(cancel_token),
                edges=bins.edge_us,
                zone=query.zone,
                with_answers=figures.answers,
                with_durations=figures.durations,
            )
            # A company, organization or folder that no record carries is refused.
            return self._answer(build, scan, records, None, cancel_token, clock)

        searches = (*records.value_scans(query.predicates), *notice_scans(bins, records))
        return PreparedReport(scan, finish, searches)

    def quality(
        self,
        data: bytes,
        records: VisibleRecords,
        cancel_token: core.CancelToken,
        quick_bin_count_max: int | None = None,
    ) -> PreparedReport:
        """Prepares the report of calls, ACD, ASR and CPS of one account per bin."""
        method = "QueryOriginationQuality"
        query: QualityQuery = self._queries.query(method, data, records, cancel_token.check)
        now_us = self._clock()
        require_few_bins(query, now_us, quick_bin_count_max)
        bins = calendar.quality_bins(query, now_us, self._config.bin_count_max)
        scan = Scan(bins.edge_us, query.predicates, (), Measure("calls"))
        figures = figures_of(records.data_scope)
        values = filter_values(query.predicates, {"account_id": query.account_field, **_COUNTRY_FIELDS})
        search = UnseenSearch(values, reports_pb2.QueryOriginationQualityResponse, records)

        def finish(cancel_token: core.CancelToken, clock: CallClock) -> Answer:
            notices = range_notices(bins, now_us, records, cancel_token)
            build = partial(
                core.quality_response,
                header=response.quality_header(
                    bins, query.granularity, query.zone, now_us, notices, figures.hidden_of_quality
                ),
                limits=self._limits(cancel_token),
                clipped_us=bins.edge_us,
                calendar_us=bins.calendar_us,
                with_answers=figures.answers,
                with_durations=figures.durations,
            )
            return self._answer(build, scan, records, search, cancel_token, clock)

        return PreparedReport(scan, finish, notice_scans(bins, records))

    def _limits(self, cancel_token: core.CancelToken) -> core.AnswerLimits:
        return core.AnswerLimits(cancel_token, self._config.answer_bytes_max, self._config.subtotal_count_max)

    def _answer(
        self,
        build: Callable[[core.Partials], bytes],
        scan: Scan,
        records: VisibleRecords,
        search: UnseenSearch | None,
        cancel_token: core.CancelToken,
        clock: CallClock,
    ) -> Answer:
        """Scans the records and builds the response of the partials."""
        partials = records.partials(scan, self._config.cell_count_max, cancel_token)
        clock.enter(Phase.FINISH)
        try:
            counts_nothing = not partials.sums[:, 0].any()
            has_search = counts_nothing and search is not None and search.filters
            return Answer(build(partials), search if has_search else None)
        finally:
            # The traceback of an error has this frame, which would keep the partials in memory.
            del partials


def _active_values(query: ActiveQuery) -> tuple[FilterValues, ...]:
    """Returns the values to look for; those of a code deck are in no record."""
    values = filter_values(query.predicates, _ACTIVE_FIELDS)
    return tuple(each for each in values if query.code_deck is None or each.column not in _DECK_COLUMNS)
