"""Lines of a mapped file as rows of cells."""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.csv_rows import (
    NULLS,
    read_header_names,
    split_row,
    split_row_of_bare_quotes,
)
from pegcount.importers.mapping.mapping import MappingFile
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import UnreadableLine, UnreadableRowError
from pegcount.importers.text_lines import TextLine, read_lines
from pegcount.masked import masked_digits
from pegcount.suggestion import comparable, did_you_mean

_SHOWN_NAME_COUNT_MAX = 20


class MappedRows:
    """The lines of a file after its header, and where its columns are."""

    def __init__(self, file: BinaryIO, mapping: MappingFile, options: ImportOptions) -> None:
        """Raises ImportFileError if the header cannot be read, or repeats or lacks a mapped column."""
        self._mapping = mapping
        for _ in range(mapping.skip_lines):
            file.readline(options.line_bytes_max)
        self._skipped_count = mapping.skip_lines
        self._lines = read_lines(file, options.line_bytes_max)
        self.header = read_header_names(self._lines, mapping.separator) if mapping.has_header else None
        self.places = self._places()
        # Of a file without a header: the cells that rows must have, and those that the mapping names.
        self._needed_count = self._count(mapping.needed_columns)
        self._named_count = self._count(mapping.columns)

    @property
    def lines(self) -> Iterator[TextLine | UnreadableLine]:
        """The lines after the header, with their numbers in the file."""
        for line in self._lines:
            number = line.line + self._skipped_count
            if isinstance(line, TextLine):
                yield TextLine(number, line.text)
            else:
                yield UnreadableLine(number, line.reason, line.text)

    def cells(self, text: str) -> list[str]:
        """Splits a line into its cells, without the blanks around them; raises UnreadableRowError."""
        separator = self._mapping.separator
        try:
            found = split_row(text, separator)
        except UnreadableRowError:
            # Some programs write a name with quotes as it is: "Ann" <100>.
            found = split_row_of_bare_quotes(text, separator)
        cells = [cell.strip() for cell in found]
        self._check_count(cells)
        if self.header is not None:
            # An id that is a hash of the row must not depend on separators at its end.
            del cells[len(self.header) :]
        else:
            # Cells of optional columns that the row lacks.
            cells += [""] * (self._named_count - len(cells))
        return ["" if cell in NULLS else cell for cell in cells]

    def is_header(self, cells: list[str]) -> bool:
        """Returns whether a row is the header once more, as in files that were joined."""
        return cells == self.header

    def _check_count(self, cells: list[str]) -> None:
        if self.header is None:
            if len(cells) < self._needed_count:
                raise UnreadableRowError(
                    f"the row has {len(cells)} cells, the mapping names column {self._needed_count}"
                )
            return
        count = len(self.header)
        # A separator at the end of each row makes a cell of its own.
        if len(cells) < count or any(cells[count:]):
            raise UnreadableRowError(f"the row has {len(cells)} cells, the header {count}")

    def _count(self, columns: Iterable[str]) -> int:
        return max((self.places[column] + 1 for column in columns if column in self.places), default=1)

    def _places(self) -> dict[str, int]:
        wanted = self._mapping.columns
        if self.header is None:
            return {column: int(column) - 1 for column in wanted}
        repeated = sorted(column for column in wanted if self.header.count(column) > 1)
        if repeated:
            raise ImportFileError(f"the header repeats {', '.join(repeated)}, which the mapping names")
        found = column_places(self.header, wanted)
        missing = sorted(self._mapping.needed_columns - set(found))
        ids = self._mapping.source("session_id")
        if not missing and ids is not None and found.keys().isdisjoint(ids.columns):
            # Columns of an id may be optional, but not all of them at once.
            missing = sorted(ids.columns)
        if missing:
            raise ImportFileError(self._missing(missing))
        return found

    def _missing(self, missing: list[str]) -> str:
        names = [name for name in self.header or [] if name not in self._mapping.columns]
        texts = [f"{name}{did_you_mean(name, names)}" for name in missing]
        header = self.header or []
        shown = [masked_digits(name) or '""' for name in header[:_SHOWN_NAME_COUNT_MAX]]
        shown += ["…"] if len(header) > _SHOWN_NAME_COUNT_MAX else []
        lacks = f"the header lacks columns of the mapping {self._mapping.name}: {', '.join(texts)}"
        return f"{lacks}; it has {', '.join(shown)}"


def column_places(header: Sequence[str], wanted: Iterable[str]) -> dict[str, int]:
    """Returns where columns are, of those that a header has.

    Exports of one program differ in case, blanks and underscores, so that a name that differs from one of the
    header in nothing else means it.
    """
    names = list(wanted)
    found = {column: header.index(column) for column in names if column in header}
    forms = [comparable(name) for name in header]
    wanted_forms = [comparable(column) for column in names if column not in found]
    for column in names:
        form = comparable(column)
        # Two names of a mapping never mean one column.
        if column not in found and form and (forms.count(form), wanted_forms.count(form)) == (1, 1):
            place = forms.index(form)
            if place not in found.values():
                found[column] = place
    return found
