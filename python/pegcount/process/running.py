"""One server process: the store, the server over it, and what operators see of both."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from time import monotonic

from pegcount import logs
from pegcount.auth import Credentials
from pegcount.config import LiveConfig
from pegcount.errors import PegcountError
from pegcount.process.serve_inputs import require_consistent, tls_files, tokens
from pegcount.process.start_lines import log_start, log_stop, log_stopped
from pegcount.process.traces import traced
from pegcount.server import Authentication, ListenOptions, RunningServer, now_us, require_safe
from pegcount.server.observed_call import CallObserver
from pegcount.settings import ServeSettings
from pegcount.store import EmbeddedStore

_LOOK_SECONDS = 0.5
_SLOW_OPENING_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class ServerFailedError(PegcountError):
    """The server has ended by itself."""


def serve(
    settings: ServeSettings,
    stop: threading.Event,
    announce: Callable[[str], None],
    reload: ReloadRequest | None = None,
) -> None:
    """Serves until `stop` is set; announces each address once it answers there.

    Reads its settings again when `reload` is asked for; None: never.

    Raises PegcountError if a setting cannot be used, the data directory cannot be opened, or the server
    fails.
    """
    with (
        logs.opened(settings.log) as log,
        traced(settings) as tracers,
        _running(settings, (log.calls, *tracers)) as server,
    ):
        for address, what in zip(server.addresses, ("", " for AdminService and reflection"), strict=False):
            announce(f"listening on {address}{what}")
        freed_memory = FreedMemory(settings.config, process_memory())
        while not stop.wait(_LOOK_SECONDS):
            freed_memory.look(time.monotonic())
            if not server.is_running():
                raise ServerFailedError("the server has failed; its log says why")
            reloader.look()
        server.stop()
    _LOG.info("stopped: the data directory is released")


def _wait(server: ListeningServer, stop: threading.Event, seconds: float) -> None:
    """Waits until `stop` is set, or for some seconds; raises ServerFailedError if the server ends."""
    deadline_s = monotonic() + seconds
    while (remaining_s := deadline_s - monotonic()) > 0 and not stop.wait(min(_LOOK_SECONDS, remaining_s)):
        if not server.is_running():
            raise ServerFailedError("the server has failed; its log says why")


@contextmanager
def _running(settings: ServeSettings, observers: Sequence[CallObserver]) -> Iterator[RunningServer]:
    config = settings.config
    options = ListenOptions(
        tls_files(settings.tls),
        settings.admin_listen,
        has_admin=settings.has_admin,
        has_reflection=settings.has_reflection,
    )
    known_tokens = tokens(settings)
    store = EmbeddedStore(
        settings.data, live, create=settings.create, accepted_losses=settings.accepted_losses
    )
    try:
        authentication = Authentication(
            Credentials(config, store, now_us),
            now_us,
            known_tokens,
            is_switched_off=not settings.has_authentication,
        )
        for address in () if settings.insecure_listen else options.addresses(settings.listen):
            require_safe(address, tls_is_on=tls is not None, auth_is_on=authentication.is_on)
        server = RunningServer(config, store, settings.listen, now_us, options, authentication, observers)
        log_start(settings, server.addresses, opening_seconds)
        _LOG.info(authentication.summary())
        yield server
    finally:
        server.stop()


def _require_safe_addresses(settings: ServeSettings, options: ListenOptions, *, auth_is_on: bool) -> None:
    for address in () if settings.insecure_listen else options.addresses(settings.listen):
        require_safe(address, tls_is_on=options.tls is not None, auth_is_on=auth_is_on)


@contextmanager
def _open_store(settings: ServeSettings) -> Iterator[Store]:
    with _slow_opening_logged(settings.data):
        store = EmbeddedStore(
            settings.data, settings.config, create=settings.create, accepted_losses=settings.accepted_losses
        )
    try:
        yield store
    finally:
        if metrics is not None:
            metrics.close()
        store.close()


@contextmanager
def _slow_opening_logged(directory: Path) -> Iterator[None]:
    """Says that a store still opens, unless it opens or fails at once: a start that fails has one line."""
    text = "still opens %s; until it is open, health is NOT_SERVING, and calls are told to come again"
    timer = threading.Timer(_SLOW_OPENING_SECONDS, _LOG.info, (text, directory))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
