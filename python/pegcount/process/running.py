"""One server process: the store, the server over it, and what operators see of both."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any

from pegcount import logs
from pegcount.auth import Credentials
from pegcount.config import LiveConfig
from pegcount.errors import PegcountError
from pegcount.metrics import MetricsEndpoint, ServerMetrics
from pegcount.process.freed_memory import FreedMemory, process_memory
from pegcount.process.opening import StoppedWhileOpeningError, opened_unless_stopped
from pegcount.process.reloading import Reloader, ReloadRequest
from pegcount.process.serve_inputs import tls_files, tokens
from pegcount.process.service_manager import notify_service_manager
from pegcount.process.start_lines import log_start, log_stop, log_stop_delay, log_stopped
from pegcount.process.traces import traced
from pegcount.server import (
    Authentication,
    CallObserver,
    ListeningServer,
    ListenOptions,
    now_us,
    require_safe,
)
from pegcount.settings import ServeSettings, require_consistent
from pegcount.store import Store, StoreLocation, opened, opened_both

_LOOK_SECONDS = 0.5
_SLOW_OPENING_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class ServerFailedError(PegcountError):
    """The server has ended although nothing told it to stop."""


def serve(
    settings: ServeSettings,
    stop: threading.Event,
    announce: Callable[[str], None],
    reload: ReloadRequest | None = None,
    warnings: Sequence[str] = (),
) -> None:
    """Serves until `stop` is set; announces each address once it answers reports there, that of metrics last.

    The addresses answer before that, while the store opens: health checks, and everything else with
    SERVER_STARTING. A server that is told to stop answers for `stop_delay_seconds` more, or until `stop` is
    set a second time. It reads its settings again when `reload` is asked for; None: never. Its log
    begins with `warnings`. Raises PegcountError if a setting cannot be used, the store cannot be
    opened, or the server fails; and StoppedWhileOpeningError if `stop` is set before the store is open: the
    process then has to end at once.
    """
    live = LiveConfig(settings.config)
    with (
        logs.opened(settings.log) as log,
        _warned(warnings),
        traced(settings) as tracers,
        _metrics_at(settings.metrics_listen, log) as (metrics, metrics_url),
        _running(settings, live, stop, metrics, (log.calls, *tracers)) as server,
    ):
        reloader = Reloader(settings, reload, live, log)
        for address, what in zip(server.addresses, ("", " for AdminService and reflection"), strict=False):
            announce(f"listening on {address}{what}")
        if metrics_url is not None:
            announce(f"metrics on {metrics_url}")
        notify_service_manager("READY=1")
        freed_memory = FreedMemory(settings.config, process_memory())
        _wait(server, stop, inf, reloader.look, lambda: freed_memory.look(monotonic()))
        _stop(server, stop, reloader.settings)


@contextmanager
def _warned(warnings: Sequence[str]) -> Iterator[None]:
    """Logs warnings of the settings, also those of a server that fails to start afterwards."""
    for warning in warnings:
        _LOG.warning("%s", warning)
    yield


def _stop(server: ListeningServer, stop: threading.Event, settings: ServeSettings) -> None:
    notify_service_manager("STOPPING=1")
    log_stop(stop)
    # A second signal sets it again, which ends the delay.
    stop.clear()
    server.announce_stop()
    if settings.stop_delay_seconds:
        log_stop_delay(settings.stop_delay_seconds)
        _wait(server, stop, settings.stop_delay_seconds)
    begin_s = monotonic()
    server.stop()
    log_stopped(monotonic() - begin_s)


def _wait(
    server: ListeningServer,
    stop: threading.Event,
    seconds: float,
    *looks: Callable[[], None],
) -> None:
    """Waits until `stop` is set, or for some seconds; raises ServerFailedError if the server ends.

    Calls each of `looks` again and again meanwhile.
    """
    deadline_s = monotonic() + seconds
    while (remaining_s := deadline_s - monotonic()) > 0 and not stop.wait(min(_LOOK_SECONDS, remaining_s)):
        if not server.is_running():
            raise ServerFailedError("the server has failed; its log says why")
        for look in looks:
            look()


@contextmanager
def _metrics_at(address: str | None, log: logs.Log) -> Iterator[tuple[ServerMetrics | None, str | None]]:
    """Answers scrapes within its block, so also while the server starts and stops; yields the URL."""
    if address is None:
        yield None, None
        return
    metrics = ServerMetrics()
    metrics.watch_log(lambda: log.dropped_count)
    endpoint = MetricsEndpoint(address, metrics.registry)
    try:
        yield metrics, endpoint.url
    finally:
        endpoint.close()
        metrics.close()


@contextmanager
def _running(
    settings: ServeSettings,
    live: LiveConfig,
    stop: threading.Event,
    metrics: ServerMetrics | None,
    observers: Sequence[CallObserver],
) -> Iterator[ListeningServer]:
    require_consistent(settings)
    options = ListenOptions(
        tls_files(settings.tls),
        settings.admin_listen,
        has_admin=settings.has_admin,
        has_reflection=settings.has_reflection,
    )
    known_tokens = tokens(settings)
    # Refuses unsafe addresses before it listens; the credentials of the store count once it is open.
    _require_safe_addresses(settings, options, auth_is_on=True)
    if metrics is not None:
        observers = (*observers, metrics.calls)
    server = ListeningServer(live, settings.listen, now_us, options, observers)
    if metrics is not None:
        metrics.watch_server(server.state)
    try:
        begin_s = monotonic()
        with _open_store(settings, live, stop, metrics) as store:
            opening_seconds = monotonic() - begin_s
            authentication = Authentication(
                Credentials(live.now, store, now_us),
                now_us,
                known_tokens,
                is_switched_off=not settings.has_authentication,
            )
            _require_safe_addresses(settings, options, auth_is_on=authentication.is_on)
            try:
                server.answer(store, authentication)
                log_start(settings, server.addresses, opening_seconds)
                _LOG.info(authentication.summary())
                yield server
            finally:
                # The server must stop before the store closes, also after an error.
                server.stop()
    finally:
        server.stop()


def _require_safe_addresses(settings: ServeSettings, options: ListenOptions, *, auth_is_on: bool) -> None:
    for address in () if settings.insecure_listen else options.addresses(settings.listen):
        require_safe(address, tls_is_on=options.tls is not None, auth_is_on=auth_is_on)


@contextmanager
def _open_store(
    settings: ServeSettings, live: LiveConfig, stop: threading.Event, metrics: ServerMetrics | None
) -> Iterator[Store]:
    location = StoreLocation.parse(settings.store)
    follower = None if settings.follower is None else StoreLocation.parse(settings.follower)
    of_directory: Any = {"create": settings.create, "accepted_losses": settings.accepted_losses}

    def open_store() -> Store:
        if follower is None:
            return opened(location, live, **of_directory)
        return opened_both(location, follower, live, **of_directory)

    try:
        with _slow_opening_logged(location):
            store = opened_unless_stopped(open_store, stop)
    except StoppedWhileOpeningError:
        notify_service_manager("STOPPING=1")
        log_stop(stop)
        _LOG.info("stopped before the store was open")
        raise
    try:
        if metrics is not None:
            metrics.watch_store(store)
        yield store
    finally:
        if metrics is not None:
            metrics.close()
        store.close()


@contextmanager
def _slow_opening_logged(location: StoreLocation) -> Iterator[None]:
    """Logs that a store still opens if that takes longer than a second."""
    text = "still opens %s; until it is open, health is NOT_SERVING, and calls are told to come again"
    timer = threading.Timer(_SLOW_OPENING_SECONDS, _LOG.info, (text, location))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
