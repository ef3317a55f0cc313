"""What a parser makes of each line of a file."""

from dataclasses import dataclass

from pegcount.v1.records_pb2 import SessionRecord


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A record; `line` counts from 1 and is where its text starts."""

    line: int
    record: SessionRecord
    text: str


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A readable leg of a call that another line stands for."""

    line: int


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line that is no record; bytes that are no UTF-8 read `\\xff` in `text`."""

    line: int
    reason: str
    text: str


ParsedLine = ParsedRecord | SkippedLine | UnreadableLine
"""Everything a parser may yield."""


class UnreadableRowError(Exception):
    """A row cannot be read; the text says why, and costs that row alone."""
