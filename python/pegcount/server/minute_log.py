"""Log lines that a client can cause at will: one per kind and minute, so that no client fills the log."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

_MINUTE_S = 60.0
_KIND_COUNT_MAX = 1_000
"""Kinds whose last line is known, such as one per credential; of further ones, the oldest is forgotten."""
_GRPC_LOG = logging.getLogger("grpc._cython.cygrpc")
_SILENCED = ("ExecuteBatchError raised in core by servicer method", "Invalid encoding on")


class MinuteLog:
    """Logs the first event of a kind at once, and counts the further ones of the same minute.

    The next line of the kind tells how many were left out.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._logger = logger
        self._clock = clock
        self._minutes: OrderedDict[str, _Minute] = OrderedDict()

    def add(self, kind: str, text: str, error: Exception | None = None) -> None:
        """Logs a warning, or `error` with its traceback, unless the last minute has a line of this kind."""
        now_s = self._clock()
        minute = self._minutes.get(kind)
        if minute is not None and now_s - minute.start_s < _MINUTE_S:
            minute.omitted_count += 1
            return
        omitted = f" ({minute.omitted_count} like it before)" if minute and minute.omitted_count else ""
        self._minutes[kind] = _Minute(now_s)
        self._minutes.move_to_end(kind)
        if len(self._minutes) > _KIND_COUNT_MAX:
            self._minutes.popitem(last=False)
        level = logging.WARNING if error is None else logging.ERROR
        self._logger.log(level, "%s%s", text, omitted, exc_info=error)


def silence_grpc() -> None:
    """Keeps gRPC from logging, with a traceback, what any client can cause at will.

    These are clients that leave before they get their answer, and metadata that is not UTF-8.
    """
    _GRPC_LOG.addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_SILENCED)


class _Minute:
    """The minute that a logged line began."""

    __slots__ = ("omitted_count", "start_s")

    def __init__(self, start_s: float) -> None:
        self.start_s = start_s
        self.omitted_count = 0
