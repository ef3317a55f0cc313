"""Modes of a data directory: calls name callers and callees, so only the owner may read them.

Directories have mode 0700, files 0600, and files that never change again 0400.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

_LOG = logging.getLogger(__name__)

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
READ_ONLY_FILE_MODE = 0o400
_PATTERNS = {
    "catalog.db*": FILE_MODE,
    "lock": FILE_MODE,
    "readers": FILE_MODE,
    "decks": DIRECTORY_MODE,
    "decks/*.zlib": READ_ONLY_FILE_MODE,
    "journal": DIRECTORY_MODE,
    "journal/*.log": FILE_MODE,
    "segments": DIRECTORY_MODE,
    "segments/*": DIRECTORY_MODE,
    "segments/*/*.arrow": READ_ONLY_FILE_MODE,
    "active": DIRECTORY_MODE,
    "active/*.arrow": READ_ONLY_FILE_MODE,
}


def make_directory(path: Path) -> None:
    """Makes a directory, and those above it, that only the owner may enter, unless it exists."""
    path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)


def open_private(path: str | Path, flags: int) -> int:
    """Opens a file that only the owner may read, if this creates it; an `opener` of `open`."""
    return os.open(path, flags, FILE_MODE)


def create_private(path: Path) -> None:
    """Creates a file that only the owner may read, unless it exists."""
    os.close(open_private(path, os.O_RDWR | os.O_CREAT))


def tighten(directory: Path) -> None:
    """Takes the rights of group and others from an older directory, and logs how many files it changed.

    Files of another owner keep their modes, which the log says too.
    """
    changed, refused = 0, list[OSError]()
    for path, mode in _private_files(directory):
        try:
            if S_IMODE(path.lstat().st_mode) & ~mode and not path.is_symlink():
                path.chmod(mode)
                changed += 1
        except OSError as error:
            refused.append(error)
    if changed:
        _LOG.info("%s: only the owner may read %d files and directories from now on", directory, changed)
    if refused:
        _LOG.warning(
            "%s: the modes of %d files and directories could not be changed: %s",
            directory,
            len(refused),
            refused[0],
        )


def _private_files(directory: Path) -> Iterator[tuple[Path, int]]:
    yield directory, DIRECTORY_MODE
    for pattern, mode in _PATTERNS.items():
        for path in directory.glob(pattern):
            yield path, mode
