"""Parses the parts of a file, such as lines or documents, each of which is one record."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from pegcount.importers.parsed_line import (
    ParsedLine,
    ParsedRecord,
    SkippedLine,
    UnreadableLine,
    UnreadableRowError,
)
from pegcount.v1.records_pb2 import SessionRecord


class Item(Protocol):
    """A part of a file."""

    @property
    def line(self) -> int:
        """Number of the line on which it begins, counted from 1."""

    @property
    def text(self) -> str:
        """What a summary shows of it."""


ItemT = TypeVar("ItemT", bound=Item)


def parse_items(
    items: Iterable[ItemT | UnreadableLine], parse: Callable[[ItemT], SessionRecord | str | None]
) -> Iterator[ParsedLine]:
    """Parses each item by itself; skips those for which `parse` returns no record, but perhaps why."""
    for item in items:
        yield item if isinstance(item, UnreadableLine) else _parsed(item, parse)


def _parsed(item: ItemT, parse: Callable[[ItemT], SessionRecord | str | None]) -> ParsedLine:
    try:
        record = parse(item)
    except UnreadableRowError as error:
        return UnreadableLine(item.line, str(error), item.text)
    if isinstance(record, SessionRecord):
        return ParsedRecord(item.line, record, item.text)
    return SkippedLine(item.line, record)
