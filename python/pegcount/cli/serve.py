"""`pegcount serve`."""

import os
import resource

import typer

from pegcount import process
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.serve_options import reads_settings
from pegcount.errors import cause_of
from pegcount.logs import occupy_standard_files
from pegcount.settings import Sources, load


@reads_settings
def serve(sources: Sources) -> None:
    """Answer reports over gRPC until SIGTERM or SIGINT.

    A flag beats the variable of its name, that the file of --config, that the default. SIGHUP reads the file
    again; flags and variables stay those of the start.
    """
    occupy_standard_files()
    _raise_open_file_limit()
    with errors_as_exit_status():
        # Before the first look, so that no change after it is missed.
        reload = process.ReloadRequest(lambda: load(sources, looks_for_files=True))
        with process.signals_taken(reload) as stop:
            loaded = reload.read()
            warnings = [str(warning) for warning in loaded.warnings()]
            try:
                process.serve(loaded.settings(), stop, _announce, reload, warnings)
            except process.StoppedWhileOpeningError:
                # The end of the interpreter would wait for the thread that opens the store, or abort in it.
                os._exit(0)


def _announce(line: str) -> None:
    """Writes a line to standard output; an error names it, but one that says that nobody reads any more."""
    try:
        typer.echo(line)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(
            f"cannot write to standard output, which gets the addresses: {cause_of(error)}"
        ) from error


def _raise_open_file_limit() -> None:
    """Raises the soft limit of open files to the hard one: each connection and segment needs a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
