"""Documents of FreeSWITCH's modules, each of which describes a leg."""

from collections.abc import Callable, Iterable, Iterator

from pegcount.importers.document import Document
from pegcount.importers.freeswitch_leg import Leg, leg_record
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import (
    ParsedLine,
    ParsedRecord,
    SkippedLine,
    SkipReason,
    UnreadableLine,
    UnreadableRowError,
)


def parse_legs(
    documents: Iterable[Document | UnreadableLine], read_leg: Callable[[object], Leg], options: ImportOptions
) -> Iterator[ParsedLine]:
    """Parses each document by itself into a call; skips legs that are not calls of their own."""
    for document in documents:
        if isinstance(document, UnreadableLine):
            yield document
        else:
            yield _parsed(document, read_leg, options)


def _parsed(document: Document, read_leg: Callable[[object], Leg], options: ImportOptions) -> ParsedLine:
    try:
        found = leg_record(read_leg(document.value), options)
    except UnreadableRowError as error:
        return UnreadableLine(document.line, str(error), document.text)
    if isinstance(found, SkipReason):
        return SkippedLine(document.line, found)
    return ParsedRecord(document.line, found, document.text)
