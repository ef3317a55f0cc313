"""What the log has of the start and the stop of a server."""

import logging
import platform
import threading
from collections.abc import Sequence

from pegcount.process.stop_request import StopRequest
from pegcount.settings import ServeSettings
from pegcount.version import VERSION

_LOG = logging.getLogger(__name__)


def log_start(settings: ServeSettings, addresses: Sequence[str], opening_seconds: float) -> None:
    """Logs what serves which data where; `opening_seconds` is how long the store took to open."""
    opening_ms = round(1_000 * opening_seconds)
    fields = {
        "version": VERSION,
        "python_version": platform.python_version(),
        "store": str(settings.store),
        "follower": settings.follower,
        "addresses": ", ".join(addresses),
        "tls": settings.tls.certificate is not None,
        "opening_ms": opening_ms,
    }
    tls = "with TLS" if settings.tls.certificate is not None else "in plain text"
    _LOG.info(
        "pegcount %s serves %s at %s %s; the store took %d ms to open",
        *(VERSION, settings.store, " and ".join(addresses), tls, opening_ms),
        extra={"fields": fields},
    )


def log_stop(stop: threading.Event) -> None:
    """Logs that the server stops from now on, and why."""
    reason = stop.reason if isinstance(stop, StopRequest) else "asked to"
    _LOG.info("stopping: %s", reason, extra={"fields": {"reason": reason}})


def log_stop_delay(seconds: float) -> None:
    """Logs that the server answers calls for some seconds more."""
    text = "health is NOT_SERVING; answers calls for %g s more, until told again to stop"
    _LOG.info(text, seconds, extra={"fields": {"stop_delay_seconds": seconds}})


def log_stopped(seconds: float) -> None:
    """Logs that the server has stopped; `seconds` is how long its calls took to end."""
    stop_ms = round(1_000 * seconds)
    _LOG.info("stopped after %d ms: all calls have ended", stop_ms, extra={"fields": {"stop_ms": stop_ms}})
