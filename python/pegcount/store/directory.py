"""Creation of a data directory, and the lock of the process that owns it."""

import errno
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from pegcount.core import RequiredFile
from pegcount.errors import StoreInUseError, StoreOpenError
from pegcount.store.advice import lost_catalog_text
from pegcount.store.modes import DIRECTORY_MODE, open_private

_LOG = logging.getLogger(__name__)

_CATALOG = "catalog.db"
_PARTS = ("segments", "active", "journal", "decks")
"""What a directory with records has beside its catalogue, or some of it."""
_OF_A_NEW_ONE = {"lock", "readers", f"{_CATALOG}-journal", "catalog.tmp", "lost+found"}
"""What a directory without records may have: remainders of its creation, and what a file system makes."""


class DirectoryLock:
    """Exclusive ownership of a data directory by this process, until released.

    It locks the directory itself, which cannot be removed unnoticed, and its file `lock`: programs of earlier
    versions look at that file alone.
    """

    def __init__(self, directory: Path) -> None:
        """Takes the lock; raises StoreOpenError if another process has it, or the directory is missing."""
        self._path = directory / "lock"
        self._is_released = False
        self._directory = _opened(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._lock_directory(directory)
            self._file = self._locked_file()
        except BaseException:
            _unlock_and_close(self._directory)
            raise

    def restore_file(self) -> None:
        """Makes the file `lock` anew, after it was removed; raises StoreOpenError if it is locked."""
        file = self._locked_file()
        _unlock_and_close(self._file)
        self._file = file

    def release(self) -> None:
        """Releases the directory to other processes; does nothing the second time."""
        # The numbers of closed descriptors are given again: to close them twice could release another lock.
        if not self._is_released:
            self._is_released = True
            _unlock_and_close(self._file)
            _unlock_and_close(self._directory)

    def required_files(self) -> list[RequiredFile]:
        """Returns the directory and its file `lock`, which must stay where they are."""
        return [_required("", self._directory), _required("lock", self._file)]

    def _lock_directory(self, directory: Path) -> None:
        try:
            fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                raise self._in_use() from error
            # Some network file systems lock regular files only.
            _LOG.warning("%s cannot be locked itself, only its file lock: %s", directory, error.strerror)

    def _locked_file(self) -> int:
        descriptor = _opened(self._path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise self._in_use() from error
        # On a full disk the process id cannot be written; the lock holds without it.
        with suppress(OSError):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def _in_use(self) -> StoreInUseError:
        owner = "unknown"
        with suppress(OSError):
            owner = self._path.read_text(encoding="ascii", errors="replace").strip() or owner
        return StoreInUseError(f"data directory {self._path.parent} is in use by process {owner}")


def prepare(directory: Path, create: bool) -> None:
    """Checks that a data directory has records; with `create`, makes one that is missing or empty.

    Raises StoreOpenError, and changes nothing, if it is missing or empty and `create` is not set, is not a
    directory, has files of others in place of a catalogue, or cannot be created.
    """
    if not directory.exists():
        if not create:
            raise StoreOpenError(f"data directory {directory} does not exist; {_ADVICE}")
        _create(directory)
    elif not directory.is_dir():
        raise StoreOpenError(f"data directory {directory} is not a directory")
    elif not (directory / _CATALOG).exists():
        _require_new(directory, create)


_ADVICE = "`pegcount serve --create` and `pegcount import` make a new one"


def fsync(path: Path) -> None:
    """Syncs a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def journal_name(number: int) -> str:
    """Returns the path of a journal file, relative to the data directory."""
    return f"journal/{number:08}.log"


def _require_new(directory: Path, create: bool) -> None:
    names = sorted({path.name for path in directory.iterdir()} - _OF_A_NEW_ONE)
    if create and (foreign := [name for name in names if name not in _PARTS]):
        raise StoreOpenError(
            f"{directory} is not a data directory: it has {foreign[0]} and no {_CATALOG}; --create makes one"
            " that is missing or empty"
        )
    if parts := [part for part in _PARTS if part in names]:
        raise StoreOpenError(lost_catalog_text(directory / _CATALOG, parts))
    if not create:
        raise StoreOpenError(f"data directory {directory} has no records; is its volume mounted? {_ADVICE}")


def _create(directory: Path) -> None:
    try:
        directory.mkdir(mode=DIRECTORY_MODE, parents=True)
        fsync(directory.parent)
    except OSError as error:
        raise StoreOpenError(f"data directory {directory} cannot be created: {error.strerror}") from error


def _unlock_and_close(descriptor: int) -> None:
    # A child process that another thread is starting has the descriptor too, until it becomes its program.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _required(name: str, descriptor: int) -> RequiredFile:
    status = os.fstat(descriptor)
    return RequiredFile(name, (status.st_dev, status.st_ino), None)


def _opened(path: Path, flags: int) -> int:
    try:
        return open_private(path, flags | os.O_CLOEXEC)
    except OSError as error:
        raise StoreOpenError(f"{path} cannot be opened: {error.strerror}") from error
