"""The rejects file: lines that could not be imported, and why."""

import csv
import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import Final, TextIO

from pegcount.config import Config
from pegcount.errors import ImportFileError
from pegcount.importers.reject_kinds import RejectKinds

_MODE: Final = 0o600


class RejectsFile:
    """CSV of rejected lines with the columns file, line, reason and text.

    The first rejected line creates the file and replaces an older one of the same name. Only its owner may
    read it: it has whole rows, for people to mend.
    Without rejected lines, no file is created. `kinds` counts them by reason.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.kinds = RejectKinds(config.tuning.reject_kind_count_max)
        self._file: TextIO | None = None

    def __enter__(self) -> "RejectsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, file: str, line: int, reason: str, text: str) -> None:
        """Adds one line; raises ImportFileError if the file cannot be created."""
        self.kinds.add(file, line, reason)
        if self._file is None:
            self._file = self._create()
            csv.writer(self._file).writerow(("file", "line", "reason", "text"))
        csv.writer(self._file).writerow((file, line, reason, text))

    def close(self) -> None:
        """Closes the file, if one was created."""
        if self._file is not None:
            self._file.close()

    def _create(self) -> TextIO:
        try:
            return open(
                self.path, "w", encoding="utf-8", errors="backslashreplace", newline="", opener=_opened
            )
        except OSError as error:
            raise ImportFileError(f"{self.path}: {error.strerror}") from error


def _opened(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, _MODE)
    # An older file keeps its mode otherwise. A device or a pipe is not ours to change, nor is the file of
    # another user.
    if S_ISREG(os.fstat(descriptor).st_mode):
        with suppress(PermissionError):
            os.fchmod(descriptor, _MODE)
    return descriptor
