"""A clock of one process that a test moves."""

import os
from collections.abc import Mapping
from pathlib import Path

from operations.debian import unpacked


class MovableClock:
    """The clock of a server, read anew from a file at each look; its monotonic clock stays true."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.jump(0)
        (library,) = unpacked("libfaketime").glob("usr/lib/*/faketime/libfaketime.so.1")
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, days: int) -> None:
        """Moves the clock to some days ahead of the true time, in one step."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"+{days}d\n", encoding="utf-8")
        os.replace(fresh, self._path)
