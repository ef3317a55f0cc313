"""`ReportService`: takes each request through query, bins, scan and response.

A report is prepared first, which validates its request, and then answered, which scans the store.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pegcount import calendar, core, request, response
from pegcount.config import Config
from pegcount.model import Bins, Granularity, Measure, QualityQuery, Scan, UsageQuery
from pegcount.server.existence import check_exists
from pegcount.store import Store
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY

_US_PER_MINUTE = 60_000_000
_BIN_US = {
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


@dataclass(frozen=True, slots=True)
class PreparedReport:
    """A valid report that has not been answered yet."""

    scan: Scan
    answer: Callable[[core.CancelToken], bytes]
    """Scans the store and returns the serialized response.

    Raises the errors of `Store.partials` and of the core's response functions, and NotFoundError. No frame
    of it holds the partials, which a traceback would keep in memory.
    """
    search: Scan | None = None
    """What `answer` also searches for single records; None if it does not."""
    pass_count: int = 1
    """How often `answer` goes through all groups."""


Prepare = Callable[[bytes, core.CancelToken], PreparedReport]
"""Validates a serialized request.

Raises RequestTooLargeError, MalformedMessageError or InvalidRequestError, and CancelledError or DeadlineError
on behalf of the token.
"""


class ManyBinsError(Exception):
    """A report has too many bins to be prepared on the event loop."""


class ReportService:
    """Prepares the four reports."""

    def __init__(
        self, config: Config, store: Store, clock: Callable[[], int], quick_bin_count_max: int | None = None
    ) -> None:
        """`clock` returns the current time in microseconds UTC.

        With `quick_bin_count_max`, a report of about more bins raises ManyBinsError before it makes them.
        """
        self._quick_bin_count_max = quick_bin_count_max
        self._config = config
        self._store = store
        self._clock = clock
        self._usage_query = self._cached(reports_pb2.QueryAsrUsageRequest, request.usage_query)
        self._quality_query = self._cached(reports_pb2.QueryOriginationQualityRequest, request.quality_query)

    def reports(self) -> dict[str, Prepare]:
        """Returns the function that prepares a report, by the names of the methods."""
        return {
            "QueryAsrUsage": self.usage,
            "QueryActiveSessions": self.active,
            "QueryFolderStats": self.folder,
            "QueryOriginationQuality": self.quality,
        }

    def usage(self, data: bytes, cancel_token: core.CancelToken) -> PreparedReport:
        """Prepares the report of sessions per bin."""
        query = self._usage_query(data, cancel_token.check)
        now_us = self._clock()
        self._require_few_bins(query, now_us)
        bins = calendar.usage_bins(query, now_us, self._config.bin_count_max)
        scan = Scan(bins.edge_us, query.predicates, (), Measure("sessions"))

        def answer(cancel_token: core.CancelToken) -> bytes:
            notices = self._notices(bins, now_us)
            return core.usage_response(
                self._partials(scan, cancel_token),
                header=response.usage_header(bins, query.granularity, query.zone, now_us, notices),
                limits=self._limits(cancel_token),
                edges=bins.edge_us,
                warmup_bin_count=bins.warmup_count,
                sma_period=query.sma_period,
                now_us=now_us,
                zone=query.zone,
            )

        return PreparedReport(scan, answer)

    def active(self, data: bytes, cancel_token: core.CancelToken) -> PreparedReport:
        """Prepares the report of calls in progress per group."""
        now_us = self._clock()
        message = self._parse(reports_pb2.QueryActiveSessionsRequest, data, cancel_token.check)
        # Where the clock is behind the store's, the report counts from its own instant, `as_of`.
        session_now_us = min(now_us, self._store.session_now_us)
        query = request.active_query(message, calendar, self._config, session_now_us, cancel_token.check)
        scan = Scan(None, query.predicates, query.key_columns, Measure("elapsed", now_us), query.code_deck)

        def answer(cancel_token: core.CancelToken) -> bytes:
            return core.active_response(
                self._partials(scan, cancel_token),
                header=response.active_header(query.zone, now_us),
                limits=self._limits(cancel_token),
                fields=query.fields,
                order=query.order,
                limit=query.limit,
                rollup=query.rollup,
                zone=query.zone,
            )

        pass_count = max(1, len(query.key_columns)) if query.rollup else 1
        return PreparedReport(scan, answer, pass_count=pass_count)

    def folder(self, data: bytes, cancel_token: core.CancelToken) -> PreparedReport:
        """Prepares the report of calls per day, folder and agent."""
        now_us = self._clock()
        message = self._parse(reports_pb2.QueryFolderStatsRequest, data, cancel_token.check)
        query = request.folder_query(message, calendar, self._config, now_us, cancel_token.check)
        self._require_few((query.to_date - query.from_date) * US_PER_DAY, US_PER_DAY)
        bins = calendar.folder_bins(query, self._config.bin_count_max)
        scan = Scan(bins.edge_us, query.predicates, ("folder", "agent_id"), Measure("calls"))

        def answer(cancel_token: core.CancelToken) -> bytes:
            check_exists(query, self._store, cancel_token)
            is_reversed = query.from_date > query.to_date
            reversed_range = [reports_pb2.NOTICE_CODE_RANGE_REVERSED]
            notices = reversed_range if is_reversed else self._old_data_notices(bins)
            return core.folder_response(
                self._partials(scan, cancel_token),
                header=response.folder_header(bins, query.zone, now_us, notices),
                limits=self._limits(cancel_token),
                edges=bins.edge_us,
                zone=query.zone,
            )

        # Its scan and its searches read at most the rows of the company, once each.
        search = Scan(None, query.predicates[:1], (), Measure("calls"))
        return PreparedReport(scan, answer, search=search)

    def quality(self, data: bytes, cancel_token: core.CancelToken) -> PreparedReport:
        """Prepares the report of calls, ACD, ASR and CPS of one account per bin."""
        query = self._quality_query(data, cancel_token.check)
        now_us = self._clock()
        self._require_few_bins(query, now_us)
        bins = calendar.quality_bins(query, now_us, self._config.bin_count_max)
        scan = Scan(bins.edge_us, query.predicates, (), Measure("calls"))

        def answer(cancel_token: core.CancelToken) -> bytes:
            notices = self._notices(bins, now_us)
            return core.quality_response(
                self._partials(scan, cancel_token),
                header=response.quality_header(bins, query.granularity, query.zone, now_us, notices),
                limits=self._limits(cancel_token),
                clipped_us=bins.edge_us,
                calendar_us=bins.calendar_us,
            )

        return PreparedReport(scan, answer)

    def _cached(
        self, message_class: Any, make_query: Callable[..., Any]
    ) -> Callable[[bytes, request.Check], Any]:
        """Returns the function that parses a request into a query which depends on the request alone."""

        def read(data: bytes, check: request.Check) -> Any:
            return make_query(self._parse(message_class, data, check), calendar, self._config, check)

        tuning = self._config.tuning
        # Dashboards repeat their requests, and a cache hit takes a tenth of the time of `read`. A short
        # request is not worth cancelling, so that nothing of the call gets into the cache.
        cached = lru_cache(tuning.query_cache_entry_count)(lambda data: read(data, request.never_ends))

        def read_or_cached(data: bytes, check: request.Check) -> Any:
            check()
            return cached(data) if len(data) <= tuning.cached_request_bytes_max else read(data, check)

        return read_or_cached

    def _parse(self, message_class: Any, data: bytes, check: request.Check) -> Any:
        """Parses a request; calls `check` before and after, and counts the lists of a long one first."""
        check()
        request.check_size(data, self._config.report_request_bytes_max)
        if len(data) > self._config.tuning.uncounted_request_bytes_max:
            lists = request.list_fields(message_class)
            counts, field_count = core.count_lists(data, lists)
            request.check_counts(lists, counts, self._config)
            request.check_field_count(field_count, self._config)
        message = request.parse(message_class, data, self._config.report_request_bytes_max)
        check()
        return message

    def _limits(self, cancel_token: core.CancelToken) -> core.AnswerLimits:
        return core.AnswerLimits(cancel_token, self._config.answer_bytes_max, self._config.subtotal_count_max)

    def _require_few_bins(self, query: UsageQuery | QualityQuery, now_us: int) -> None:
        to_us = now_us if query.to_us is None else query.to_us
        self._require_few(to_us - query.from_us, _BIN_US[query.granularity])

    def _require_few(self, span_us: int, bin_us: int) -> None:
        if self._quick_bin_count_max is not None and span_us > self._quick_bin_count_max * bin_us:
            raise ManyBinsError

    def _partials(self, scan: Scan, cancel_token: core.CancelToken) -> core.Partials:
        return self._store.partials(scan, self._config.cell_count_max, cancel_token)

    def _notices(self, bins: Bins, now_us: int) -> list[reports_pb2.NoticeCode]:
        return (
            [reports_pb2.NOTICE_CODE_FROM_IN_FUTURE]
            if bins.from_us >= now_us
            else self._old_data_notices(bins)
        )

    def _old_data_notices(self, bins: Bins) -> list[reports_pb2.NoticeCode]:
        first_day = self._store.first_day()
        if first_day is None or bins.is_empty or bins.edge_us[0] >= first_day * US_PER_DAY:
            return []
        return [reports_pb2.NOTICE_CODE_BEFORE_RETENTION]
