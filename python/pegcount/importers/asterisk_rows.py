"""Lines of an Asterisk CDR file as rows: texts by column name, with or without a header line."""

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.asterisk_columns import column_names, header_names
from pegcount.importers.csv_rows import NULLS, check_cell_count, split_row, split_row_of_bare_quotes
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import UnreadableLine, UnreadableRowError
from pegcount.importers.text_lines import TextLine, read_lines

Row = dict[str, str]
"""Texts of a row by column name."""


class AsteriskRows:
    """The lines of a file after its header, if it has one, and how to read them."""

    def __init__(self, file: BinaryIO, options: ImportOptions) -> None:
        """Raises ImportFileError if a header lacks columns, or has an order of columns beside it."""
        self._order = options.asterisk_columns
        rest = read_lines(file, options.line_bytes_max)
        first = next(rest, None)
        self._header = _header(first)
        if self._header is not None and self._order != "auto":
            raise ImportFileError("--columns is for files without a header line, which names the columns")
        self.lines: Iterator[TextLine | UnreadableLine] = rest
        if first is not None and self._header is None:
            self.lines = chain([first], rest)

    @property
    def has_header(self) -> bool:
        """Whether the file has a header line."""
        return self._header is not None

    def cells(self, text: str) -> list[str]:
        """Splits a line into its cells; raises UnreadableRowError."""
        if self._header is None:
            return split_row(text)
        try:
            cells = split_row(text)
        except UnreadableRowError:
            # FreePBX exports the caller id as it is: `"Ann" <100>`.
            cells = split_row_of_bare_quotes(text)
        check_cell_count(cells, len(self._header))
        return ["" if cell in NULLS else cell for cell in cells]

    def row(self, cells: list[str]) -> Row:
        """Returns the texts by column name; raises UnreadableRowError for a row of another form."""
        names = column_names(cells, self._order) if self._header is None else self._header
        return dict(zip(names, cells, strict=True))

    def is_header(self, cells: list[str]) -> bool:
        """Returns whether a row is the header once more, as in files that were joined.

        Raises ImportFileError for another header: the rows after it have other columns.
        """
        if self._header is None or (names := header_names(cells)) is None:
            return False
        if names != self._header:
            raise ImportFileError("a second header names other columns; import the files one by one")
        return True


def _header(line: TextLine | UnreadableLine | None) -> tuple[str, ...] | None:
    if not isinstance(line, TextLine):
        return None
    try:
        return header_names(split_row(line.text))
    except UnreadableRowError:
        return None
