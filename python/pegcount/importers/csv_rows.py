"""Rows of CSV, one to a line.

A quoted cell cannot run over a line break: none of the formats has a field that
needs it, and so a quote that is never closed costs its own line and no other.
"""

import csv
from collections.abc import Callable, Iterable, Iterator

from pegcount.errors import ImportFileError
from pegcount.importers.parsed_line import ParsedLine, UnreadableLine, UnreadableRowError
from pegcount.importers.text_lines import TextLine, parse_texts
from pegcount.v1.records_pb2 import SessionRecord

RowParser = Callable[[list[str]], SessionRecord | None]
"""Makes a record of the cells of a row; None where the row is to be skipped."""


def split_row(text: str) -> list[str]:
    """Cells of one line; blanks before a cell are no part of it.

    Raises UnreadableRowError, mostly for quotes that do not match.
    """
    try:
        return next(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise UnreadableRowError(f"no row of CSV: {error}") from error


def parse_rows(lines: Iterable[TextLine | UnreadableLine], parse_row: RowParser) -> Iterator[ParsedLine]:
    """Parse each line by itself."""
    return parse_texts(lines, lambda text: parse_row(split_row(text)))


def read_header(lines: Iterator[TextLine | UnreadableLine]) -> list[str]:
    """Names of the columns, off the first line.

    Raises ImportFileError where there is none, it cannot be read, or it repeats a name.
    """
    first = next(lines, None)
    if first is None:
        raise ImportFileError("the file is empty; a header was expected")
    if isinstance(first, UnreadableLine):
        raise ImportFileError(f"the header cannot be read: {first.reason}")
    try:
        names = [name.strip() for name in split_row(first.text)]
    except UnreadableRowError as error:
        raise ImportFileError(f"the header cannot be read: {error}") from error
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise ImportFileError(f"the header repeats {', '.join(repeated)}")
    return names


def check_cell_count(cells: list[str], column_count: int) -> None:
    """Raise UnreadableRowError unless a row has one cell for each column."""
    if len(cells) != column_count:
        raise UnreadableRowError(f"the row has {len(cells)} cells, the header {column_count}")
