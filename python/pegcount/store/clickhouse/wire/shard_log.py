"""What the log has of the failures of a server, which every call may meet anew."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

_LINE_EVERY_SECONDS: Final = 10.0
_TEXT_CHARS_MAX: Final = 1_000
"""Characters of a text of ClickHouse that a line has."""
_LOG = logging.getLogger(__name__)


class ShardLog:
    """Logs a failure of a kind at once, and counts further ones of the same 10 s. Thread-safe.

    The kinds are few: the codes of errors of ClickHouse, and those of errors of connections.
    """

    def __init__(self, place: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`place` names the server to an operator; `clock` returns seconds."""
        self.place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[str, tuple[float, int]] = {}

    def add(self, kind: str, text: str) -> None:
        """Logs a warning, unless there was one of this kind within 10 s; the next one tells how many."""
        now_s = self._clock()
        with self._lock:
            logged_s, omitted_count = self._lines.get(kind, (float("-inf"), 0))
            if now_s - logged_s < _LINE_EVERY_SECONDS:
                self._lines[kind] = (logged_s, omitted_count + 1)
                return
            self._lines[kind] = (now_s, 0)
        omitted = f" ({omitted_count} like it before)" if omitted_count else ""
        _LOG.warning("%s %s%s", self.place, text[:_TEXT_CHARS_MAX], omitted)
