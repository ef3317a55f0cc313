"""Commands that need an extra of the distribution, which not every installation has."""

from collections.abc import Iterator
from contextlib import contextmanager

from pegcount.errors import PegcountError

_EXTRA_OF_PACKAGE = {"pyarrow": "export"}
"""The extra that installs a package."""


class MissingExtraError(PegcountError):
    """A command needs a package that is not installed."""


@contextmanager
def required_by(command: str) -> Iterator[None]:
    """Raises MissingExtraError if the block imports a package of an extra that is not installed.

    `command` says what needs it, for the sentence.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in _EXTRA_OF_PACKAGE:
            raise
        extra = _EXTRA_OF_PACKAGE[package]
        raise MissingExtraError(
            f"{command} needs {package}, which is not installed: pip install 'pegcount[{extra}]'"
        ) from error
