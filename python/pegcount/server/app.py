"""Builds and runs the server, for the command line and for tests.

    client -> gRPC -> calls (access) -> reports, records, admin, health, reflection -> store

All calls begin on one event loop, in a thread of its own. Nothing may block it: what takes longer than about
a millisecond runs on the threads of a service.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

import grpc

from pegcount import calendar
from pegcount.auth import Credentials
from pegcount.config import Config, LiveConfig
from pegcount.server.access import Access
from pegcount.server.authentication import Authentication
from pegcount.server.calls import CallHandlers
from pegcount.server.certificate_files import TlsFiles
from pegcount.server.certificates import Certificates
from pegcount.server.credential_limits import CredentialLimiter
from pegcount.server.credential_watch import end_refused_streams
from pegcount.server.fault_health import TLS_HEALTH, watch_fault
from pegcount.server.health import SERVICE_NAME as HEALTH
from pegcount.server.health import HealthService
from pegcount.server.listener import Listener
from pegcount.server.minute_log import MinuteLog, silence_grpc
from pegcount.server.observed_call import CallObserver
from pegcount.server.places import end_old_streams
from pegcount.server.reflection import REFLECTION_NAMES
from pegcount.server.server_state import ServerState
from pegcount.server.services import (
    ADMIN,
    RECORDS,
    REPORT_METHODS,
    REPORTS,
    SERVICE_NAMES,
    TRAFFIC,
    Services,
    reflected,
)
from pegcount.server.sockets import ListeningPort
from pegcount.server.undecodable_paths import accept_undecodable_paths
from pegcount.server.unix_socket import is_unix
from pegcount.server.unread_calls import UnreadCalls
from pegcount.server.watch_load import WatchLoad
from pegcount.store import Store

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5

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


class ListeningServer:
    """A server that listens, with an event loop in a thread of its own.

    Until `answer` it has no store: it answers for its health, which is NOT_SERVING, and ends all other calls
    with SERVER_STARTING, so that clients come back.
    """

    def __init__(
        self,
        config: Config | LiveConfig,
        address: str,
        clock: Clock = now_us,
        listen_options: ListenOptions = ListenOptions(),
        observers: Sequence[CallObserver] = (),
    ) -> None:
        """Listens on `HOST:PORT` or `unix:PATH`; port 0 selects a free port.

        `observers` learn of each call that has ended. Raises ListenError if it cannot listen, and
        TlsFileError if it cannot use the files of TLS.
        """
        live = LiveConfig.of(config)
        self._config = live.now
        self._clock = clock
        started: Future[_Server] = Future()
        serving = _serve(live, address, clock, listen_options, observers, started)
        self._thread = Thread(target=asyncio.run, args=(serving,), name="server", daemon=True)
        self._thread.start()
        self._server = started.result()
        self.addresses = self._server.addresses
        """The main address, and that of AdminService if it has one of its own."""
        self.port = int(self.addresses[0].rpartition(":")[2]) if not is_unix(self.addresses[0]) else 0
        """The TCP port of the main address; 0 for a Unix socket."""

    def answer(self, store: Store, authentication: Authentication | None = None) -> None:
        """Answers all calls from now on, over an open store; has no effect on a server that has failed.

        `authentication` of None is that of the credentials of the store.
        """
        credentials = authentication or Authentication(
            Credentials(self._config, store, self._clock), self._clock
        )
        answering: Future[None] = Future()
        # The loop is closed if the server has failed.
        with suppress(RuntimeError):
            self._server.answer_soon(store, credentials, answering)
        while self.is_running() and not answering.done():
            wait([answering], _LOOK_SECONDS)
        if answering.done():
            answering.result()

    def is_running(self) -> bool:
        """Returns whether the server has neither stopped nor failed."""
        return self._thread.is_alive()

    def open_stream_count(self) -> int:
        """Returns the number of open WriteRecords streams."""
        services = self._server.services
        return 0 if services is None else len(services.records.places)

    def state(self) -> ServerState:
        """Returns the present state, also of a server that has stopped; may be called on any thread."""
        return self._server.state()

    def announce_stop(self) -> None:
        """Sets the health to NOT_SERVING for good, and tells watching clients; answers calls as before."""
        # As in `answer`.
        with suppress(RuntimeError):
            self._server.announce_stop_soon()

    def stop(self) -> None:
        """Refuses new calls, gives calls in progress `stop_grace_seconds` to finish, then ends them."""
        # As in `answer`.
        with suppress(RuntimeError):
            self._server.stop_soon()
        self._thread.join()


class RunningServer(ListeningServer):
    """A server that answers all calls from its first moment on."""

    def __init__(
        self,
        config: Config | LiveConfig,
        store: Store,
        address: str,
        clock: Clock = now_us,
        listen_options: ListenOptions = ListenOptions(),
        authentication: Authentication | None = None,
        observers: Sequence[CallObserver] = (),
    ) -> None:
        """As `ListeningServer`, and `ListeningServer.answer`."""
        super().__init__(config, address, clock, listen_options, observers)
        try:
            self.answer(store, authentication)
        except BaseException:
            self.stop()
            raise


async def _serve(
    live: LiveConfig,
    address: str,
    clock: Clock,
    listen_options: ListenOptions,
    observers: Sequence[CallObserver],
    started: "Future[_Server]",
) -> None:
    try:
        server = _Server(live, clock, listen_options, observers)
        await server.start(address)
    except BaseException as error:
        started.set_exception(error)
        return
    started.set_result(server)
    await server.run()


class _Server:
    """The listeners, and the services that their clients call."""

    def __init__(
        self,
        live: LiveConfig,
        clock: Clock,
        listen_options: ListenOptions,
        observers: Sequence[CallObserver],
    ) -> None:
        config = live.now
        self._live = live
        self._config = config
        self._clock = clock
        self._options = listen_options
        silence_grpc()
        accept_undecodable_paths()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        tls, days = listen_options.tls, config.certificate_warning_days
        self._certificates = None if tls is None else Certificates(tls, clock, days)
        unread = UnreadCalls(
            config.request_read_seconds, config.unread_call_count_max, live.overload_retry_seconds
        )
        log, self._access = MinuteLog(_LOG), Access(config.starting_retry_seconds)
        limiter = CredentialLimiter(live, log)
        self._main = Listener(live, unread, self._access, limiter, log, observers)
        own_address = listen_options.admin_address is not None
        self._of_admin = (
            Listener(live, unread, self._access, limiter, log, observers) if own_address else self._main
        )
        self._listeners = (self._main, self._of_admin) if own_address else (self._main,)
        self._health = HealthService(live)
        for listener in self._listeners:
            self._add_health(listener.calls)
            listener.register(HEALTH)
        for service, methods in REPORT_METHODS.items():
            self._main.register_later(service, methods)
        self.services: Services | None = None
        """What answers over the store; None until it is open."""
        self.addresses: list[str] = []
        self._ports: list[ListeningPort] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, address: str) -> None:
        """Listens; raises ListenError."""
        # Else the first request with a wrong zone would hold up the event loop.
        calendar.preload()
        try:
            self._bind(address)
            for name in self._health_names():
                self._health.set(name, serving=False)
            if self._certificates is not None:
                self._health.set(TLS_HEALTH, serving=self._certificates.look() is None)
            for listener in self._listeners:
                await listener.start()
        except BaseException:
            for port in self._ports:
                port.close()
            for listener in self._listeners:
                listener.release()
            raise

    def answer_soon(self, store: Store, authentication: Authentication, answering: "Future[None]") -> None:
        """Answers calls over a store, and says when or why not; may be called from any thread.

        Raises RuntimeError if the loop is closed.
        """
        self._loop.call_soon_threadsafe(self._try_answer, store, authentication, answering)

    async def run(self) -> None:
        """Runs until `stop_soon` is called, or until gRPC fails, and then stops."""
        config = self._config
        listening = list(zip(self._listeners, self._ports, strict=True))
        self._tasks += [
            *(_run(listener.run(port)) for listener, port in listening),
            _run(end_old_streams([self._health.places], config.stream_look_seconds)),
        ]
        if self._certificates is not None:
            look = self._certificates.look
            self._tasks.append(_run(watch_fault(self._health, TLS_HEALTH, look, config.tls_look_seconds)))
        await self._wait_for_end()
        self._health.stop()
        grace_seconds = self._live.now.stop_grace_seconds
        await asyncio.gather(*(each.calls.stop(grace_seconds) for each in self._listeners))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.services is not None:
            # All calls have ended, so it may wait; a process that ends gives no threads any more.
            self.services.save_uses()
        await asyncio.gather(*(listener.stop(port) for listener, port in listening))
        if self.services is not None:
            self.services.close()

    def announce_stop_soon(self) -> None:
        """Sets the health to NOT_SERVING for good; may be called from any thread.

        Raises RuntimeError if the loop is closed.
        """
        self._loop.call_soon_threadsafe(self._health.stop)

    def state(self) -> ServerState:
        """Returns the present state. It asks nothing of the event loop, which may be busy or gone."""
        return ServerState(
            methods=tuple(method for each in self._listeners for method in each.calls.method_calls()),
            connections=sum(len(each.connections) for each in self._listeners),
            calls_in_progress=sum(each.calls.in_progress_count() for each in self._listeners),
            write_streams=0 if self.services is None else len(self.services.records.places),
            watches=WatchLoad() if self.services is None else self.services.watches.load(),
            lanes={} if self.services is None else self.services.lane_loads(),
            health=self._health.states(),
            certificate_expire_us=None if self._certificates is None else self._certificates.expire_us(),
        )

    def stop_soon(self) -> None:
        """Makes `run` stop; may be called from any thread. Raises RuntimeError if the loop is closed."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    def _try_answer(self, store: Store, authentication: Authentication, answering: "Future[None]") -> None:
        try:
            self._answer(store, authentication)
        except BaseException as error:
            answering.set_exception(error)
        else:
            answering.set_result(None)

    def _answer(self, store: Store, authentication: Authentication) -> None:
        options = self._options
        of_admin = self._of_admin if options.has_admin else None
        services = Services(self._live, store, self._clock, authentication, self._main, of_admin)
        if options.has_reflection:
            is_main = self._of_admin is self._main
            services.add_reflection(self._of_admin, reflected(has_admin=options.has_admin, is_main=is_main))
        self._explain_absences()
        self.services = services
        authentication.credentials.on_change(self._end_refused_soon)
        self._access.use(authentication)
        for name in self._health_names():
            self._health.set(name, serving=True)
        services.set_health(self._health)
        self._tasks += map(_run, services.background_work(self._health))
        self._tasks.append(_run(end_refused_streams(self._end_refused, self._config.stream_look_seconds)))

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

    def _health_names(self) -> list[str]:
        """Returns the whole server, and its services, as the health names them."""
        return ["", *(name for name in SERVICE_NAMES if self._options.has_admin or name != ADMIN)]

    def _add_health(self, calls: CallHandlers) -> None:
        calls.add_unary(f"{HEALTH}/Check", self._health.check)
        calls.add_unary(f"{HEALTH}/List", self._health.list)
        calls.add_response_stream(f"{HEALTH}/Watch", self._health.watch)

    def _explain_absences(self) -> None:
        """Tells whoever calls a service at an address without it why it does not answer there."""
        options = self._options
        for has, flag, names in (
            (options.has_admin, "--no-admin", (ADMIN,)),
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
            self._of_admin.calls.explain_absence((REPORTS, TRAFFIC, RECORDS), text)


def _run(work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
    """Runs work that lasts as long as the server, and logs if it fails."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("the server goes on without %s", task.get_coro(), exc_info=task.exception())
