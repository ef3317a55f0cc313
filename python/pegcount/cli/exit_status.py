"""How the command line says what went wrong: one sentence and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pegcount.errors import PegcountError

REJECTED_STATUS = 1
"""Exit status where some rows were rejected, or could not be written."""
PROBLEM_STATUS = 1
"""Exit status where something that was looked at is not as it should be."""
FAILED_STATUS = 2
"""Exit status where the command could not do what it was asked."""


@contextmanager
def errors_as_exit_status() -> Iterator[None]:
    """Ends the command with a sentence for every error that a person can do something about."""
    try:
        yield
    except (PegcountError, OSError) as error:
        typer.echo(f"pegcount: {error}", err=True)
        raise typer.Exit(FAILED_STATUS) from error
