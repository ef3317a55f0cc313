"""Builds and runs the server, for the command line and for tests.

    client -> gRPC -> calls (access) -> reports, records, admin, health, reflection -> store

All calls begin on one event loop, in a thread of its own. Nothing may block it: what takes longer than about
a millisecond runs on the threads of a service.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread

import grpc
from google.protobuf.message_factory import GetMessageClass

from pegcount import calendar
from pegcount.auth import Credentials
from pegcount.config import Config
from pegcount.server.access import Access
from pegcount.server.admin import AdminService
from pegcount.server.admin_runner import AdminRunner
from pegcount.server.authentication import Authentication
from pegcount.server.calls import CallHandlers
from pegcount.server.connection_guard import ConnectionGuard
from pegcount.server.connections import Connections
from pegcount.server.credential_watch import end_refused_streams, save_uses, watch_credentials
from pegcount.server.expiry_notice import ExpiryNotices
from pegcount.server.health import SERVICE_NAME as HEALTH
from pegcount.server.health import HealthService
from pegcount.server.listening import bind, options
from pegcount.server.minute_log import MinuteLog, silence_grpc
from pegcount.server.places import end_old_streams
from pegcount.server.records import RecordService
from pegcount.server.reflection import REFLECTION_NAMES, ReflectionService
from pegcount.server.report_runner import ReportRunner
from pegcount.server.reports import ReportService
from pegcount.server.sockets import ListeningPort
from pegcount.server.store_health import watch_store
from pegcount.server.undecodable_paths import accept_undecodable_paths
from pegcount.server.unread_answers import UnreadAnswers
from pegcount.server.unread_calls import UnreadCalls
from pegcount.store import SourceRules, Store
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2

_REPORT_METHODS = reports_pb2.DESCRIPTOR.services_by_name["ReportService"].methods_by_name
_REPORTS = reports_pb2.DESCRIPTOR.services_by_name["ReportService"].full_name
_RECORDS = records_pb2.DESCRIPTOR.services_by_name["RecordService"].full_name
_ADMIN = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
SERVICE_NAMES = (_REPORTS, _RECORDS, _ADMIN.full_name)

_LOG = logging.getLogger(__name__)

Clock = Callable[[], int]
"""Returns the current time in microseconds UTC."""


def now_us() -> int:
    """Returns the current time in microseconds UTC."""
    return time.time_ns() // 1_000


class RunningServer:
    """A started server, with an event loop in a thread of its own."""

    def __init__(
        self,
        config: Config,
        store: Store,
        address: str,
        clock: Clock = now_us,
        authentication: Authentication | None = None,
    ) -> None:
        """Listens on `HOST:PORT`; port 0 selects a free port. Raises ListenError if it cannot listen.

        `authentication` of None is that of the credentials of the store.
        """
        started: Future[_Server] = Future()
        known = authentication or Authentication(Credentials(config, store, clock), clock)
        serving = _serve(config, store, address, clock, known, started)
        self._thread = Thread(target=asyncio.run, args=(serving,), name="server", daemon=True)
        self._thread.start()
        self._server = started.result()
        self.port = self._server.port

    def is_running(self) -> bool:
        """Returns whether the server has neither stopped nor failed."""
        return self._thread.is_alive()

    def open_stream_count(self) -> int:
        """Returns the number of open WriteRecords streams."""
        return len(self._server.records.places)

    def stop(self) -> None:
        """Refuses new calls, gives calls in progress `stop_grace_seconds` to finish, then ends them."""
        if self._thread.is_alive():
            self._server.stop_soon()
            self._thread.join()


async def _serve(
    config: Config,
    store: Store,
    address: str,
    clock: Clock,
    authentication: Authentication,
    started: "Future[_Server]",
) -> None:
    try:
        server = _Server(config, store, clock, authentication)
        await server.start(address)
    except BaseException as error:
        started.set_exception(error)
        return
    started.set_result(server)
    await server.run()


class _Server:
    """The services, and the gRPC server that calls them."""

    def __init__(self, config: Config, store: Store, clock: Clock, authentication: Authentication) -> None:
        self._config = config
        self._store = store
        self._credentials = authentication.credentials
        silence_grpc()
        accept_undecodable_paths()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._connections = Connections(config)
        unread_answers = UnreadAnswers(config)
        self._guard = ConnectionGuard(config, self._connections, unread_answers, MinuteLog(_LOG))
        unread = UnreadCalls(
            config.request_read_seconds, config.unread_call_count_max, config.overload_retry_seconds
        )
        self._calls = CallHandlers(
            self._connections,
            self._guard,
            unread,
            unread_answers,
            Access(authentication),
            config.request_id_length_max,
        )
        self._credentials.on_change(self._end_refused_soon)
        self._reports = ReportRunner(config, store, unread_answers)
        rules = SourceRules(store)
        self.records = RecordService(config, store, rules)
        self._admin = AdminRunner(config, AdminService(config, store, rules, self._credentials))
        self._health = HealthService(config)
        self._reflection = ReflectionService(config, (*SERVICE_NAMES, HEALTH))
        self._add_methods(
            ReportService(config, store, clock), ExpiryNotices(config, self._credentials, clock)
        )
        self._server = grpc.aio.server(options=options(config))
        self._server.add_generic_rpc_handlers((self._calls,))
        # gRPC hands over the calls of each registered method apart from all others, which may queue there.
        for name in (HEALTH, _REPORTS):
            self._server.add_registered_method_handlers(name, self._calls.of_service(name))
        self.port = 0

    async def start(self, address: str) -> None:
        """Listens; raises ListenError."""
        # Else the first request with a wrong zone would hold up the event loop.
        calendar.preload()
        self.port = bind(self._server, address)
        for name in ("", *SERVICE_NAMES):
            self._health.set(name, serving=name != _RECORDS or self._store.write_fault is None)
        await self._server.start()

    async def run(self) -> None:
        """Runs until `stop_soon` is called, or until gRPC fails, and then stops."""
        port = ListeningPort(self.port)
        config = self._config
        places = [self.records.places, self._health.places, self._reflection.places]
        tasks = [
            _run(self._guard.run(port)),
            _run(end_old_streams(places, config.stream_look_seconds)),
            _run(watch_store(self._health, self._store, _RECORDS, config.health_look_seconds)),
            _run(watch_credentials(self._credentials, config)),
            _run(end_refused_streams(self._calls.end_refused, config.stream_look_seconds)),
        ]
        await self._wait_for_end()
        self._health.stop()
        await self._calls.stop(config.stop_grace_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # All calls have ended, so it may wait; a process that ends gives no threads any more.
        save_uses(self._credentials)
        # gRPC resets calls that reach a stopping server, which clients take for cancelled. A closed
        # connection makes them UNAVAILABLE.
        port.close()
        await self._stop_grpc()
        for service in (self._reports, self._admin):
            service.close()

    def stop_soon(self) -> None:
        """Makes `run` stop; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _end_refused_soon(self) -> None:
        """Ends streams whose credential has ended, before the call that caused it is answered."""
        # The loop may be closed if the credentials outlast the server.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._calls.end_refused)

    async def _wait_for_end(self) -> None:
        # Not cancelled afterwards: gRPC's own stopping waits for the same future.
        failed = asyncio.ensure_future(self._server.wait_for_termination())
        failed.add_done_callback(lambda done: done.cancelled() or done.exception())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([failed, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not self._stopping.is_set():
            _LOG.critical("gRPC has failed and accepts no more calls; the server ends")

    async def _stop_grpc(self) -> None:
        try:
            await asyncio.wait_for(self._server.stop(None), self._config.stop_grace_seconds)
        except TimeoutError:
            _LOG.error("gRPC did not end all calls within %g s", self._config.stop_grace_seconds)

    def _add_methods(self, reports: ReportService, notices: ExpiryNotices) -> None:
        calls = self._calls
        for name, prepare in reports.reports().items():
            message_class = GetMessageClass(_REPORT_METHODS[name].output_type)
            behavior = notices.added(self._reports.behavior(prepare), message_class)
            calls.add_unary(f"{_REPORTS}/{name}", behavior, self._reports.refusal)
        calls.add_stream(f"{_RECORDS}/WriteRecords", self.records.write_records)
        for method in _ADMIN.methods:
            calls.add_unary(f"{_ADMIN.full_name}/{method.name}", self._admin.behavior(method))
        calls.add_unary(f"{HEALTH}/Check", self._health.check)
        calls.add_unary(f"{HEALTH}/List", self._health.list)
        calls.add_response_stream(f"{HEALTH}/Watch", self._health.watch)
        for name in REFLECTION_NAMES:
            calls.add_stream(f"{name}/ServerReflectionInfo", self._reflection.answer_stream)


def _run(work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
    """Runs work that lasts as long as the server, and logs if it fails."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("the server goes on without %s", task.get_coro(), exc_info=task.exception())
