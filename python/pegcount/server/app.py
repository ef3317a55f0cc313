"""Builds and runs the server, for the command line and for tests.

    client -> gRPC -> calls (access) -> reports, records, admin, health, reflection -> store

All calls begin on one event loop, in a thread of its own. Nothing may block it: what takes longer than about
a millisecond runs on the threads of a service.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Thread

import grpc
from google.protobuf.message_factory import GetMessageClass

from pegcount import calendar
from pegcount.auth import Credentials
from pegcount.config import Config
from pegcount.server.access import Access
from pegcount.server.admin import AdminService
from pegcount.server.admin_runner import AdminRunner
from pegcount.server.audit import AuditLog, DeniedCalls
from pegcount.server.authentication import Authentication
from pegcount.server.calls import CallHandlers
from pegcount.server.certificate_files import TlsFiles
from pegcount.server.certificates import Certificates
from pegcount.server.credential_limits import CredentialLimiter
from pegcount.server.credential_watch import end_refused_streams, save_uses, watch_credentials
from pegcount.server.expiry_notice import ExpiryNotices
from pegcount.server.fault_health import CREDENTIALS_HEALTH, TLS_HEALTH, watch_fault
from pegcount.server.health import SERVICE_NAME as HEALTH
from pegcount.server.health import HealthService
from pegcount.server.listener import Listener
from pegcount.server.minute_log import MinuteLog, silence_grpc
from pegcount.server.observed_call import CallObserver
from pegcount.server.places import end_old_streams
from pegcount.server.records import RecordService
from pegcount.server.reflection import REFLECTION_NAMES, ReflectionService
from pegcount.server.report_runner import ReportRunner
from pegcount.server.reports import ReportService
from pegcount.server.server_state import ServerState
from pegcount.server.sockets import ListeningPort
from pegcount.server.undecodable_paths import accept_undecodable_paths
from pegcount.server.unix_socket import is_unix
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


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """What a server offers, and how, beside its reports and records."""

    tls: TlsFiles | None = None
    """TLS on all TCP addresses; None: plain text."""
    admin_address: str | None = None
    """Where AdminService and reflection answer, and nowhere else; None: at the main address."""
    has_admin: bool = True
    has_reflection: bool = True

    def addresses(self, main: str) -> list[str]:
        """Returns all addresses of a server, the main one first."""
        return [main] if self.admin_address is None else [main, self.admin_address]


class RunningServer:
    """A started server, with an event loop in a thread of its own."""

    def __init__(
        self,
        config: Config,
        store: Store,
        address: str,
        clock: Clock = now_us,
        listen_options: ListenOptions = ListenOptions(),
        authentication: Authentication | None = None,
        observers: Sequence[CallObserver] = (),
    ) -> None:
        """Listens on `HOST:PORT` or `unix:PATH`; port 0 selects a free port.

        `observers` learn of each call that has ended. `authentication` of None is that of the credentials of
        the store. Raises ListenError if it cannot listen, and TlsFileError if it cannot use the files of TLS.
        """
        started: Future[_Server] = Future()
        known = authentication or Authentication(Credentials(config, store, clock), clock)
        serving = _serve(config, store, address, clock, listen_options, known, observers, started)
        self._thread = Thread(target=asyncio.run, args=(serving,), name="server", daemon=True)
        self._thread.start()
        self._server = started.result()
        self.addresses = self._server.addresses
        """The main address, and that of AdminService if it has one of its own."""
        self.port = int(self.addresses[0].rpartition(":")[2]) if not is_unix(self.addresses[0]) else 0
        """The TCP port of the main address; 0 for a Unix socket."""

    def is_running(self) -> bool:
        """Returns whether the server has neither stopped nor failed."""
        return self._thread.is_alive()

    def open_stream_count(self) -> int:
        """Returns the number of open WriteRecords streams."""
        return len(self._server.records.places)

    def state(self) -> ServerState:
        """Returns the present state, also of a server that has stopped; may be called on any thread."""
        return self._server.state()

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
    listen_options: ListenOptions,
    authentication: Authentication,
    observers: Sequence[CallObserver],
    started: "Future[_Server]",
) -> None:
    try:
        server = _Server(config, store, clock, listen_options, authentication, observers)
        await server.start(address)
    except BaseException as error:
        started.set_exception(error)
        return
    started.set_result(server)
    await server.run()


class _Server:
    """The services, and the listeners whose clients call them."""

    def __init__(
        self,
        config: Config,
        store: Store,
        clock: Clock,
        listen_options: ListenOptions,
        authentication: Authentication,
        observers: Sequence[CallObserver],
    ) -> None:
        self._config = config
        self._store = store
        self._options = listen_options
        self._authentication = authentication
        self._credentials = authentication.credentials
        silence_grpc()
        accept_undecodable_paths()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        tls, days = listen_options.tls, config.certificate_warning_days
        self._certificates = None if tls is None else Certificates(tls, clock, days)
        unread = UnreadCalls(
            config.request_read_seconds, config.unread_call_count_max, config.overload_retry_seconds
        )
        log, access = MinuteLog(_LOG), Access(authentication)
        limiter = CredentialLimiter(config, log)
        self._main = Listener(config, unread, access, limiter, log, observers)
        own_address = listen_options.admin_address is not None
        self._of_admin = (
            Listener(config, unread, access, limiter, log, observers) if own_address else self._main
        )
        self._listeners = (self._main, self._of_admin) if own_address else (self._main,)
        self._credentials.on_change(self._end_refused_soon)
        self._reports = ReportRunner(config, store, self._main.unread_answers)
        rules = SourceRules(store)
        self.records = RecordService(config, store, rules)
        audit = AuditLog(config, store, clock)
        self._denied = DeniedCalls(config, audit)
        self._admin = AdminRunner(config, AdminService(config, store, rules, self._credentials), audit)
        self._health = HealthService(config)
        self._reflection = ReflectionService(config, self._reflected())
        self._add_methods(ReportService(config, clock), ExpiryNotices(config, self._credentials, clock))
        self.addresses: list[str] = []
        self._ports: list[ListeningPort] = []

    async def start(self, address: str) -> None:
        """Listens; raises ListenError."""
        # Else the first request with a wrong zone would hold up the event loop.
        calendar.preload()
        try:
            self._bind(address)
            for name in ("", *self._services()):
                self._health.set(name, serving=name != _RECORDS or self._store.write_fault is None)
            if self._certificates is not None:
                self._health.set(TLS_HEALTH, serving=self._certificates.look() is None)
            if self._authentication.accepts_tokens:
                self._health.set(CREDENTIALS_HEALTH, serving=self._authentication.look() is None)
            for listener in self._listeners:
                await listener.start()
        except BaseException:
            for port in self._ports:
                port.close()
            for listener in self._listeners:
                listener.release()
            raise

    async def run(self) -> None:
        """Runs until `stop_soon` is called, or until gRPC fails, and then stops."""
        config = self._config
        listening = list(zip(self._listeners, self._ports, strict=True))
        places = [self.records.places, self._health.places, self._reflection.places]
        tasks = [
            *(_run(listener.run(port)) for listener, port in listening),
            _run(end_old_streams(places, config.stream_look_seconds)),
            _run(watch_credentials(self._credentials, config)),
            _run(end_refused_streams(self._end_refused, config.stream_look_seconds)),
            *map(_run, self._health_watches()),
        ]
        await self._wait_for_end()
        self._health.stop()
        await asyncio.gather(*(each.calls.stop(config.stop_grace_seconds) for each in self._listeners))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # All calls have ended, so it may wait; a process that ends gives no threads any more.
        save_uses(self._credentials)
        await asyncio.gather(*(listener.stop(port) for listener, port in listening))
        for service in (self._reports, self._admin, self._denied):
            service.close()

    def state(self) -> ServerState:
        """Returns the present state. It asks nothing of the event loop, which may be busy or gone."""
        return ServerState(
            methods=tuple(method for each in self._listeners for method in each.calls.method_calls()),
            connections=sum(len(each.connections) for each in self._listeners),
            calls_in_progress=sum(each.calls.in_progress_count() for each in self._listeners),
            write_streams=len(self.records.places),
            lanes=self._reports.loads(),
            health=self._health.states(),
            certificate_expire_us=None if self._certificates is None else self._certificates.expire_us(),
        )

    def stop_soon(self) -> None:
        """Makes `run` stop; may be called from any thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _end_refused_soon(self) -> None:
        """Ends streams whose credential has ended, before the call that caused it is answered."""
        # The loop may be closed if the credentials outlast the server.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end_refused)

    def _end_refused(self) -> None:
        for listener in self._listeners:
            listener.calls.end_refused()

    def _bind(self, address: str) -> None:
        for listener, each in zip(self._listeners, self._options.addresses(address), strict=True):
            bound = listener.bind(each, self._tls(each))
            self.addresses.append(bound.text)
            self._ports.append(ListeningPort(bound.socket_name))

    def _tls(self, address: str) -> grpc.ServerCredentials | None:
        """Returns the TLS of an address; None for plain text, as on a Unix socket, which has no network."""
        if self._certificates is None or is_unix(address):
            return None
        return self._certificates.credentials()

    def _health_watches(self) -> Iterator[Coroutine[object, object, None]]:
        config = self._config
        store = self._store
        yield watch_fault(self._health, _RECORDS, lambda: store.write_fault, config.health_look_seconds)
        if self._certificates is not None:
            yield watch_fault(self._health, TLS_HEALTH, self._certificates.look, config.tls_look_seconds)
        if self._authentication.accepts_tokens:
            look = self._authentication.look
            yield watch_fault(self._health, CREDENTIALS_HEALTH, look, config.token_key_look_seconds)

    async def _wait_for_end(self) -> None:
        # Not cancelled afterwards: gRPC's own stopping waits for the same future.
        failed = [asyncio.ensure_future(listener.wait_for_end()) for listener in self._listeners]
        for each in failed:
            each.add_done_callback(lambda done: done.cancelled() or done.exception())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([*failed, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not self._stopping.is_set():
            _LOG.critical("gRPC has failed and accepts no more calls; the server ends")

    def _services(self) -> list[str]:
        return [name for name in SERVICE_NAMES if self._options.has_admin or name != _ADMIN.full_name]

    def _reflected(self) -> list[str]:
        """Returns the services at the address where reflection answers."""
        if self._of_admin is self._main:
            return [*self._services(), HEALTH]
        return [HEALTH, *([_ADMIN.full_name] if self._options.has_admin else [])]

    def _add_methods(self, reports: ReportService, notices: ExpiryNotices) -> None:
        calls = self._main.calls
        for name, prepare in reports.reports().items():
            message_class = GetMessageClass(_REPORT_METHODS[name].output_type)
            behavior = notices.added(self._reports.behavior(prepare), message_class)
            calls.add_unary(f"{_REPORTS}/{name}", behavior, self._reports.refusal)
        calls.add_stream(f"{_RECORDS}/WriteRecords", self.records.write_records, self.records.places.refusal)
        self._add_admin()
        for listener in self._listeners:
            self._add_health(listener.calls)
            listener.register([HEALTH, _REPORTS] if listener is self._main else [HEALTH])

    def _add_health(self, calls: CallHandlers) -> None:
        calls.add_unary(f"{HEALTH}/Check", self._health.check)
        calls.add_unary(f"{HEALTH}/List", self._health.list)
        calls.add_response_stream(f"{HEALTH}/Watch", self._health.watch)

    def _add_admin(self) -> None:
        calls = self._of_admin.calls
        if self._options.has_admin:
            for method in _ADMIN.methods:
                behavior, denial = self._admin.behavior(method), partial(self._denied.add, method.name)
                calls.add_unary(f"{_ADMIN.full_name}/{method.name}", behavior, denial=denial)
        if self._options.has_reflection:
            for name in REFLECTION_NAMES:
                calls.add_stream(f"{name}/ServerReflectionInfo", self._reflection.answer_stream)
        self._explain_absences()

    def _explain_absences(self) -> None:
        """Tells whoever calls a service at an address without it why it does not answer there."""
        options = self._options
        for has, flag, names in (
            (options.has_admin, "--no-admin", (_ADMIN.full_name,)),
            (options.has_reflection, "--no-reflection", REFLECTION_NAMES),
        ):
            if not has:
                for listener in self._listeners:
                    listener.calls.explain_absence(names, f"the server runs with {flag}")
            elif self._of_admin is not self._main:
                text = "the server answers its calls at the address of --admin-listen only"
                self._main.calls.explain_absence(names, text)
        if self._of_admin is not self._main:
            text = "the server answers its calls at its main address"
            self._of_admin.calls.explain_absence((_REPORTS, _RECORDS), text)


def _run(work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
    """Runs work that lasts as long as the server, and logs if it fails."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("the server goes on without %s", task.get_coro(), exc_info=task.exception())
