"""The lock that readers of a data directory share, so that its owner removes no file that they may need.

A reader, such as a backup, reads the catalogue and then opens or copies the files that it names. The owner
removes replaced files only while it has the lock alone, which it never waits for.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pegcount.config import Config
from pegcount.errors import StoreOpenError
from pegcount.store.modes import open_private

_LOG = logging.getLogger(__name__)

DEFAULT_CONFIG = Config()
_NAME = "readers"


@contextmanager
def reading(directory: Path, config: Config = DEFAULT_CONFIG) -> Iterator[None]:
    """Holds the lock as a reader; files that the catalogue names during the block stay until its end.

    A directory without the file has had no owner yet that knows the lock, and is read without it. Raises
    StoreOpenError if another process holds the lock for longer than `lock_wait_seconds_max`.
    """
    with ExitStack() as opened:
        with suppress(FileNotFoundError):
            file = opened.enter_context((directory / _NAME).open("rb"))
            _wait_for_share(file, directory / _NAME, config)
            # A child process that another thread is starting has the file too, and with it the lock.
            opened.callback(fcntl.flock, file, fcntl.LOCK_UN)
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


def _wait_for_share(file: BinaryIO, path: Path, config: Config) -> None:
    """Takes the lock as a reader: the owner holds it only while it removes files, others may for long."""
    start, is_said = time.monotonic(), False
    while not _has_share(file):
        waited = time.monotonic() - start
        if waited >= config.lock_wait_seconds_max:
            raise StoreOpenError(
                f"another program holds {path}; gave up after lock_wait_seconds_max"
                f" ({config.lock_wait_seconds_max:g} s)"
            )
        if waited >= config.lock_wait_log_seconds and not is_said:
            is_said = True
            _LOG.warning("waiting for another program, which holds %s", path)
        time.sleep(config.lock_look_seconds)


def _has_share(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
