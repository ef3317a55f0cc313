"""One server process: the store, the server over it, and what operators see of both."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from pegcount import logs
from pegcount.auth import Credentials
from pegcount.errors import PegcountError
from pegcount.metrics import MetricsEndpoint, ServerMetrics
from pegcount.process.serve_inputs import require_consistent, tls_files, tokens
from pegcount.process.start_lines import log_start, log_stop, log_stopped
from pegcount.server import Authentication, ListenOptions, RunningServer, now_us, require_safe
from pegcount.settings import ServeSettings
from pegcount.store import EmbeddedStore

_LOOK_SECONDS = 0.5
_LOG = logging.getLogger(__name__)


class ServerFailedError(PegcountError):
    """The server has ended by itself."""


def serve(settings: ServeSettings, stop: threading.Event, announce: Callable[[str], None]) -> None:
    """Serves until `stop` is set; announces each address once it answers there, that of metrics last.

    Raises PegcountError if a setting cannot be used, the data directory cannot be opened, or the server
    fails.
    """
    with logs.opened(settings.log) as log, _running(settings, log) as server:
        for address, what in zip(server.addresses, ("", " for AdminService and reflection"), strict=False):
            announce(f"listening on {address}{what}")
        notify_service_manager("READY=1")
        while not stop.wait(_LOOK_SECONDS):
            if not server.is_running():
                raise ServerFailedError("the server has failed; its log says why")
        log_stop(stop)
        begin_s = monotonic()
        server.stop()
        log_stopped(monotonic() - begin_s)


@contextmanager
def _running(settings: ServeSettings, log: logs.Log) -> Iterator[RunningServer]:
    config = settings.config
    tls = tls_files(settings.tls)
    options = ListenOptions(
        tls,
        settings.admin_listen,
        has_admin=settings.has_admin,
        has_reflection=settings.has_reflection,
    )
    require_consistent(settings.listen, options)
    known_tokens = tokens(settings)
    begin_s = monotonic()
    store = EmbeddedStore(
        settings.data, config, create=settings.create, accepted_losses=settings.accepted_losses
    )
    opening_seconds = monotonic() - begin_s
    try:
        authentication = Authentication(
            Credentials(config, store, now_us),
            now_us,
            known_tokens,
            is_switched_off=not settings.has_authentication,
        )
        for address in () if settings.insecure_listen else options.addresses(settings.listen):
            require_safe(address, tls_is_on=tls is not None, auth_is_on=authentication.is_on)
        observers = (log.calls,)
        server = RunningServer(config, store, settings.listen, now_us, options, authentication, observers)
        log_start(settings, server.addresses, opening_seconds)
        _LOG.info(authentication.summary())
        yield server
    finally:
        if metrics is not None:
            metrics.close()
        store.close()
