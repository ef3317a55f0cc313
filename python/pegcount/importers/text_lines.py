"""Decodes a file into lines of text; a damaged line does not affect the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.undecoded import ESCAPE

_UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line without its line ending; `line` counts from 1."""

    line: int
    text: str


def read_lines(file: BinaryIO, line_bytes_max: int) -> Iterator[TextLine | UnreadableLine]:
    """Yields all lines but blank ones; lines end with LF or CRLF, and a byte order mark is dropped.

    Bytes that are not UTF-8 are escaped (see `undecoded`). A line that has more than `line_bytes_max` bytes
    or contains NUL is unreadable.
    """
    number = 0
    while raw := file.readline(line_bytes_max):
        number += 1
        if number == 1:
            raw = raw.removeprefix(_UTF8_BOM)
        if len(raw) == line_bytes_max and not raw.endswith(b"\n") and _skip_rest(file, line_bytes_max):
            yield UnreadableLine(number, f"the line has more than {line_bytes_max} bytes", _shown(raw))
        elif raw.strip():
            yield _decoded(number, raw.rstrip(b"\r\n"))


def _skip_rest(file: BinaryIO, line_bytes_max: int) -> bool:
    """Reads to the end of a line; returns whether the line had further bytes."""
    rest = file.readline(line_bytes_max)
    has_more = bool(rest.rstrip(b"\r\n"))
    while rest and not rest.endswith(b"\n"):
        rest = file.readline(line_bytes_max)
    return has_more


def _decoded(number: int, raw: bytes) -> TextLine | UnreadableLine:
    if b"\0" in raw:
        return UnreadableLine(number, "the line has a NUL byte", _shown(raw))
    try:
        return TextLine(number, raw.decode())
    except UnicodeDecodeError:
        return TextLine(number, raw.decode(errors=ESCAPE))


def _shown(raw: bytes) -> str:
    return raw.rstrip(b"\r\n").decode(errors="backslashreplace")
