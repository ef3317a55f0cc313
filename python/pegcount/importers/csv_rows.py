"""CSV with one row per line.

A quoted cell cannot contain a line break: no format has a field that needs one, and an
unclosed quote then makes only its own line unreadable.
"""

import csv
from collections.abc import Callable, Iterable, Iterator

from pegcount.errors import ImportFileError
from pegcount.importers.parsed_items import parse_items
from pegcount.importers.parsed_line import ParsedLine, UnreadableLine, UnreadableRowError
from pegcount.importers.text_lines import TextLine
from pegcount.masked import masked_digits
from pegcount.v1.records_pb2 import SessionRecord

NULLS = ("\\N", "NULL")
"""How databases print NULL in CSV, beside the empty cell."""

RowParser = Callable[[list[str]], SessionRecord | None]
"""Converts the cells of a row to a record, or to None if the row is to be skipped."""


def split_row(text: str, separator: str = ",") -> list[str]:
    """Splits a line into its cells, without the blanks before each.

    Raises UnreadableRowError if the line is not valid CSV, such as for an unclosed quote.
    """
    return _cells(text, separator, strict=True)


def split_row_of_bare_quotes(text: str, separator: str = ",") -> list[str]:
    """Splits a line whose cells may have quotes that are not doubled: `"Ann" <100>` is `Ann <100>`.

    The caller checks the number of cells, as a quote that is not closed swallows those after it. Raises
    UnreadableRowError as `split_row` does.
    """
    return _cells(text, separator, strict=False)


def parse_rows(lines: Iterable[TextLine | UnreadableLine], parse_row: RowParser) -> Iterator[ParsedLine]:
    """Parses each line by itself; see `parse_items`."""
    return parse_items(lines, lambda line: parse_row(split_row(line.text)))


def read_header(lines: Iterator[TextLine | UnreadableLine]) -> list[str]:
    """Takes the first line and returns its column names.

    Raises ImportFileError if the file is empty, or if the header is unreadable or repeats a name.
    """
    names = read_header_names(lines)
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        # A file without a header has the numbers of its first call there.
        raise ImportFileError(f"the header repeats {', '.join(map(masked_digits, repeated))}")
    return names


def read_header_names(lines: Iterator[TextLine | UnreadableLine], separator: str = ",") -> list[str]:
    """As `read_header`, for a header that may repeat names."""
    first = next(lines, None)
    if first is None:
        raise ImportFileError("the file is empty; a header was expected")
    if isinstance(first, UnreadableLine):
        raise ImportFileError(f"the header cannot be read: {first.reason}")
    try:
        return [name.strip() for name in split_row(first.text, separator)]
    except UnreadableRowError as error:
        raise ImportFileError(f"the header cannot be read: {error}") from error


def check_cell_count(cells: list[str], column_count: int) -> None:
    """Raises UnreadableRowError unless a row has one cell for each column."""
    if len(cells) != column_count:
        raise UnreadableRowError(f"the row has {len(cells)} cells, the header {column_count}")


def _cells(text: str, separator: str, strict: bool) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator, strict=strict, skipinitialspace=True))
    except csv.Error as error:
        raise UnreadableRowError(f"no row of CSV: {error}") from error
