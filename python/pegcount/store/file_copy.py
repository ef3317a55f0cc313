"""Independent, durable copies of files: clones where the file system can, else copies of their bytes."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from pegcount.store.modes import open_private

_FICLONE = 0x40049409
"""An ioctl of Linux: the new file shares the blocks of the old one until either is written to."""
_PIECE_BYTES = 4 * 2**20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SQLITE_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}


class FileCopier:
    """Copies the files of one backup, and says how many bytes of it are done."""

    def __init__(self, byte_count: int, on_progress: Callable[[int, int], None]) -> None:
        """`on_progress` gets the bytes that are done, and `byte_count`, those of all files."""
        self._byte_count = byte_count
        self._on_progress = on_progress
        self._done = 0
        self._clones = True

    def copy(self, source: Path, target: Path, mode: int) -> None:
        """Copies the bytes that a file has now to a new file, durably.

        Raises OSError, at once if the disk has no room for this file and all that follow.
        """
        descriptor = open_private(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with source.open("rb", buffering=0) as old, os.fdopen(descriptor, "wb", buffering=0) as new:
            if not (self._clones and clone(old.fileno(), new.fileno())):
                self._require_room(target)
                self._copy_bytes(old.fileno(), new.fileno())
            os.fchmod(new.fileno(), mode)
            os.fsync(new.fileno())
            self._done += os.fstat(new.fileno()).st_size
        self._on_progress(self._done, self._byte_count)

    def _require_room(self, target: Path) -> None:
        if self._clones and free_bytes(target) < self._byte_count - self._done:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        self._clones = False

    def _copy_bytes(self, old: int, new: int) -> None:
        """Copies the bytes that a file has once its beginning was read: a journal file may grow faster.

        The header of a journal file says how long the file is at least, and is written after its batches. So
        the length must not be older than the header.
        """
        at, piece = 0, os.pread(old, _PIECE_BYTES, 0)
        byte_count = os.fstat(old).st_size
        while piece:
            at += os.pwrite(new, piece, at)
            self._on_progress(self._done + at, self._byte_count)
            piece = os.pread(old, min(_PIECE_BYTES, max(0, byte_count - at)), at)


def clone(old: int, new: int) -> bool:
    """Makes the new file share the blocks of the old one; returns whether the file system can."""
    try:
        fcntl.ioctl(new, _FICLONE, old)
    except OSError:
        # Another file system, or one that cannot clone.
        return False
    return True


def free_bytes(path: Path) -> int:
    """Returns the bytes that are free for this user on the file system of a path."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def is_disk_full(error: BaseException) -> bool:
    """Returns whether an error says that the disk, a quota or a limit of file sizes has no room left."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) in _SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _FULL
