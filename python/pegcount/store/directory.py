"""Creation of a data directory, and the lock of the process that owns it."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from pegcount.errors import StoreOpenError
from pegcount.store import modes


class DirectoryLock:
    """Exclusive ownership of a data directory by this process, until released."""

    def __init__(self, directory: Path) -> None:
        """Takes the lock; raises StoreOpenError if another process has it."""
        path = directory / "lock"
        try:
            self._file: IO[str] = open(path, "a+", encoding="ascii", opener=modes.open_private)  # noqa: SIM115
        except OSError as error:
            raise StoreOpenError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise StoreOpenError(f"data directory {directory} is in use by process {owner}") from error
        # On a full disk the process id cannot be written; the lock holds without it.
        with suppress(OSError):
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def release(self) -> None:
        """Releases the directory to other processes."""
        with suppress(OSError):
            self._file.close()


def prepare(directory: Path, create: bool) -> None:
    """Checks that a data directory exists; creates it if it is missing and `create` is set.

    Raises StoreOpenError if it is missing and `create` is not set, is not a directory, or
    cannot be created.
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
        directory.mkdir(mode=modes.DIRECTORY_MODE, parents=True)
        fsync(directory.parent)
    except OSError as error:
        raise StoreOpenError(f"data directory {directory} cannot be created: {error.strerror}") from error


def fsync(path: Path) -> None:
    """Syncs a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
