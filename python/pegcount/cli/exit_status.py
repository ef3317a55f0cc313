"""Exit statuses of the commands, and their errors as one sentence on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pegcount.errors import PegcountError

REJECTED_STATUS = 1
"""Some rows were rejected, or could not be written."""
PROBLEM_STATUS = 1
"""A check found damage."""
FAILED_STATUS = 2
"""The command failed."""
BROKEN_PIPE_STATUS = 141
"""The reader of the output has ended, as in `pegcount … | head -1`; what a shell reports for SIGPIPE."""


@contextmanager
def errors_as_exit_status() -> Iterator[None]:
    """Ends the command with a sentence and FAILED_STATUS if its block raises PegcountError or OSError.

    If nobody reads its output any more, it ends with BROKEN_PIPE_STATUS and without a sentence.
    """
    try:
        yield
    except BrokenPipeError as error:
        raise typer.Exit(BROKEN_PIPE_STATUS) from error
    except (PegcountError, OSError) as error:
        typer.echo(f"pegcount: {error}", err=True)
        raise typer.Exit(FAILED_STATUS) from error
