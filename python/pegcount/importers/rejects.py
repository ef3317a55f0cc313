"""The file of what could not be imported."""

import csv
from pathlib import Path
from types import TracebackType
from typing import TextIO

from pegcount.errors import ImportFileError


class RejectsFile:
    """CSV of rejected lines with the columns file, line, reason and text.

    The file is made with the first line that is added, so none is left where nothing was
    rejected. An older file of the same name is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def __enter__(self) -> "RejectsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, file: str, line: int, reason: str, text: str) -> None:
        """Add one line; raises ImportFileError where the file cannot be made."""
        if self._file is None:
            self._file = self._made()
            csv.writer(self._file).writerow(("file", "line", "reason", "text"))
        csv.writer(self._file).writerow((file, line, reason, text))

    def close(self) -> None:
        """Close the file, if one was made."""
        if self._file is not None:
            self._file.close()

    def _made(self) -> TextIO:
        try:
            return self.path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise ImportFileError(f"{self.path}: {error.strerror}") from error
