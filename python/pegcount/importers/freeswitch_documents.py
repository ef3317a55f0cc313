"""Documents of FreeSWITCH's modules, each of which describes a leg."""

from collections.abc import Callable, Iterable, Iterator

from pegcount.importers.document import Document
from pegcount.importers.freeswitch_leg import Leg, leg_record
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_items import parse_items
from pegcount.importers.parsed_line import ParsedLine, UnreadableLine


def parse_legs(
    documents: Iterable[Document | UnreadableLine], read_leg: Callable[[object], Leg], options: ImportOptions
) -> Iterator[ParsedLine]:
    """Parses each document by itself into a call; skips legs that are not calls of their own."""
    return parse_items(documents, lambda document: leg_record(read_leg(document.value), options))
