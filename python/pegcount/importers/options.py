"""Options of an import: facts about a file that the file itself does not state."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from pegcount.importers.parsed_line import ParsedLine
from pegcount.zone import Zone

ASTERISK_COLUMN_ORDERS = ("auto", "cdr_csv", "cdr_custom")
"""Values of `ImportOptions.asterisk_columns`."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of one import."""

    source: str
    """Switch or feed that wrote the records; "" is the unnamed feed."""
    zone: Zone
    """Zone of the times that the file states without a zone."""
    asterisk_columns: str = "auto"
    """Order of the columns of asterisk-csv, one of `ASTERISK_COLUMN_ORDERS`."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Values of `SessionRecord` fields, by name, that replace those of every row."""
    line_bytes_max: int = 1_048_576
    """Maximum bytes of a line, or of a document of many lines; a longer one is unreadable."""


Parser = Callable[[BinaryIO, ImportOptions], Iterator[ParsedLine]]
"""Reads one file, in constant memory unless the parser documents otherwise."""
