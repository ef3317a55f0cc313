"""`pegcount serve`."""

import logging
import resource
import signal
from types import FrameType

import typer

from pegcount import process
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.serve_options import reads_settings
from pegcount.logs import occupy_standard_files
from pegcount.settings import Sources, load

_LOG = logging.getLogger(__name__)


@reads_settings
def serve(sources: Sources) -> None:
    """Answer reports over gRPC until SIGTERM or SIGINT.

    A flag beats the variable of its name, that the file of --config, that the default. SIGHUP reads file and
    variables again.
    """
    occupy_standard_files()
    _raise_open_file_limit()
    with errors_as_exit_status():
        loaded = load(sources)
        settings = loaded.settings()
        for warning in loaded.warnings():
            _LOG.warning("%s", warning)
        reload = process.ReloadRequest(lambda: load(sources))
        process.serve(settings, _stop_on_signals(), typer.echo, _reload_on_signal(reload))


def _stop_on_signals() -> process.StopRequest:
    """Returns an event that SIGTERM and SIGINT set."""
    stop = process.StopRequest()

    def end(number: int, _: FrameType | None) -> None:
        stop.reason = signal.Signals(number).name
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


def _reload_on_signal(reload: process.ReloadRequest) -> process.ReloadRequest:
    """Returns a request that SIGHUP makes."""
    signal.signal(signal.SIGHUP, lambda *_: reload.ask())
    return reload


def _raise_open_file_limit() -> None:
    """Raises the soft limit of open files to the hard one: each connection and segment needs a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
