"""Reads the small files that the token configuration names, safe from other users of the machine."""

import os
import stat
from pathlib import Path
from typing import Final

from pegcount.errors import PegcountError, cause_of

_FILE_BYTES_MAX: Final = 1024 * 1024
"""Bytes of one file; a key set of a hundred keys has some 50 KB."""


class TokenFileError(PegcountError):
    """A file of keys or the token configuration cannot be used; the text says why."""


def read_secret_file(path: Path) -> bytes:
    """Returns the bytes of a file that only its owner may read; raises TokenFileError."""
    return _read(path, stat.S_IRWXG | stat.S_IRWXO, "other users may read it; run chmod 600 {}")


def read_public_file(path: Path) -> bytes:
    """Returns the bytes of a file that no other user may write; raises TokenFileError."""
    return _read(path, stat.S_IWOTH, "all users may write it; run chmod o-w {}")


def _read(path: Path, forbidden_mode: int, reason: str) -> bytes:
    try:
        # Without O_NONBLOCK, a named pipe would hold the server up until somebody writes to it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise TokenFileError(f"{path}: not a regular file")
            if status.st_mode & forbidden_mode:
                raise TokenFileError(f"{path}: {reason.format(path)}")
            content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise TokenFileError(f"{path}: {cause_of(error)}") from error
    if len(content) > _FILE_BYTES_MAX:
        raise TokenFileError(f"{path}: more than {_FILE_BYTES_MAX} bytes")
    return content
