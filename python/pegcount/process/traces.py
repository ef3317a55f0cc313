"""The traces of a server, where the installation has them."""

from collections.abc import Iterator
from contextlib import contextmanager

from pegcount.errors import PegcountError
from pegcount.server.observed_call import CallObserver
from pegcount.settings import ServeSettings

_PACKAGES = ("opentelemetry",)


class MissingTracesError(PegcountError):
    """The settings ask for traces, which need an extra that is not installed."""


@contextmanager
def traced(settings: ServeSettings) -> Iterator[tuple[CallObserver, ...]]:
    """Yields the observer that exports traces; nothing if they are off.

    Raises MissingTracesError without the extra `traces`, and TraceSettingError.
    """
    if not settings.traces:
        yield ()
        return
    try:
        from pegcount.tracing import exporting_tracer  # noqa: PLC0415 - not every installation has it
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _PACKAGES:
            raise
        raise MissingTracesError(
            "traces need opentelemetry, which is not installed: pip install 'pegcount[traces]', or switch"
            " traces off"
        ) from error
    tracer = exporting_tracer()
    try:
        yield (tracer,)
    finally:
        tracer.close()
