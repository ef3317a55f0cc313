"""A record of the logging module as text or JSON."""

import logging
import traceback
from types import TracebackType
from typing import TypeAlias

from pegcount.logs.shown_text import (
    as_json,
    escaped,
    known_as_json,
    utc,
    value_as_json,
    without_numbers,
)

_OURS = "pegcount"
_INDENT = "    "
_LINE_LENGTH_MAX = 32_768
"""Characters of one message or traceback."""

_ErrorInfo: TypeAlias = (
    "tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]"
)


class TextFormat(logging.Formatter):
    """`TIME LEVEL MESSAGE`; a traceback follows, of which each line is indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, or the lines, of a record."""
        line = f"{_time(record)} {record.levelname} {escaped(_message(record))}"
        if record.exc_info:
            lines = _traceback(record.exc_info).rstrip("\n").split("\n")
            line += "".join(f"\n{_INDENT}{escaped(each)}" for each in lines)
        return line


class JsonFormat(logging.Formatter):
    """One JSON object: time, level, logger, message, then the fields of the record, and its exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        texts = {name: value_as_json(value) for name, value in fields_of(record).items()}
        if record.exc_info:
            texts["exception"] = as_json(_traceback(record.exc_info))
        rest = "".join(f", {known_as_json(name)}: {text}" for name, text in texts.items())
        head = json_head(_time(record), record.levelname, record.name)
        return f'{head}, "message": {as_json(_message(record))}{rest}}}'


def json_head(time: str, level: str, logger: str) -> str:
    """Returns the first fields of a JSON line, up to the logger; the object is left open."""
    return f'{{"time": "{time}", "level": "{level.lower()}", "logger": {known_as_json(logger)}'


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Returns what a record was given as `extra={"fields": {...}}`."""
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}


def _time(record: logging.LogRecord) -> str:
    return utc(round(record.created * 1_000) * 1_000_000)


def _message(record: logging.LogRecord) -> str:
    """Returns the message, cut if it is long; those of libraries may repeat a number of a party."""
    message = record.getMessage()[:_LINE_LENGTH_MAX]
    is_ours = record.name == _OURS or record.name.startswith(f"{_OURS}.")
    return message if is_ours else without_numbers(message)


def _traceback(info: _ErrorInfo) -> str:
    """Returns a traceback; of one that is too long, the end, which has the error itself."""
    text = "".join(traceback.format_exception(*info)) if info[1] is not None else ""
    return without_numbers(text[-_LINE_LENGTH_MAX:])
