"""The result of parsing one line of a file: a record, a skipped leg, or an error."""

from dataclasses import dataclass
from enum import StrEnum

from pegcount.v1.records_pb2 import SessionRecord


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """A record; `line` is the number of the first line of its text, counted from 1."""

    line: int
    record: SessionRecord
    text: str


class SkipReason(StrEnum):
    """Why a leg of a call is not a call of its own, as a summary names such legs."""

    B_LEG = "b-legs"
    LOST_LEG = "legs that rang until another one answered (LOSE_RACE)"
    AGENT_LEG = "legs from a queue to its agents (cc_side=agent)"


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A readable row that is not a call of its own, or without a reason a header once more.

    The reason is a `SkipReason`, or what a mapping says.
    """

    line: int
    reason: str | None = None


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
