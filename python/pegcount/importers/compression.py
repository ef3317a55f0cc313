"""gzip and zstd, known by their first bytes; what precedes a damage is read, and the damage is noted."""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import zstandard

from pegcount.errors import ImportFileError
from pegcount.importers.input_notes import InputNotes

_CHUNK_BYTES = 256 * 1024
# A block of zstd expands 4 bytes to 128 KiB at most, so that a piece becomes at most 8 MiB.
_ZSTD_PIECE_BYTES = 256
# Memory of the decoder: what `zstd` itself allows unless told otherwise.
_ZSTD_WINDOW_BYTES_MAX = 2**27
_MAGIC_BYTES = 6

_GZIP = re.compile(rb"\x1f\x8b\x08")
# The second is a skippable frame, with which the files of parallel compressors begin.
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
_OTHERS = {
    "bzip2": re.compile(rb"BZh[1-9]"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "a ZIP archive or a spreadsheet": re.compile(rb"PK\x03\x04"),
}


class Source(Protocol):
    """Bytes of a file, as they are in it."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes, none at the end."""


def decompressed(file: BinaryIO, notes: InputNotes) -> Iterator[bytes]:
    """Yields the content of a file in chunks, decompressed if it is gzip or zstd.

    It may consist of several gzip members or zstd frames. Raises ImportFileError for other compressions.
    """
    source = _CountedSource(file, notes)
    magic = source.peek(_MAGIC_BYTES)
    for name, pattern in _OTHERS.items():
        if pattern.match(magic):
            raise ImportFileError(f"the file is {name}; save it as text, or compressed by gzip or zstd")
    if _GZIP.match(magic):
        return _guarded(_gzip_chunks, source, notes)
    if _ZSTD.match(magic):
        return _guarded(_zstd_chunks, source, notes)
    return iter(lambda: source.read(_CHUNK_BYTES), b"")


class _CountedSource:
    """A file that counts in `notes` the bytes that were read of it."""

    def __init__(self, file: BinaryIO, notes: InputNotes) -> None:
        self._file = file
        self._notes = notes
        self._head = b""

    def peek(self, size: int) -> bytes:
        """Returns the first bytes of the file, which `read` returns again."""
        self._head = self._file.read(size)
        self._notes.bytes_read += len(self._head)
        return self._head

    def read(self, size: int, /) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        data = self._file.read(size)
        self._notes.bytes_read += len(data)
        return data


def _guarded(read: Callable[[Source], Iterator[bytes]], source: Source, notes: InputNotes) -> Iterator[bytes]:
    try:
        yield from read(source)
    except EOFError:
        notes.damage = (
            "its rest is missing: the compressed data stops before its end; was the file copied completely?"
        )
    except (zlib.error, zstandard.ZstdError, gzip.BadGzipFile) as error:
        notes.damage = (
            "the compressed data is damaged, so that its rest was not imported, and rows that were may be"
            f" wrong: {error}"
        )


def _gzip_chunks(source: Source) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=source, mode="rb") as file:  # type: ignore[call-overload]
        # `read` would lose what precedes a damage.
        while chunk := file.read1(_CHUNK_BYTES):
            yield chunk


def _zstd_chunks(source: Source) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    frame = None
    while piece := source.read(_ZSTD_PIECE_BYTES):
        while piece:
            frame = frame or decompressor.decompressobj()
            yield frame.decompress(piece)
            piece = b""
            if frame.eof:
                piece, frame = frame.unused_data, None
    if frame is not None:
        raise EOFError
