"""What an error shows of a file that fits no format: its form, as its texts may be numbers of parties."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pegcount.importers.csv_rows import split_row
from pegcount.importers.detection.findings import Candidate, Detector, Fits, Misses, listed
from pegcount.importers.detection.head import Head, with_commas
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.text_lines import TextLine
from pegcount.importers.undecoded import shown
from pegcount.masked import masked, masked_digits

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_NEARNESS_MIN = 0.3
_SHOWN_CELLS = 12
_SHOWN_CHARS = 40
_LINES_OF_SEPARATOR = 20
_LINES_BEFORE_HEADER_MAX = 10
_DIGITS_OF_HEADER_MAX = 4
"""Digits of a name of a column: a number of a party has more."""


def described(head: Head) -> str:
    """Returns the form of a file: its separator, the number of cells, and the names of its header.

    Without a header, the cells of the first line are masked.
    """
    texts = [line.text for line in head.lines if isinstance(line, TextLine)]
    if not texts:
        return _bytes_described(head)
    if head.kind_of_document:
        return f"text that begins like {head.kind_of_document}"
    separator, count = _separator(texts)
    if count < 2:
        return (
            "lines that neither commas, semicolons, tabs nor vertical bars separate into equally many cells"
        )
    cells = [cell.strip() for cell in _cells(texts[0], separator)]
    form = f"{count} cells separated by {_SEPARATORS[separator]}"
    if len(cells) == count and _is_header(cells):
        return f"{form}; header: {listed(map(_name, cells), _SHOWN_CELLS)}"
    return f"{form}; no header; first line: {listed(map(_masked, cells), _SHOWN_CELLS)}"


def nearest_text(
    head: Head, misses: Mapping[Candidate, Misses], detectors: Mapping[str, Detector]
) -> str | None:
    """Returns the format that is nearest to a file and what the file lacks, None if none is near."""
    if later := _with_a_later_header(head, detectors):
        return later
    texts = [line.text for line in head.lines if isinstance(line, TextLine)]
    separator, count = _separator(texts)
    if count > 1 and separator != ",":
        commas = with_commas(head, separator)
        for name, detect in detectors.items():
            found = detect(commas)
            if isinstance(found, Fits):
                return (
                    f"{name}, whose cells are separated by commas and not by {_SEPARATORS[separator]};"
                    f" otherwise {found.sentence}"
                )
    candidate, near = max(misses.items(), key=lambda item: item[1].nearness)
    return f"{candidate}, but {shown(near.lacks)}" if near.nearness >= _NEARNESS_MIN else None


def _with_a_later_header(head: Head, detectors: Mapping[str, Detector]) -> str | None:
    """Returns the format whose header follows a title or other lines, None if that is none."""
    for number, line in enumerate(head.lines[1:_LINES_BEFORE_HEADER_MAX], 1):
        alone = replace(head, lines=[line])
        for name, detect in detectors.items():
            found = detect(alone)
            if isinstance(found, Fits) and not found.count:
                count = "the line" if number == 1 else f"the {number} lines"
                return f"{name}, but {count} before line {line.line} must go: {found.sentence}"
    return None


def _bytes_described(head: Head) -> str:
    even, odd = head.data[:1000:2].count(0), head.data[1:1000:2].count(0)
    if max(even, odd) > 3 * min(even, odd) + 10:
        order = "le" if odd > even else "be"
        return f"bytes of UTF-16 without a byte order mark; give --encoding utf-16-{order}"
    if even + odd:
        return "bytes that are not text"
    return "lines of more than a row may have"


def _separator(texts: Sequence[str]) -> tuple[str, int]:
    """Returns the separator by which the most lines have the same number of cells, and that number."""
    found = []
    for separator in _SEPARATORS:
        counts = Counter(len(_cells(text, separator)) for text in texts[:_LINES_OF_SEPARATOR])
        counts.pop(1, None)
        count, lines = max(counts.items(), key=lambda item: item[1], default=(1, 0))
        if 2 * lines <= len(texts[:_LINES_OF_SEPARATOR]):
            # Commas of a text.
            count, lines = 1, 0
        found.append((lines, count, separator))
    _, count, separator = max(found, key=lambda item: item[:2])
    return separator, count


def _cells(text: str, separator: str) -> list[str]:
    try:
        return split_row(text, separator)
    except UnreadableRowError:
        return text.split(separator)


def _is_header(cells: Sequence[str]) -> bool:
    """Returns whether cells look like names of columns: a row of a call has a number or a time."""
    filled = [cell for cell in cells if cell]
    digits = max((sum(letter.isdigit() for letter in cell) for cell in filled), default=0)
    return (
        0 < len(filled) == len(set(filled))
        and 2 * len(filled) > len(cells)
        and digits <= _DIGITS_OF_HEADER_MAX
        and not any(cell.isdecimal() for cell in filled)
    )


def _name(cell: str) -> str:
    return _printable(masked_digits(cell))[:_SHOWN_CHARS]


def _masked(cell: str) -> str:
    return _printable(masked(cell))[:_SHOWN_CHARS] or "(empty)"


def _printable(text: str) -> str:
    """Returns a text in which neither bytes that are not UTF-8 nor control characters reach a terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in shown(text)
    )
