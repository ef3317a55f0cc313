"""The result of parsing one line of a file: a record, a skipped leg, or an error."""

from dataclasses import dataclass

from pegcount.v1.records_pb2 import SessionRecord


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A record; `line` is the number of the first line of its text, counted from 1."""

    line: int
    record: SessionRecord
    text: str


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A readable leg of a call that another line represents, or a header once more."""

    line: int


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line that cannot be read as a record; `text` shows invalid UTF-8 as `\\xff`."""

    line: int
    reason: str
    text: str


ParsedLine = ParsedRecord | SkippedLine | UnreadableLine
"""The results that a parser yields."""


class UnreadableRowError(Exception):
    """A row cannot be read; the text says why. The import continues with the next row."""
