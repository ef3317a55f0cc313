"""Text of a file of documents in pieces, as a document may have no line end at all."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from pegcount.importers.undecoded import ESCAPE

_BOM = "\ufeff"
_PIECE_BYTES = 65_536


def read_pieces(file: BinaryIO) -> Iterator[str]:
    """Yields the text of a file in pieces of up to 64 KiB.

    A byte that is not UTF-8 is escaped, so that it costs nothing where no field uses it; see
    `undecoded.py`. A byte order mark is dropped.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(ESCAPE)
    yield decoder.decode(file.read(_PIECE_BYTES)).removeprefix(_BOM)
    while raw := file.read(_PIECE_BYTES):
        yield decoder.decode(raw)
    yield decoder.decode(b"", final=True)
