"""`client` for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar, Unpack

import grpc
from pegcount.v1 import (
    admin_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    reports_pb2_grpc,
    traffic_pb2_grpc,
)

from pegcount_client.arguments import seconds
from pegcount_client.async_batch_sender import AsyncBatchSender, is_cancelled
from pegcount_client.async_record_writer import AsyncRecordWriter
from pegcount_client.async_traffic_watch import AsyncTrafficWatch
from pegcount_client.channel import DEFAULT_TIMEOUT_SECONDS, ChannelSettings, Tls
from pegcount_client.client import LOOK_SECONDS
from pegcount_client.credential import AsyncToken
from pegcount_client.errors import PegcountError, call_error, status_of
from pegcount_client.lifetime import Lifetime, closed_client
from pegcount_client.queries import (
    ActiveSessionsQuery,
    AsrUsageQuery,
    FeedHealthQuery,
    FolderStatsQuery,
    OriginationQualityQuery,
    TrafficQuery,
    TrafficWatchQuery,
)
from pegcount_client.reports import (
    ActiveSessions,
    AsrUsage,
    FeedHealth,
    FolderStats,
    OriginationQuality,
    Traffic,
)
from pegcount_client.requests import (
    active_sessions_request,
    asr_usage_request,
    feed_health_request,
    folder_stats_request,
    origination_quality_request,
    traffic_request,
    traffic_watch_request,
)
from pegcount_client.retry import LimitRetries, Retries, RetryPolicy
from pegcount_client.signatures import check_keywords, takes_query
from pegcount_client.write_summary import Rejection, WriteSummary
from pegcount_client.writer_arguments import checked_policy

_AnswerT = TypeVar("_AnswerT")


class AsyncClient:
    """Calls one server from the event loop in which it was made; its tasks may share it.

    Leave its block, or close it, to end its connection. Raises ValueError for settings that cannot work; see
    `ChannelSettings`, which documents them. Raises RuntimeError outside an event loop.
    """

    reports: Any
    """The raw calls of reports: messages of `pegcount.v1.reports_pb2`, errors as grpc.aio.AioRpcError."""
    admin: Any
    """The raw administrative calls: messages of `pegcount.v1.admin_pb2`, errors as grpc.aio.AioRpcError."""
    records: Any
    """The raw stream of records, which neither batches nor retries; `write_records` does."""

    def __init__(
        self,
        address: str,
        *,
        tls: Tls | bool = False,
        api_key: str | None = None,
        token: AsyncToken | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        retry: bool = True,
        keepalive_seconds: float | None = 30.0,
        keepalive_timeout_seconds: float = 10.0,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        settings = ChannelSettings(
            address=address,
            tls=tls,
            api_key=api_key,
            token=token,
            timeout=timeout,
            retry=retry,
            keepalive_seconds=keepalive_seconds,
            keepalive_timeout_seconds=keepalive_timeout_seconds,
            options=options,
        )
        require_event_loop()
        self._address = address
        self._timeout = timeout
        self._renews_credential = settings.credential().is_renewed
        self._retry = retry
        self._write_policy = RetryPolicy() if retry else RetryPolicy(count_max=0)
        self._lifetime = Lifetime()
        self._channel = settings.open_async(self._lifetime)
        self.reports = reports_pb2_grpc.ReportServiceStub(self._channel)
        self.traffic_questions = traffic_pb2_grpc.TrafficServiceStub(self._channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(self._channel)
        self.records = records_pb2_grpc.RecordServiceStub(self._channel)

    @takes_query(AsrUsageQuery)
    async def asr_usage(self, *, timeout: float | None = None, **query: Unpack[AsrUsageQuery]) -> AsrUsage:
        """Returns sessions per bin; see `Client.asr_usage`."""
        request = asr_usage_request(query)
        answer = await self.call(self.reports.QueryAsrUsage, request, timeout=timeout)
        return AsrUsage.from_response(answer)

    @takes_query(ActiveSessionsQuery)
    async def active_sessions(
        self, *, timeout: float | None = None, **query: Unpack[ActiveSessionsQuery]
    ) -> ActiveSessions:
        """Returns the calls in progress; see `Client.active_sessions`."""
        request = active_sessions_request(query)
        answer = await self.call(self.reports.QueryActiveSessions, request, timeout=timeout)
        return ActiveSessions.from_response(answer, request.return_fields)

    @takes_query(FolderStatsQuery)
    async def folder_stats(
        self, *, timeout: float | None = None, **query: Unpack[FolderStatsQuery]
    ) -> FolderStats:
        """Returns calls and their mean duration per day, folder and agent; see `Client.folder_stats`."""
        request = folder_stats_request(query)
        answer = await self.call(self.reports.QueryFolderStats, request, timeout=timeout)
        return FolderStats.from_response(answer)

    @takes_query(OriginationQualityQuery)
    async def origination_quality(
        self, *, timeout: float | None = None, **query: Unpack[OriginationQualityQuery]
    ) -> OriginationQuality:
        """Returns calls, ACD, ASR and CPS per bin; see `Client.origination_quality`."""
        request = origination_quality_request(query)
        answer = await self.call(self.reports.QueryOriginationQuality, request, timeout=timeout)
        return OriginationQuality.from_response(answer)

    @takes_query(TrafficQuery)
    async def traffic(self, *, timeout: float | None = None, **query: Unpack[TrafficQuery]) -> Traffic:
        """Returns any figures of calls, by any dimensions; see `Client.traffic`."""
        request = traffic_request(query)
        answer = await self.call(self.traffic_questions.QueryTraffic, request, timeout=timeout)
        return Traffic.from_response(answer, request)

    def watch_traffic(
        self, *, retry: RetryPolicy | None = None, **query: Unpack[TrafficWatchQuery]
    ) -> AsyncTrafficWatch:
        """Returns a watch, to be used in an `async with` block; see `Client.watch_traffic`."""
        check_keywords("watch_traffic", TrafficWatchQuery, (), query)
        self._lifetime.require_open()
        policy = self._write_policy if retry is None else checked_policy(retry)
        retries = Retries(policy, renews_credential=self._renews_credential)
        request, watch = traffic_watch_request(query), self.traffic_questions.WatchTraffic
        return AsyncTrafficWatch(watch, request, self._address, retries, self._lifetime)

    @takes_query(FeedHealthQuery)
    async def feed_health(
        self, *, timeout: float | None = None, **query: Unpack[FeedHealthQuery]
    ) -> FeedHealth:
        """Returns how well sources feed the service; see `Client.feed_health`."""
        request = feed_health_request(query)
        answer = await self.call(self.traffic_questions.QueryFeedHealth, request, timeout=timeout)
        return FeedHealth.from_response(answer)

    def write_records(
        self,
        *,
        batch_record_max: int = 1_000,
        unanswered_batch_max: int = 8,
        correct: bool = False,
        on_rejected: Callable[[Rejection], Awaitable[None] | None] | None = None,
        progress: Callable[[WriteSummary], Awaitable[None] | None] | None = None,
        retry: RetryPolicy | None = None,
    ) -> AsyncRecordWriter:
        """Returns a writer of records, to be used in an `async with` block.

        A batch has at most `batch_record_max` records and 1 MiB; `write` waits while `unanswered_batch_max`
        batches are unanswered. With `correct`, records take the place of what is stored of their calls.
        Without `retry`, the policy is the default one, or to retry nothing if the client has `retry=False`.
        `on_rejected` gets each record that the server did not take, `progress` the figures after each answer.
        Raises ValueError for limits that cannot work, TypeError for arguments of other types, PegcountError
        for a closed client. The server need not be there yet.
        """
        return AsyncRecordWriter(
            self.batch_sender(retry),
            batch_record_max=batch_record_max,
            unanswered_batch_max=unanswered_batch_max,
            correct=correct,
            on_rejected=on_rejected,
            progress=progress,
        )

    def batch_sender(self, retry: RetryPolicy | None = None) -> AsyncBatchSender:
        """Returns what sends serialized batches, for callers that make and bound them themselves.

        `retry` as in `write_records`.
        """
        self._lifetime.require_open()
        policy = self._write_policy if retry is None else checked_policy(retry)
        retries = Retries(policy, renews_credential=self._renews_credential)
        return AsyncBatchSender(self._channel, self._address, retries)

    async def call(
        self, method: Callable[..., Awaitable[_AnswerT]], request: object, *, timeout: float | None = None
    ) -> _AnswerT:
        """Calls a method of a raw stub, such as `client.admin.GetStoreInfo`; raises PegcountError.

        A call that a limit of the credential refuses waits, as the server says, and is made again if there is
        time for it, unless the client has `retry=False`.

        `timeout` is in seconds. None: that of the client. Raises TypeError or ValueError for one that cannot
        be.
        """
        if timeout is not None:
            seconds("timeout", timeout)
        given = self._timeout if timeout is None else timeout
        tries = LimitRetries(given, retry=self._retry)
        try:
            while True:
                try:
                    return await method(request, timeout=tries.remaining_seconds())
                except grpc.RpcError as error:
                    failure = await self._error(error, given)
                    failure.__cause__ = error
                    wait_seconds = tries.wait_seconds(failure)
                await asyncio.sleep(wait_seconds)
        except asyncio.CancelledError as error:
            # The end of a connection cancels its calls, as if somebody had cancelled their tasks.
            if is_cancelled() or not self._lifetime.is_closed:
                raise
            raise closed_client() from error

    async def close(self) -> None:
        """Ends the connection, and all calls of it; can be repeated."""
        self._lifetime.is_closed = True
        await self._channel.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._address}{', closed' if self._lifetime.is_closed else ''}>"

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _error(self, error: grpc.RpcError, timeout: float | None) -> PegcountError:
        failure = call_error(error, self._address, timeout)
        if self._lifetime.is_closed and failure.code is grpc.StatusCode.CANCELLED:
            return closed_client()
        if failure.code is not grpc.StatusCode.DEADLINE_EXCEEDED or status_of(error) is not None:
            return failure
        # A call that waits for a connection ends without the reason why none came about; a stream that does
        # not wait has it.
        looked = asyncio.Event()
        stream = self.records.WriteRecords(_nothing_until(looked), timeout=LOOK_SECONDS)
        try:
            await anext(aiter(stream), None)
        except grpc.RpcError as found:
            cause = call_error(found, self._address)
            return cause if cause.code is grpc.StatusCode.UNAVAILABLE else failure
        finally:
            looked.set()
        return failure


async def _nothing_until(looked: asyncio.Event) -> AsyncIterator[records_pb2.WriteRecordsRequest]:
    """Keeps a stream open without a message: gRPC may lose the reason of one that ends while it fails."""
    messages: list[records_pb2.WriteRecordsRequest] = []
    await looked.wait()
    for message in messages:
        yield message


def require_event_loop() -> None:
    """Raises RuntimeError outside an event loop, in which gRPC would fail later and in other words."""
    try:
        asyncio.get_running_loop()
    except RuntimeError as error:
        raise RuntimeError(
            "an AsyncClient belongs to an event loop: make it in a coroutine, or use Client"
        ) from error
