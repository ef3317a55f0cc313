"""The data directory: who owns it, and in which format it is."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from pegcount.errors import StoreOpenError


class DirectoryLock:
    """Keeps all other processes out of a data directory until released."""

    def __init__(self, directory: Path) -> None:
        """Takes the lock; raises StoreOpenError where another process has it."""
        path = directory / "lock"
        try:
            self._file: IO[str] = open(path, "a+", encoding="ascii")  # noqa: SIM115
        except OSError as error:
            raise StoreOpenError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise StoreOpenError(f"data directory {directory} is in use by process {owner}") from error
        # A full disk has no room for the number; the lock holds all the same.
        with suppress(OSError):
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def release(self) -> None:
        """Lets other processes in."""
        with suppress(OSError):
            self._file.close()


def prepare(directory: Path, create: bool) -> None:
    """Makes sure that a data directory is there.

    Raises StoreOpenError where it is missing and not to be created, or cannot be used.
    """
    if directory.is_dir():
        return
    if directory.exists():
        raise StoreOpenError(f"data directory {directory} is not a directory")
    if not create:
        raise StoreOpenError(
            f"data directory {directory} does not exist; `pegcount import` or mkdir makes one"
        )
    try:
        directory.mkdir(parents=True)
        fsync(directory.parent)
    except OSError as error:
        raise StoreOpenError(f"data directory {directory} cannot be created: {error.strerror}") from error


def fsync(path: Path) -> None:
    """Makes a file, or the names in a directory, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
