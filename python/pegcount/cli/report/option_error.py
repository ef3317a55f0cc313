"""The error of an option of `pegcount report`."""

from collections.abc import Iterator
from contextlib import contextmanager

from pegcount.errors import PegcountError


class ReportOptionError(PegcountError):
    """An option has a value that it cannot have, alone or beside others."""


@contextmanager
def numbers_that_fit() -> Iterator[None]:
    """Raises ReportOptionError if a message built in the block cannot hold a value, such as 2**64."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ReportOptionError(f"an option has a value that no request can hold: {error}") from error
