"""The beginning of a file, as the parsers read it: what shows the format."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO

from pegcount.importers.csv_rows import split_row
from pegcount.importers.input_stream import opened_input
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import UnreadableLine, UnreadableRowError
from pegcount.importers.text_lines import TextLine, read_lines
from pegcount.importers.text_pieces import read_pieces

LINE_COUNT = 100
"""Lines of a file that are looked at, blank ones not counted."""
_LONGEST_LINES = 2
"""Lines of the greatest length that a head has room for, so that it has the whole of a first document."""
# A compressed file begins with other bytes than its content, and so does one in UTF-16.
_BEGINNING_BYTES = 4


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, decompressed, in an encoding that extends ASCII, and with LF as line end."""

    data: bytes
    is_whole: bool
    """Whether the file has no more than this."""
    lines: Sequence[TextLine | UnreadableLine]
    """The first lines that are not blank. A last line that may be incomplete is not among them."""
    has_more_lines: bool
    damage: str
    """Why the rest of a compressed file cannot be read."""
    options: ImportOptions
    is_compressed: bool = False

    def pieces(self) -> Iterator[str]:
        """Yields the text of all of it, without a byte order mark; bytes that are not UTF-8 are escaped."""
        return read_pieces(io.BytesIO(self.data))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but blanks."""
        return not self.data.removeprefix(codecs.BOM_UTF8).strip()

    @property
    def kind_of_document(self) -> str:
        """The language that it begins like, JSON or XML, "" if neither."""
        beginning = self.data.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        return {b"{": "JSON", b"[": "JSON", b"<": "XML"}.get(beginning, "")

    def header(self, separator: str = ",", skip_lines: int = 0) -> list[str] | None:
        """Returns the cells of the first line that is not skipped, None if it cannot be read."""
        line = next((line for line in self.lines if line.line > skip_lines), None)
        if not isinstance(line, TextLine):
            return None
        try:
            return [cell.strip() for cell in split_row(line.text, separator)]
        except UnreadableRowError:
            return None


def read_head(source: BinaryIO, options: ImportOptions) -> Head:
    """Reads the beginning of a seekable file, at most twice the bytes that a line may have, and one piece.

    Raises ImportFileError for a file that cannot be read at all.
    """
    bytes_max = _LONGEST_LINES * options.line_bytes_max
    # A document ends with its brace or tag, so that a last line without a line end counts for those.
    opened = opened_input(source, options, takes_final_line=True)
    data = opened.file.read(bytes_max + 1)
    is_whole = len(data) <= bytes_max
    data = data[:bytes_max]
    source.seek(0)
    is_compressed = not data.startswith(source.read(min(len(data), _BEGINNING_BYTES)))
    whole_lines = _whole_lines(data, is_whole, options.takes_final_line)
    lines = list(islice(read_lines(io.BytesIO(whole_lines), options.line_bytes_max), LINE_COUNT + 1))
    return Head(
        data=data,
        is_whole=is_whole,
        lines=lines[:LINE_COUNT],
        has_more_lines=len(lines) > LINE_COUNT or not is_whole,
        damage=opened.notes.damage,
        options=options,
        is_compressed=is_compressed,
    )


def with_commas(head: Head, separator: str) -> Head:
    """Returns the head of the same file as if commas separated its cells; lines that cannot be split stay."""
    lines = [_with_commas(line, separator) if isinstance(line, TextLine) else line for line in head.lines]
    return replace(head, data="".join(f"{line.text}\n" for line in lines).encode(), lines=lines)


def _with_commas(line: TextLine, separator: str) -> TextLine:
    try:
        cells = split_row(line.text, separator)
    except UnreadableRowError:
        return line
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="").writerow(cells)
    return TextLine(line.line, text.getvalue())


def _whole_lines(data: bytes, is_whole: bool, takes_final_line: bool) -> bytes:
    end = data.rfind(b"\n") + 1
    if is_whole:
        return data if takes_final_line else data[:end]
    # A first line that is longer than all this is unreadable, rather than absent.
    return data[:end] if end else data
