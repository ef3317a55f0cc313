"""Atomic replacement of a file: written under a temporary name, flushed, renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_MODE: Final = 0o600


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yields a temporary file that replaces `path` atomically; a power cut right after the block may still
    leave the old file, at the end of the block.

    Only its owner may read it: records name callers. If the block raises, the temporary file is removed and
    `path` is unchanged.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        # One that a crash left may have another mode.
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
