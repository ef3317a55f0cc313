"""The rejects file: lines that could not be imported, and why."""

import csv
from pathlib import Path
from types import TracebackType
from typing import TextIO

from pegcount.config import Config
from pegcount.errors import ImportFileError
from pegcount.importers.reject_kinds import RejectKinds


class RejectsFile:
    """CSV of rejected lines with the columns file, line, reason and text.

    The first rejected line creates the file and replaces an older one of the same name.
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
            return self.path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise ImportFileError(f"{self.path}: {error.strerror}") from error
