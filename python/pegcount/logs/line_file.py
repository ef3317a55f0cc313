"""The target of a log: a file or standard error. A target that takes no bytes must not block the server."""

import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pegcount.errors import PegcountError

_PIECE_BYTES = 4_096
"""Bytes that a pipe takes at once if it is ready; POSIX guarantees 512, and Linux this."""
_LOOK_MS = 50
_MODE = 0o600


class LogFileError(PegcountError):
    """The file of the log cannot be opened."""


class LineFile:
    """An open file, pipe or terminal. One thread writes; any thread may have it opened again."""

    def __init__(self, path: Path | None) -> None:
        """Opens a file to append to; None: standard error. Raises LogFileError."""
        self._number = _opened(path)
        self._reopened: deque[int] = deque()
        self._is_in_line = False

    def reopen(self, path: Path | None) -> None:
        """Opens a path, or the same one again, as `logrotate` may have renamed its file.

        Raises LogFileError if that fails; lines then go where they went before.
        """
        self._reopened.append(_opened(path))

    def take_reopened(self) -> None:
        """Has further lines go to the file that was opened last, and closes the others."""
        while self._reopened:
            with suppress(OSError):
                os.close(self._number)
            self._number, self._is_in_line = self._reopened.popleft(), False

    def write(self, lines: bytes, gives_up: Callable[[], bool]) -> int:
        """Writes lines; returns how many bytes of them were written, fewer than all after an error.

        It waits for a reader of a pipe until `gives_up()`, or until another file is opened, which then gets
        the rest. After a line that was cut, as by a full disk, the
        next one begins on its own.
        """
        self.take_reopened()
        count = self._write_rest(lines, gives_up)
        while count < len(lines) and self._reopened:
            self.take_reopened()
            # The line that was cut in the file before is whole in this one.
            begin = lines.rfind(b"\n", 0, count) + 1
            count = begin + self._write_rest(lines[begin:], gives_up)
        return count

    def close(self) -> None:
        """Closes the file; the thread that writes must have ended."""
        self.take_reopened()
        with suppress(OSError):
            os.close(self._number)

    def _write_rest(self, lines: bytes, gives_up: Callable[[], bool]) -> int:
        if self._is_in_line and not self._write(b"\n", gives_up):
            return 0
        count = self._write(lines, gives_up)
        self._is_in_line = lines[count - 1] != ord("\n") if count else False
        return count

    def _write(self, data: bytes, gives_up: Callable[[], bool]) -> int:
        count = 0
        while count < len(data):
            if not self._is_ready():
                if self._reopened or gives_up():
                    break
                continue
            try:
                count += os.write(self._number, data[count : count + _PIECE_BYTES])
            except BlockingIOError:
                # Ready for less than a piece, as a socket may be.
                if self._reopened or gives_up():
                    break
                time.sleep(_LOOK_MS / 1_000)
            except OSError:
                break
        return count

    def _is_ready(self) -> bool:
        """Whether the file takes bytes or an error, after waiting for a moment."""
        poll = select.poll()
        poll.register(self._number, select.POLLOUT)
        return bool(poll.poll(_LOOK_MS))


def _opened(path: Path | None) -> int:
    if path is None:
        # Its own number, as tests and libraries may put another file in the place of standard error.
        return os.dup(sys.__stderr__.fileno()) if sys.__stderr__ else os.open(os.devnull, os.O_WRONLY)
    # Without O_NONBLOCK, to open a named pipe would wait for its reader.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags, _MODE)
    except OSError as error:
        raise LogFileError(
            f"cannot write the log to {path}: {error.strerror}; name a file in a directory that the user of"
            " the server may write, or leave the option out for standard error"
        ) from error
