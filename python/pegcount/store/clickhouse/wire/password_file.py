"""Reads the password of a cluster from a file."""

import os
import stat
from pathlib import Path
from typing import Final

from pegcount.errors import StoreAddressError, cause_of

_BYTES_MAX: Final = 4_096


def password_of_file(path: Path) -> str:
    """Returns the text of a file that only its owner may read, without the end of its line.

    Raises StoreAddressError.
    """
    try:
        # Without O_NONBLOCK, a named pipe would hold the server up until somebody writes to it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(_BYTES_MAX + 1)
    except OSError as error:
        raise StoreAddressError(f"password_file {path}: {cause_of(error)}") from error
    except ValueError as error:
        raise StoreAddressError("password_file is not the path of a file") from error
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StoreAddressError(f"password_file {path}: other users may read it; run chmod 600 {path}")
    if len(content) > _BYTES_MAX:
        raise StoreAddressError(f"password_file {path}: it has more than {_BYTES_MAX:,} bytes")
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise StoreAddressError(f"password_file {path}: it is not a text in UTF-8") from error
    if not text:
        raise StoreAddressError(f"password_file {path}: it is empty")
    return text
