"""What the person who imports a file says about it."""

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
    """Switch or feed that made the records; "" is the unnamed feed."""
    zone: Zone
    """Zone of local times that the file states without a zone."""
    asterisk_columns: str = "auto"
    """Order of the columns of asterisk-csv, one of `ASTERISK_COLUMN_ORDERS`."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Fields of `SessionRecord` that every record gets, whatever its row says."""
    line_bytes_max: int = 1_048_576
    """Bytes of one line, or of one document over many lines; a longer one is unreadable."""


Parser = Callable[[BinaryIO, ImportOptions], Iterator[ParsedLine]]
"""Reads one file, in constant memory unless its format says otherwise."""
