"""A file as the parsers read it: decompressed, in an encoding that extends ASCII, with LF as line end."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from pegcount.importers.compression import decompressed
from pegcount.importers.encodings import as_extended_ascii
from pegcount.importers.input_notes import InputNotes
from pegcount.importers.line_ends import with_line_feeds, without_unended_line
from pegcount.importers.options import ImportOptions

_BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class OpenedInput:
    """An open file; `notes` are complete once it was read to its end."""

    file: BinaryIO
    notes: InputNotes = field(default_factory=InputNotes)


def opened_input(source: BinaryIO, options: ImportOptions, takes_final_line: bool) -> OpenedInput:
    """Returns the content of a file; a seekable file, compressed or not, can be rewound to its beginning.

    Reading raises ImportFileError for a file that cannot be read at all. Lines of more than
    `options.line_bytes_max` bytes pass, but never take more memory than that.
    """
    notes = InputNotes()

    def chunks() -> Iterator[bytes]:
        if source.seekable():
            source.seek(0)
        notes.bytes_read, notes.damage, notes.held_back = 0, "", None
        narrow = as_extended_ascii(decompressed(source, notes), options.encoding)
        lines = with_line_feeds(narrow, options.line_bytes_max)
        return without_unended_line(lines, notes, options.line_bytes_max, takes_final_line)

    raw = _ChunkStream(chunks, source.seekable())
    return OpenedInput(cast(BinaryIO, io.BufferedReader(raw, _BUFFER_BYTES)), notes)


class _ChunkStream(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, open_chunks: Callable[[], Iterator[bytes]], is_seekable: bool) -> None:
        self._open_chunks = open_chunks
        self._is_seekable = is_seekable
        self._chunks: Iterator[bytes] | None = None
        self._rest = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._is_seekable

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Rewinds to the beginning; a compressed file has no other place to begin at."""
        if not self._is_seekable or (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("the input can only be rewound to its beginning")
        self._chunks, self._rest, self._position = None, memoryview(b""), 0
        return 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._chunks is None:
            self._chunks = self._open_chunks()
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self._position += count
        return count
