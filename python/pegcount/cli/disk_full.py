"""A disk that is full as one sentence, of commands that write a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pegcount.errors import NoSpaceError
from pegcount.store.file_copy import free_bytes, is_disk_full


@contextmanager
def disk_full_as_sentence(out: Path) -> Iterator[None]:
    """Raises NoSpaceError if its block finds no room for the file; other errors as they are."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        # Of what is free again, now that the file has been removed.
        free = free_bytes(out.absolute().parent)
        raise NoSpaceError(
            f"the export to {out} needs more than the {free:,} bytes that are free: {error.strerror}"
        ) from error
