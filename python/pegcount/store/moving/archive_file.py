"""The file of an archive.

    magic, header, (piece of records)*, (code deck)*, settings, end

The magic is the text PEGARCH and the number of the format, one digit. Each of the others is a *frame*: its
kind (1 byte), the length of its content, the CRC-32 of the content with the kind as initial value (4 bytes
each, little endian), and the content, compressed by zlib. Pieces are `StoredRecords` messages, see
`wire/stored_records.rs` in the core; all other contents are JSON. The end counts what precedes it, so that a
file which was cut off is known.
"""

import json
import os
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import IntEnum
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from pegcount import core
from pegcount.errors import ArchiveError

_MAGIC: Final = b"PEGARCH"
_FORMAT: Final = b"1"
_FRAME: Final = struct.Struct("<BII")
_COMPRESSION_LEVEL: Final = 1
"""Of several levels, the fastest: others take longer than all else for a fifth fewer bytes."""


class Kind(IntEnum):
    """What a frame has."""

    HEADER = 1
    RECORDS = 2
    DECK = 3
    SETTINGS = 4
    END = 5


_KINDS: Final = frozenset(map(int, Kind))


class ArchiveWriter:
    """Writes an archive, from the first frame to `end`."""

    def __init__(
        self,
        file: BinaryIO,
        written_by: str,
        piece_row_count: int,
        record_fields: Sequence[str] = tuple(core.record_fields()),
    ) -> None:
        """Pieces are joined until they have `piece_row_count` records, which have `record_fields` at most."""
        self._file = file
        self._piece_row_count = piece_row_count
        self._gathered = BytesIO()
        self._gathered_count = 0
        self._record_count = 0
        self._frame_count = 0
        file.write(_MAGIC + _FORMAT)
        self._put_json(Kind.HEADER, {"written_by": written_by, "record_fields": list(record_fields)})

    def put_records(self, piece: bytes, row_count: int) -> None:
        """Adds records; a piece and the next one are together a piece."""
        self._gathered.write(piece)
        self._gathered_count += row_count
        if self._gathered_count >= self._piece_row_count:
            self._put_gathered()

    def put_deck(self, deck_id: int, entries: bytes) -> None:
        """Adds a code deck; `entries` is the JSON array of all its entries."""
        self._put(Kind.DECK, b'{"deck_id": %d, "entries": %b}' % (deck_id, entries))

    def end(self, settings: Mapping[str, Any]) -> int:
        """Adds the settings and the end; returns how many records the archive has."""
        self._put_gathered()
        self._put_json(Kind.SETTINGS, settings)
        self._put_json(Kind.END, {"records": self._record_count, "frames": self._frame_count})
        return self._record_count

    def _put_gathered(self) -> None:
        if self._gathered_count:
            self._put(Kind.RECORDS, self._gathered.getvalue())
            self._record_count += self._gathered_count
        self._gathered, self._gathered_count = BytesIO(), 0

    def _put_json(self, kind: Kind, content: Mapping[str, Any]) -> None:
        self._put(kind, json.dumps(content, ensure_ascii=False).encode())

    def _put(self, kind: Kind, content: bytes) -> None:
        packed = zlib.compress(content, _COMPRESSION_LEVEL)
        self._file.write(_FRAME.pack(kind, len(packed), zlib.crc32(packed, kind)))
        self._file.write(packed)
        self._frame_count += 1


class VerifiedArchive:
    """An archive that was found whole. Methods read the file anew; ArchiveError if it is another one now."""

    def __init__(self, path: Path) -> None:
        """Reads the whole file before anything of it is used; raises ArchiveError if it is not an archive."""
        self._path = path
        self._seen = _identity(path.stat())
        contents: dict[Kind, Mapping[str, Any]] = {}
        count = 0
        for kind, packed in self._frames(_KINDS):
            if Kind.END in contents:
                raise ArchiveError(f"{path} goes on after its end: it is not one archive")
            if kind in (Kind.HEADER, Kind.SETTINGS, Kind.END):
                contents[kind] = json.loads(zlib.decompress(packed))
                if kind == Kind.HEADER:
                    _require_known_fields(path, contents[kind]["record_fields"])
            count += 1
        end = contents.get(Kind.END)
        if end is None or end["frames"] != count - 1:
            raise self._broken("cut off, as its end is missing")
        self.settings = contents[Kind.SETTINGS]
        self.record_count: int = end["records"]

    def pieces(self) -> Iterator[bytes]:
        """The records."""
        yield from (zlib.decompress(packed) for _, packed in self._frames({Kind.RECORDS}))

    def decks(self) -> Iterator[tuple[int, core.CodeDeck]]:
        """The code decks by their ids."""
        for _, packed in self._frames({Kind.DECK}):
            content = json.loads(zlib.decompress(packed))
            yield content["deck_id"], core.CodeDeck.from_json(json.dumps(content["entries"]).encode())

    def _frames(self, wanted: Collection[int]) -> Iterator[tuple[Kind, bytes]]:
        with self._path.open("rb") as file:
            if _identity(os.fstat(file.fileno())) != self._seen:
                raise ArchiveError(f"{self._path} has changed since it was verified: import it again")
            self._require_magic(file.read(len(_MAGIC) + len(_FORMAT)))
            while head := file.read(_FRAME.size):
                start = file.tell() - len(head)
                if len(head) < _FRAME.size:
                    raise self._broken(f"cut off at byte {start}")
                number, length, crc32 = _FRAME.unpack(head)
                if number not in _KINDS:
                    raise self._broken(f"damaged at byte {start}")
                if number not in wanted:
                    file.seek(length, 1)
                    continue
                packed = file.read(length)
                if len(packed) < length:
                    raise self._broken(f"cut off at byte {start}")
                if zlib.crc32(packed, number) != crc32:
                    raise self._broken(f"damaged at byte {start}")
                yield Kind(number), packed

    def _broken(self, what: str) -> ArchiveError:
        return ArchiveError(f"{self._path} is {what}; copy or export it again: nothing was imported")

    def _require_magic(self, magic: bytes) -> None:
        if not magic.startswith(_MAGIC) or not magic[len(_MAGIC) :].isdigit():
            raise ArchiveError(f"{self._path} is not an archive of `pegcount export --format archive`")
        if magic != _MAGIC + _FORMAT:
            raise ArchiveError(
                f"{self._path} has format {magic[len(_MAGIC) :].decode()}, and this version reads format"
                f" {_FORMAT.decode()}: import it by the version of Pegcount that wrote it, or by a newer one"
            )


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    """What changes if another file takes the place of a file, or if it is written again."""
    return found.st_ino, found.st_size, found.st_mtime_ns


def _require_known_fields(path: Path, names: Sequence[str]) -> None:
    unknown = set(names) - set(core.record_fields())
    if unknown:
        raise ArchiveError(
            f"{path} was written by a newer version of Pegcount, and has fields that this one does not know:"
            f" {', '.join(sorted(unknown))}"
        )
