"""The log of a process: records of the logging module and a line for each call, written by one thread."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from time import monotonic
from typing import TypeAlias

from pegcount.backlog import Backlog
from pegcount.logs.call_lines import CallLine, call_as_json, call_as_text
from pegcount.logs.call_log import CallLog
from pegcount.logs.line_file import LineFile, LogFileError
from pegcount.logs.line_formats import JsonFormat, TextFormat
from pegcount.settings import LogFormat, LogSettings, ServeSettings

__all__ = ["Log", "LogFileError", "opened"]

_QUEUE_COUNT_MAX = 10_000
_CLOSE_SECONDS = 2.0
"""Seconds for which the end of the log waits for the lines that are not written yet."""
_LOG = logging.getLogger(__name__)

_Line: TypeAlias = "str | CallLine"


class Log:
    """An open log. No caller waits for it: lines that do not fit into its queue are dropped and counted."""

    def __init__(self, settings: LogSettings, queue_count_max: int = _QUEUE_COUNT_MAX) -> None:
        """Opens the file of the settings; raises LogFileError."""
        self._file = LineFile(settings.file)
        self._format: logging.Formatter = TextFormat()
        self._format_call = call_as_text
        self._unwritten_count = 0
        self._told_count = 0
        self._give_up_s: float | None = None
        self.calls = CallLog(settings, self._add)
        """The observer that has a line written for each call."""
        self._backlog: Backlog[_Line] = Backlog("log", self._write, queue_count_max, self._tick)
        self.handler: logging.Handler = _Handler(self._add)
        """What the loggers of this process hand their records to."""
        self._take(settings)

    @property
    def dropped_count(self) -> int:
        """Number of lines since the log was opened that found the queue full or could not be written."""
        return self._backlog.dropped_count + self._unwritten_count

    def reload(self, settings: ServeSettings) -> None:
        """Takes changed settings; opens the file again in any case, as its present one may have been renamed.

        Lines go to the new file within about a second. Raises LogFileError, and goes on as before, if it
        cannot be opened.
        """
        self._file.reopen(settings.log.file)
        logging.getLogger().setLevel(settings.log.level.upper())
        self._take(settings.log)

    def close(self) -> None:
        """Writes what is left, for at most 2 seconds."""
        self.calls.tell_omitted(at_once=True)
        self._give_up_s = monotonic() + _CLOSE_SECONDS
        if self._backlog.close(_CLOSE_SECONDS):
            self._file.close()

    def _take(self, settings: LogSettings) -> None:
        is_json = settings.format is LogFormat.JSON
        self._format = JsonFormat() if is_json else TextFormat()
        self._format_call = call_as_json if is_json else call_as_text
        self.handler.setFormatter(self._format)
        self.calls.change(settings)

    def _add(self, line: _Line) -> None:
        self._backlog.add(line)

    def _tick(self) -> None:
        self._file.take_reopened()
        self.calls.tell_omitted()

    def _write(self, lines: Sequence[_Line]) -> None:
        """Writes lines, after one about those that were dropped before them."""
        dropped_count = self.dropped_count
        texts = [line if isinstance(line, str) else self._format_call(line) for line in lines]
        encoded = [_encoded(text) for text in texts]
        notice = _notice(self._format, dropped_count - self._told_count)
        written = self._file.write(notice + b"".join(encoded), self._gives_up)
        if written >= len(notice):
            self._told_count = dropped_count
        self._unwritten_count += _unwritten_count(encoded, written - len(notice))

    def _gives_up(self) -> bool:
        return self._give_up_s is not None and monotonic() > self._give_up_s


@contextmanager
def opened(settings: LogSettings) -> Iterator[Log]:
    """Opens the log of this process for its block; raises LogFileError.

    All loggers, warnings and threads that end with an exception write to it.
    """
    log = Log(settings)
    root = logging.getLogger()
    level, hook = root.level, threading.excepthook
    root.addHandler(log.handler)
    root.setLevel(settings.level.upper())
    logging.captureWarnings(True)
    threading.excepthook = _log_end_of_thread
    try:
        yield log
    finally:
        threading.excepthook = hook
        logging.captureWarnings(False)
        root.setLevel(level)
        root.removeHandler(log.handler)
        log.close()


class _Handler(logging.Handler):
    """Formats records where they are made, as their arguments may change, and hands on their lines."""

    def __init__(self, add: Callable[[str], None]) -> None:
        super().__init__()
        self._add = add

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            # A logger that is called wrongly must not lose its message.
            record.msg, record.args = "a line that cannot be formatted: %r", (record.msg,)
            line = self.format(record)
        self._add(line)


def _notice(form: logging.Formatter, count: int) -> bytes:
    """Returns the line about dropped ones, nothing if none were."""
    if not count:
        return b""
    text, fields = "dropped %s log lines", {"fields": {"dropped_line_count": count}}
    record = _LOG.makeRecord(_LOG.name, logging.WARNING, "", 0, text, (f"{count:,}",), None, extra=fields)
    return _encoded(form.format(record))


def _encoded(text: str) -> bytes:
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _unwritten_count(lines: Sequence[bytes], byte_count: int) -> int:
    """Returns how many lines are not in the first bytes of them all."""
    ends = accumulate(len(line) for line in lines)
    return sum(end > byte_count for end in ends)


def _log_end_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or args.exc_type is SystemExit:
        return
    name = "unknown" if args.thread is None else args.thread.name
    error = (args.exc_type, args.exc_value, args.exc_traceback)
    _LOG.critical("the thread %s has ended by a fault", name, exc_info=error)
