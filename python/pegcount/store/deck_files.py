"""Code decks as files: a JSON array of `[code, name, country]`, compressed with zlib."""

import os
import zlib
from pathlib import Path
from threading import Lock

from pegcount.core import CodeDeck
from pegcount.errors import CodeDeckNotFoundError, DataDamagedError, StoreReadOnlyError, cause_of
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_entries import DeckEntry
from pegcount.store.directory import fsync
from pegcount.store.files import FileNumbers
from pegcount.store.modes import DIRECTORY_MODE, READ_ONLY_FILE_MODE
from pegcount.store.replaced_files import ReplacedFiles

# Compression lets other threads run after each piece of a deck, which may have megabytes.
_PIECE_ENTRY_COUNT = 8_192


class DeckFiles:
    """The code decks of a data directory. Thread-safe."""

    def __init__(
        self, directory: Path, catalog: Catalog, numbers: FileNumbers, replaced: ReplacedFiles
    ) -> None:
        self._directory = directory
        self._catalog = catalog
        self._numbers = numbers
        self._replaced = replaced
        # A replaced file is removed at once: no report may read it then.
        self._lock = Lock()

    def code_deck(self, deck_id: int) -> CodeDeck:
        """Reads a deck; raises CodeDeckNotFoundError or DataDamagedError."""
        with self._lock:
            entries = self._catalog.code_decks()
            if deck_id not in entries:
                raise CodeDeckNotFoundError(deck_id, entries)
            return read(self._directory, entries[deck_id])

    def put(self, deck_id: int, deck: CodeDeck) -> None:
        """Stores a deck durably, or replaces the one with this id. Raises StoreReadOnlyError."""
        with self._lock:
            replaced = self._catalog.code_decks().get(deck_id)
            try:
                entry = _write(self._directory, self._numbers.reserve(), deck)
            except OSError as error:
                raise StoreReadOnlyError(f"a code deck cannot be written: {cause_of(error)}") from error
            self._catalog.put_code_deck(deck_id, entry)
            if replaced is not None:
                self._replaced.remove([self._directory / replaced.name])


def _write(directory: Path, number: int, deck: CodeDeck) -> DeckEntry:
    compressor = zlib.compressobj()
    starts = range(0, deck.entry_count, _PIECE_ENTRY_COUNT)
    pieces = [compressor.compress(deck.json_piece(start, _PIECE_ENTRY_COUNT)) for start in starts]
    blob = b"".join([*pieces, compressor.flush()])
    return write_compressed(directory, number, deck.entry_count, blob)


def write_compressed(directory: Path, number: int, entry_count: int, blob: bytes) -> DeckEntry:
    """Writes the compressed JSON text of a deck durably into a new file. Raises OSError."""
    name = f"decks/{number:08}.json.zlib"
    path = directory / name
    # Not the data directory itself, which another program may have moved away.
    path.parent.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, READ_ONLY_FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(blob)
        file.flush()
        os.fsync(file.fileno())
    fsync(path.parent)
    fsync(directory)
    return DeckEntry(entry_count, name, len(blob), zlib.crc32(blob))


def read(directory: Path, entry: DeckEntry) -> CodeDeck:
    """Reads a deck; raises DataDamagedError if its file is missing or not what was written."""
    try:
        blob = (directory / entry.name).read_bytes()
    except FileNotFoundError as error:
        raise DataDamagedError(f"{entry.name} is missing", file=entry.name) from error
    if (len(blob), zlib.crc32(blob)) != (entry.size, entry.crc32):
        raise DataDamagedError(f"{entry.name} fails its checksum", file=entry.name)
    return CodeDeck.from_json(zlib.decompress(blob))
