"""Rows of the format RowBinary: value by value, in the order of the columns of a table.

ClickHouse reads it as one block, however its settings cut texts into pieces for several threads: so an insert
of it is one part, and has all of its rows or none.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final

_LAYOUTS: Final = {"Int64": "<q", "UInt64": "<Q", "UInt32": "<I", "UInt8": "<B"}


def row_binary(types: Sequence[str], rows: Iterable[Sequence[int | str]]) -> bytes:
    """Returns the bytes of rows; a type is `String`, or an integer of which `_LAYOUTS` has the layout."""
    pieces: list[bytes] = []
    for row in rows:
        for kind, value in zip(types, row, strict=True):
            if isinstance(value, str):
                text = value.encode()
                pieces += (_varint(len(text)), text)
            else:
                pieces.append(struct.pack(_LAYOUTS[kind], value))
    return b"".join(pieces)


def _varint(number: int) -> bytes:
    """An unsigned LEB128: seven bits to a byte, the lowest first."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)
