"""Keeps files that a command writes out of the data directory that it reads."""

from pathlib import Path

from pegcount.errors import StoreOpenError


def require_outside(directory: Path, path: Path, what: str) -> None:
    """Raises StoreOpenError if a file or directory to write is, or would be, in a data directory.

    There it would replace a file of the store, or the store would take it for one of its own.
    """
    inner = directory.resolve()
    # A symbolic link is replaced in its own directory, or written through.
    for place in (path.resolve(), path.parent.resolve() / path.name):
        if place.is_relative_to(inner):
            raise StoreOpenError(
                f"{path} is in the data directory {directory}; choose a place outside it for {what}"
            )
