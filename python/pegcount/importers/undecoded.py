"""Bytes that the encoding of a file lacks, which stay in the text of a row until its record is made.

So a byte in a column that no field uses costs nothing, and a hash of cells is one of the bytes in the file,
whatever `--encoding` says.
"""

import codecs
import re

from google.protobuf.descriptor import FieldDescriptor

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.v1.records_pb2 import SessionRecord

ESCAPE = "pegcount-escape"
"""Name of the error handler that decodes a byte as a character of the last private-use area of Unicode."""

_FIRST_ESCAPE = 0x10FF00
_ESCAPES = re.compile("[\U0010ff00-\U0010ffff]+")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_TEXT_FIELDS = tuple(
    field.name for field in SessionRecord.DESCRIPTOR.fields if field.type == FieldDescriptor.TYPE_STRING
)
_KEY_FIELDS = ("source", "session_id")


def decode_fields(record: SessionRecord, encoding: str, option_source: str) -> bool:
    """Decodes the text fields of a record; returns whether one had bytes that the encoding lacks.

    Those are replaced by U+FFFD. `option_source` did not come from the file. Raises UnreadableRowError if the
    source or the session id has such bytes: records whose ids differ in them would become one.
    """
    has_replaced = False
    for name in _TEXT_FIELDS:
        text = getattr(record, name)
        if text.isascii() or (name == "source" and text == option_source):
            continue
        decoded, is_complete = _decoded(text, encoding)
        if not is_complete and name in _KEY_FIELDS:
            raise UnreadableRowError(f"{name} has bytes that are not {encoding}: '{shown(text)}'")
        setattr(record, name, decoded)
        has_replaced = has_replaced or not is_complete
    return has_replaced


def shown(text: str) -> str:
    r"""Returns a text with its escaped bytes as `\xff`."""
    if text.isascii():
        return text
    return _ESCAPES.sub(lambda match: "".join(f"\\x{byte:02x}" for byte in _escaped(match[0])), text)


def _decoded(text: str, encoding: str) -> tuple[str, bool]:
    """Returns the decoded text, and whether the encoding has all its bytes."""
    if encoding == "utf-8":
        decoded, count = _ESCAPES.subn(lambda match: _REPLACEMENT * len(match[0]), text)
        return decoded, count == 0
    raw = b"".join(
        _escaped(part) if _ESCAPES.match(part) else part.encode()
        for part in re.split(f"({_ESCAPES.pattern})", text)
    )
    try:
        return raw.decode(encoding), True
    except UnicodeDecodeError:
        return raw.decode(encoding, "replace"), False


def _escaped(characters: str) -> bytes:
    return bytes(ord(character) - _FIRST_ESCAPE for character in characters)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(_FIRST_ESCAPE + byte) for byte in bad), error.end


codecs.register_error(ESCAPE, _escape)
