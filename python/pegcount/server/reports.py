"""`ReportService`: each method is the way of one request through the steps."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from pegcount import calendar, core, request, response
from pegcount.config import Config
from pegcount.errors import AnswerTooLargeError, DeadlineError, QueryTimeLimitError
from pegcount.model import Bins, Measure, QualityQuery, Scan, UsageQuery
from pegcount.server.existence import check_exists
from pegcount.store import Store
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_DAY

_Handler: TypeAlias = "grpc.RpcMethodHandler[Message, bytes]"
_SERVICE = reports_pb2.DESCRIPTOR.services_by_name["ReportService"]

_QUERIES: dict[str, Callable[[Any, Any, Config], object]] = {
    "QueryAsrUsage": request.usage_query,
    "QueryOriginationQuality": request.quality_query,
}
"""What requests mean whenever they are asked; those of the other methods depend on the time too."""
_QUERY_CACHE_SIZE = 256
_CACHED_REQUEST_BYTES_MAX = 4_096
"""Longer requests, which are rare, are read anew each time, so that the cached ones take little memory."""


class ReportService:
    """Answers the four reports, each with the bytes of its response message."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], int]) -> None:
        """`clock` gives now in microseconds UTC."""
        self._config = config
        self._store = store
        self._clock = clock

    def deserializer(self, method: MethodDescriptor) -> Callable[[bytes], Any]:
        """Reads the bytes of a request: the query where it depends on nothing else, else the message."""
        message_of = GetMessageClass(method.input_type).FromString
        query_of = _QUERIES.get(method.name)
        if query_of is None:
            return message_of

        def read(data: bytes) -> object:
            return query_of(message_of(data), calendar, self._config)

        # The same is asked again and again, and to look a query up takes a tenth of making it.
        cached = lru_cache(_QUERY_CACHE_SIZE)(read)
        return lambda data: cached(data) if len(data) <= _CACHED_REQUEST_BYTES_MAX else read(data)

    def QueryAsrUsage(self, query: UsageQuery, context: grpc.ServicerContext) -> bytes:
        """Sessions per bin."""
        now_us = self._clock()
        bins = calendar.usage_bins(query, now_us, self._config.bin_count_max)
        with _Call(context, self._config) as call:
            sums = self._partials(Scan(bins.edge_us, query.predicates, (), Measure("sessions")), call)
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
        return call.checked(answer)

    def QueryActiveSessions(
        self, message: reports_pb2.QueryActiveSessionsRequest, context: grpc.ServicerContext
    ) -> bytes:
        """Calls in progress."""
        now_us = self._clock()
        query = request.active_query(message, calendar, self._config, now_us)
        scan = Scan(None, query.predicates, query.key_columns, Measure("elapsed", now_us), query.code_deck)
        with _Call(context, self._config) as call:
            body = core.active_response(
                self._partials(scan, call),
                fields=query.fields,
                order=query.order,
                limit=query.limit,
                rollup=query.rollup,
                zone=query.zone,
            )
        return call.checked(response.active(body, query.zone, now_us))

    def QueryFolderStats(
        self, message: reports_pb2.QueryFolderStatsRequest, context: grpc.ServicerContext
    ) -> bytes:
        """Calls per day and folder."""
        now_us = self._clock()
        query = request.folder_query(message, calendar, self._config, now_us)
        bins = calendar.folder_bins(query, self._config.bin_count_max)
        with _Call(context, self._config) as call:
            check_exists(query, self._store, call.cancel_token)
            scan = Scan(bins.edge_us, query.predicates, ("folder", "agent_id"), Measure("calls"))
            body = core.folder_response(
                self._partials(scan, call),
                edges=bins.edge_us,
                zone=query.zone,
            )
        reversed_range = query.from_date > query.to_date
        notices = [reports_pb2.NOTICE_CODE_RANGE_REVERSED] if reversed_range else self._before_retention(bins)
        return call.checked(response.folder(body, bins, query.zone, now_us, notices))

    def QueryOriginationQuality(self, query: QualityQuery, context: grpc.ServicerContext) -> bytes:
        """Calls, ACD, ASR and CPS of one account per bin."""
        now_us = self._clock()
        bins = calendar.quality_bins(query, now_us, self._config.bin_count_max)
        with _Call(context, self._config) as call:
            sums = self._partials(Scan(bins.edge_us, query.predicates, (), Measure("calls")), call)
            body = core.quality_response(sums, clipped_us=bins.edge_us, calendar_us=bins.calendar_us)
        notices = self._notices(bins, now_us)
        answer = response.quality(body, bins, query.granularity, query.zone, now_us, notices)
        return call.checked(answer)

    def _partials(self, scan: Scan, call: "_Call") -> core.Partials:
        return self._store.partials(scan, self._config.cell_count_max, call.cancel_token)

    def _notices(self, bins: Bins, now_us: int) -> list[reports_pb2.NoticeCode]:
        return (
            [reports_pb2.NOTICE_CODE_FROM_IN_FUTURE]
            if bins.from_us >= now_us
            else self._before_retention(bins)
        )

    def _before_retention(self, bins: Bins) -> list[reports_pb2.NoticeCode]:
        first_day = self._store.first_day()
        if first_day is None or bins.is_empty or bins.edge_us[0] >= first_day * US_PER_DAY:
            return []
        return [reports_pb2.NOTICE_CODE_BEFORE_RETENTION]


def add_report_service(service: ReportService, server: grpc.Server) -> None:
    """Adds the service; its answers are bytes already."""
    handlers = {method.name: _handler(service, method) for method in _SERVICE.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers),))


def _handler(service: ReportService, method: MethodDescriptor) -> _Handler:
    return grpc.unary_unary_rpc_method_handler(
        getattr(service, method.name),
        request_deserializer=service.deserializer(method),
        response_serializer=None,
    )


class _Call:
    """The time that a call may take: work in its block ends with the call, or at the server's limit."""

    def __init__(self, context: grpc.ServicerContext, config: Config) -> None:
        self._config = config
        self._remaining_s = context.time_remaining()
        limit_s = config.query_seconds_max
        self.cancel_token = core.CancelToken(
            limit_s if self._remaining_s is None else min(limit_s, self._remaining_s)
        )
        if not context.add_callback(self.cancel_token.cancel):
            self.cancel_token.cancel()

    def __enter__(self) -> "_Call":
        return self

    def __exit__(self, _: object, error: object, __: object) -> None:
        limit_s = self._config.query_seconds_max
        if isinstance(error, DeadlineError) and (self._remaining_s is None or self._remaining_s > limit_s):
            raise QueryTimeLimitError(
                f"the query ran longer than {limit_s:g} s", limit_seconds=limit_s
            ) from error

    def checked(self, answer: bytes) -> bytes:
        """The answer, if one message can carry it."""
        asked, allowed = len(answer), self._config.answer_bytes_max
        if asked > allowed:
            message = f"the answer has {asked} bytes; {allowed} are allowed: shorten the range"
            raise AnswerTooLargeError(message, asked=asked, allowed=allowed)
        return answer
