"""One server process: the store, the server over it, and what operators see of both."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pegcount.auth import Credentials
from pegcount.errors import PegcountError
from pegcount.metrics import MetricsEndpoint, ServerMetrics
from pegcount.process.serve_inputs import require_consistent, tls_files, tokens
from pegcount.process.service_manager import notify_service_manager
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
    with (
        _metrics_at(settings.metrics_listen) as (metrics, metrics_url),
        _running(settings, metrics) as server,
    ):
        for address, what in zip(server.addresses, ("", " for AdminService and reflection"), strict=False):
            announce(f"listening on {address}{what}")
        notify_service_manager("READY=1")
        while not stop.wait(_LOOK_SECONDS):
            if not server.is_running():
                raise ServerFailedError("the server has failed; its log says why")
        notify_service_manager("STOPPING=1")
        server.stop()


@contextmanager
def _metrics_at(address: str | None) -> Iterator[tuple[ServerMetrics | None, str | None]]:
    """Answers scrapes within its block, so also while the server starts and stops; yields the URL."""
    if address is None:
        yield None, None
        return
    metrics = ServerMetrics()
    endpoint = MetricsEndpoint(address, metrics.registry)
    try:
        yield metrics, endpoint.url
    finally:
        endpoint.close()
        metrics.close()


@contextmanager
def _running(settings: ServeSettings, metrics: ServerMetrics | None) -> Iterator[RunningServer]:
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
    store = EmbeddedStore(
        settings.data, config, create=settings.create, accepted_losses=settings.accepted_losses
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
        observers = [] if metrics is None else [metrics.calls]
        server = RunningServer(config, store, settings.listen, now_us, options, authentication, observers)
        if metrics is not None:
            metrics.watch_store(store)
            metrics.watch_server(server.state)
        _LOG.info(authentication.summary())
        yield server
    finally:
        if metrics is not None:
            metrics.close()
        store.close()
