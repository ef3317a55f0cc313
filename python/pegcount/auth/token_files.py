"""Reads the small files that the token configuration names, safe from other users of the machine."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pegcount.errors import PegcountError, cause_of

_FILE_BYTES_MAX: Final = 1024 * 1024
"""Bytes of one file; a key set of a hundred keys has some 50 KB."""


class TokenFileError(PegcountError):
    """A file of keys or the token configuration cannot be used; the text says why."""


def read_secret_file(path: Path) -> bytes:
    """Returns the bytes of a file that only its owner may read, who is root or the user of the server.

    Raises TokenFileError.
    """
    return _read(path, _require_secret)


def read_public_file(path: Path) -> bytes:
    """Returns the bytes of a file that only its owner may write; raises TokenFileError."""
    return _read(path, _require_unwritable)


def _require_secret(path: Path, status: os.stat_result) -> None:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TokenFileError(f"{path}: other users may read it; run chmod 600 {path}")
    if status.st_uid not in (0, os.geteuid()):
        raise TokenFileError(
            f"{path}: it belongs to another user, who may read and change it; run chown {os.geteuid()} {path}"
        )


def _require_unwritable(path: Path, status: os.stat_result) -> None:
    if status.st_mode & stat.S_IWOTH:
        raise TokenFileError(f"{path}: all users may write it; run chmod go-w {path}")
    if status.st_mode & stat.S_IWGRP:
        raise TokenFileError(f"{path}: its group may write it; run chmod go-w {path}")


def _read(path: Path, require_safe: Callable[[Path, os.stat_result], None]) -> bytes:
    try:
        # Without O_NONBLOCK, a named pipe would hold the server up until somebody writes to it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise TokenFileError(f"{path}: not a regular file")
            require_safe(path, status)
            content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise TokenFileError(f"{path}: {cause_of(error)}") from error
    except ValueError as error:
        # A configuration may name a file with a NUL.
        raise TokenFileError(f"{str(path)!r}: no file has such a name: {error}") from error
    if len(content) > _FILE_BYTES_MAX:
        raise TokenFileError(f"{path}: more than {_FILE_BYTES_MAX} bytes")
    return content
