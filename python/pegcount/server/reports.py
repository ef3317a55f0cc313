"""`ReportService`: each method takes one request through query, bins, scan and response."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pegcount import calendar, core, request, response
from pegcount.config import Config
from pegcount.errors import AnswerTooLargeError
from pegcount.model import Bins, Measure, QualityQuery, Scan, UsageQuery
from pegcount.server.deadline import QueryDeadline
from pegcount.server.existence import check_exists
from pegcount.store import Store
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY

_Handler: TypeAlias = "grpc.RpcMethodHandler[Message, bytes]"
_SERVICE = reports_pb2.DESCRIPTOR.services_by_name["ReportService"]

_CACHEABLE_QUERIES: dict[str, Callable[[Any, Any, Config], object]] = {
    "QueryAsrUsage": request.usage_query,
    "QueryOriginationQuality": request.quality_query,
}
"""Functions that build the queries that do not depend on the current time, by method."""


class ReportService:
    """Answers the four reports, each with the serialized response message."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], int]) -> None:
        """`clock` returns the current time in microseconds UTC."""
        self._config = config
        self._store = store
        self._clock = clock

    def deserializer(self, method: MethodDescriptor) -> Callable[[bytes], Any]:
        """Returns the function that deserializes the requests of a method.

        It returns a query, which it caches, if the query depends on the request alone; else a message.
        """
        parse = GetMessageClass(method.input_type).FromString
        make_query = _CACHEABLE_QUERIES.get(method.name)
        if make_query is None:
            return parse

        def read(data: bytes) -> object:
            return make_query(parse(data), calendar, self._config)

        tuning = self._config.tuning
        # Dashboards repeat their requests, and a cache hit takes a tenth of the time of `read`.
        cached = lru_cache(tuning.query_cache_entry_count)(read)
        return lambda data: cached(data) if len(data) <= tuning.cached_request_bytes_max else read(data)

    def QueryAsrUsage(self, query: UsageQuery, context: grpc.ServicerContext) -> bytes:
        """Answers with the sessions per bin."""
        now_us = self._clock()
        bins = calendar.usage_bins(query, now_us, self._config.bin_count_max)
        with QueryDeadline(context, self._config) as deadline:
            sums = self._partials(Scan(bins.edge_us, query.predicates, (), Measure("sessions")), deadline)
            body = core.usage_response(
                sums,
                edges=bins.edge_us,
                warmup_bin_count=bins.warmup_count,
                sma_period=query.sma_period,
                now_us=now_us,
                zone=query.zone,
            )
        notices = self._notices(bins, now_us)
        answer = response.usage(body, bins, query.granularity, query.zone, now_us, notices)
        return self._check_size(answer)

    def QueryActiveSessions(
        self, message: reports_pb2.QueryActiveSessionsRequest, context: grpc.ServicerContext
    ) -> bytes:
        """Answers with the calls in progress per group."""
        now_us = self._clock()
        query = request.active_query(message, calendar, self._config, now_us)
        scan = Scan(None, query.predicates, query.key_columns, Measure("elapsed", now_us), query.code_deck)
        with QueryDeadline(context, self._config) as deadline:
            body = core.active_response(
                self._partials(scan, deadline),
                fields=query.fields,
                order=query.order,
                limit=query.limit,
                rollup=query.rollup,
                zone=query.zone,
            )
        return self._check_size(response.active(body, query.zone, now_us))

    def QueryFolderStats(
        self, message: reports_pb2.QueryFolderStatsRequest, context: grpc.ServicerContext
    ) -> bytes:
        """Answers with the calls per day, folder and agent."""
        now_us = self._clock()
        query = request.folder_query(message, calendar, self._config, now_us)
        bins = calendar.folder_bins(query, self._config.bin_count_max)
        with QueryDeadline(context, self._config) as deadline:
            check_exists(query, self._store, deadline.cancel_token)
            scan = Scan(bins.edge_us, query.predicates, ("folder", "agent_id"), Measure("calls"))
            body = core.folder_response(
                self._partials(scan, deadline),
                edges=bins.edge_us,
                zone=query.zone,
            )
        reversed_range = query.from_date > query.to_date
        notices = [reports_pb2.NOTICE_CODE_RANGE_REVERSED] if reversed_range else self._old_data_notices(bins)
        return self._check_size(response.folder(body, bins, query.zone, now_us, notices))

    def QueryOriginationQuality(self, query: QualityQuery, context: grpc.ServicerContext) -> bytes:
        """Answers with the calls, ACD, ASR and CPS of one account per bin."""
        now_us = self._clock()
        bins = calendar.quality_bins(query, now_us, self._config.bin_count_max)
        with QueryDeadline(context, self._config) as deadline:
            sums = self._partials(Scan(bins.edge_us, query.predicates, (), Measure("calls")), deadline)
            body = core.quality_response(sums, clipped_us=bins.edge_us, calendar_us=bins.calendar_us)
        notices = self._notices(bins, now_us)
        answer = response.quality(body, bins, query.granularity, query.zone, now_us, notices)
        return self._check_size(answer)

    def _check_size(self, answer: bytes) -> bytes:
        """Returns the answer; raises AnswerTooLargeError if it exceeds `answer_bytes_max`."""
        asked, allowed = len(answer), self._config.answer_bytes_max
        if asked > allowed:
            message = f"the answer has {asked} bytes; {allowed} are allowed: shorten the range"
            raise AnswerTooLargeError(message, asked=asked, allowed=allowed)
        return answer

    def _partials(self, scan: Scan, deadline: QueryDeadline) -> core.Partials:
        return self._store.partials(scan, self._config.cell_count_max, deadline.cancel_token)

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


def add_report_service(service: ReportService, server: grpc.Server) -> None:
    """Adds the service to the server; its methods return serialized messages."""
    handlers = {method.name: _handler(service, method) for method in _SERVICE.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers),))


def _handler(service: ReportService, method: MethodDescriptor) -> _Handler:
    return grpc.unary_unary_rpc_method_handler(
        getattr(service, method.name),
        request_deserializer=service.deserializer(method),
        response_serializer=None,
    )
