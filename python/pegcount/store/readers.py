"""The lock that readers of a data directory share, so that its owner removes no file that they may need.

A reader, such as a backup, reads the catalogue and then opens or copies the files that it names. The owner
removes replaced files only while it has the lock alone, which it never waits for.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pegcount.errors import StoreOpenError
from pegcount.store.modes import open_private

_NAME = "readers"


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Holds the lock as a reader; files that the catalogue names during the block stay until its end.

    A directory without the file has had no owner yet that knows the lock, and is read without it.
    """
    with ExitStack() as opened:
        with suppress(FileNotFoundError):
            file = opened.enter_context((directory / _NAME).open("rb"))
            # Waits only while the owner removes files.
            fcntl.flock(file, fcntl.LOCK_SH)
        yield


class ReadersLock:
    """The owner's side of the lock."""

    def __init__(self, directory: Path) -> None:
        """Makes the file of the lock if it is missing; raises StoreOpenError if that fails."""
        path = directory / _NAME
        try:
            self._file = os.fdopen(open_private(path, os.O_RDWR | os.O_CREAT), "rb")
        except OSError as error:
            raise StoreOpenError(f"{path} cannot be opened: {error.strerror}") from error

    @contextmanager
    def without_readers(self) -> Iterator[bool]:
        """Yields whether no reader is in; if so, new readers wait until the end of the block."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
