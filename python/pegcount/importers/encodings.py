"""Encodings of files: which are accepted, and how a file of 16 or 32 bits a character becomes UTF-8."""

import codecs
from collections.abc import Iterator

from pegcount.errors import ImportFileError
from pegcount.importers.undecoded import ESCAPE

_ASCII = bytes(range(128))
# Encodings with escape sequences, or with bytes below `0` inside of a character, contain what looks like
# commas, quotes or line ends.
_NOT_ASCII = "\u00e9\u00fc\u0416\u05d0\u4e2d\u3042\ud55c"
_LEAST_LETTER = 0x30
_OF_PYTHON = ("unicode_escape", "raw_unicode_escape")
"""Encodings of source text: a backslash in a cell would mean something else."""
_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_UTF8_BOM = codecs.BOM_UTF8
# The mark of UTF-32-LE begins with that of UTF-16-LE.
_WIDE_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def checked_encoding(name: str) -> str:
    """Returns the usual name of an encoding.

    Raises ImportFileError if it is unknown, or if a CSV file cannot be split into cells before it is decoded.
    """
    try:
        # "rot13" and "zlib" are codecs, too, but do not decode bytes to text.
        bytes(4).decode(name)
        found = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise ImportFileError(
            f"--encoding: {name!r} is not an encoding of text, such as UTF-8, latin-1 or cp1252"
        ) from error
    if found in ("utf-8-sig", "ascii"):
        return "utf-8"
    if found in _OF_PYTHON or (found not in _WIDE and not _extends_ascii(found)):
        raise ImportFileError(
            f"--encoding: {name!r} does not have the characters of ASCII as single bytes; convert the file,"
            f" such as by iconv -f {name} -t UTF-8"
        )
    return found


def as_extended_ascii(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Converts UTF-16 and UTF-32 to UTF-8; such a file is known by its byte order mark, or by `encoding`.

    Raises ImportFileError if the mark contradicts `encoding`.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(codecs.BOM_UTF32_LE):
            break
    wide = _wide_encoding(head, encoding)
    if wide is None:
        yield head
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(wide)(ESCAPE)
    yield decoder.decode(head).encode()
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def field_encoding(encoding: str) -> str:
    """Returns the encoding of the cells that `as_extended_ascii` leaves."""
    return "utf-8" if encoding in _WIDE else encoding


def _wide_encoding(head: bytes, encoding: str) -> str | None:
    mark = next((mark for mark in (*_WIDE_BOMS, _UTF8_BOM) if head.startswith(mark)), None)
    if mark is None:
        if encoding in ("utf-16", "utf-32") and head:
            raise ImportFileError(f"the file has no byte order mark; give --encoding {encoding}-le or -be")
        return encoding if encoding in _WIDE else None
    marked = _WIDE_BOMS.get(mark, "utf-8")
    if encoding != "utf-8" and not encoding.startswith(marked):
        raise ImportFileError(f"the byte order mark of the file says {marked.upper()}, not {encoding}")
    return marked if mark in _WIDE_BOMS else None


def _extends_ascii(encoding: str) -> bool:
    try:
        return _ASCII.decode(encoding) == _ASCII.decode() and all(
            byte >= _LEAST_LETTER for byte in _NOT_ASCII.encode(encoding, "ignore")
        )
    except UnicodeError:
        return False
