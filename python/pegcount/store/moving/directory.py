"""Both sides of moving for a data directory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pegcount.config import Config
from pegcount.core import CodeDeck, Engine
from pegcount.errors import ArchiveError
from pegcount.model import Retention
from pegcount.privacy import Masking
from pegcount.store import deck_files, files
from pegcount.store.catalog import Catalog
from pegcount.store.credential_rows import CredentialRows
from pegcount.store.deletions import deletion_of
from pegcount.store.directory import prepare
from pegcount.store.documents import Documents
from pegcount.store.erasures import Erasures
from pegcount.store.maintenance import Maintenance
from pegcount.store.moving.settings import MovedErasure, MovedSettings
from pegcount.store.moving.sides import ArchiveSource, ArchiveTarget, JoinCounts
from pegcount.store.readers import reading
from pegcount.store.rejections import DOCUMENT_NAME
from pegcount.store.retention import oldest_us
from pegcount.store.scrubbing import (
    ERASURE_KEY,
    KEEP_DIGITS,
    MASK_AFTER_DAYS,
    divided_digests,
    erasure_rows,
)
from pegcount.store.snapshot import rollback_hot_journal


class DirectorySource(ArchiveSource):
    """A data directory as it was at one instant; a server may own it."""

    def __init__(self, directory: Path, config: Config) -> None:
        """Raises StoreOpenError or DataDamagedError, as `open_snapshot` does."""
        prepare(directory, create=False)
        rollback_hot_journal(directory)
        with reading(directory, config), closing(Catalog(directory, read_only=True)) as catalog:
            files.require_no_missing_files(directory, catalog)
            self._engine = files.open_engine(directory, catalog, config)
            self._engine.retire_segments()
            self._settings = _settings_of(catalog, config)
            decks = catalog.code_decks()
            self._decks = {deck_id: deck_files.read(directory, entry) for deck_id, entry in decks.items()}
        self._row_count = config.export_piece_row_count

    def pieces(self) -> Iterator[tuple[bytes, int]]:
        """Yields the records; see `ArchiveSource.pieces`."""
        piece = self._engine.stored_records(None, self._row_count)
        while piece is not None:
            yield piece.records, piece.row_count
            piece = self._engine.stored_records(piece.next, self._row_count)

    def decks(self) -> Iterator[tuple[int, CodeDeck]]:
        """Yields the code decks; see `ArchiveSource.decks`."""
        yield from self._decks.items()

    def settings(self) -> MovedSettings:
        """Returns the settings; see `ArchiveSource.settings`."""
        return self._settings


class DirectoryTarget(ArchiveTarget):
    """An open data directory, which nobody else writes to: no journal has what is joined."""

    def __init__(
        self,
        catalog: Catalog,
        engine: Engine,
        decks: deck_files.DeckFiles,
        erasures: Erasures,
        maintenance: Maintenance,
        config: Config,
        clock: Callable[[], int],
    ) -> None:
        """`clock` returns the present time in microseconds UTC."""
        self._catalog = catalog
        self._engine = engine
        self._decks = decks
        self._erasures = erasures
        self._maintenance = maintenance
        self._config = config
        self._clock = clock

    def erasures(self) -> Sequence[MovedErasure]:
        """Returns the erasures; see `ArchiveTarget.erasures`."""
        return _erasures_of(self._catalog)

    def require_room_for_key(self, erasures: Sequence[MovedErasure]) -> None:
        """Raises ArchiveError if digests were made with several keys, of which a directory keeps one."""
        own = self._catalog.blob_settings().get(ERASURE_KEY)
        keys = {erasure.key for erasure in erasures} | ({own} - {None} if erasures else set())
        if len(keys) > 1:
            raise ArchiveError(
                "the erasures of the archive, and those of the directory if it has any, were made by several"
                " stores, of which each has a key of its own for the digests of numbers, and a data directory"
                " has one: import into a new directory, or lift the erasures of all stores but one, and erase"
                " their numbers again afterwards; nothing was imported"
            )

    def take_erasure(self, erasure: MovedErasure) -> None:
        """Holds all records to an erasure; see `ArchiveTarget.take_erasure`."""
        self._erasures.take(erasure.key, erasure.digests, erasure.records, self._maintenance)

    def retain_from(self, day: int) -> None:
        """Rejects records before a day; see `ArchiveTarget.retain_from`."""
        self._maintenance.retain_from(day)

    def deck(self, deck_id: int) -> CodeDeck:
        """Returns a code deck; see `ArchiveTarget.deck`."""
        return self._decks.code_deck(deck_id)

    def join(self, piece: bytes) -> JoinCounts:
        """Joins records; see `ArchiveTarget.join`."""
        maintenance = self._maintenance
        maintenance.journals.require_open()
        oldest = oldest_us(maintenance.retention, maintenance.first_retained_day, self._clock())
        joined = self._engine.join_stored(piece, oldest)
        if self._engine.memory_rows.finished >= self._config.seal_row_count:
            maintenance.flush(with_active=True)
        return JoinCounts(
            joined.added, joined.joined, joined.unchanged, joined.deleted, joined.before_retention
        )

    def finish(self) -> None:
        """Writes all that was joined into files; see `ArchiveTarget.finish`."""
        self._maintenance.flush(with_active=True)


def _settings_of(catalog: Catalog, config: Config) -> MovedSettings:
    settings, documents = catalog.settings(), Documents(catalog, config.document_bytes_max)
    after_days = settings.get(MASK_AFTER_DAYS)
    contents = {name: documents.get(name) for name in documents.versions() if name != DOCUMENT_NAME}
    return MovedSettings(
        {row.rule_id: deletion_of(row) for row in catalog.deletions()},
        tuple(_erasures_of(catalog)),
        None if after_days is None else Masking(after_days, settings[KEEP_DIGITS]),
        Retention(settings.get("retention_days"), settings.get("retention_bytes")),
        settings.get("first_kept_day"),
        {name: document.content for name, document in contents.items() if document is not None},
        tuple(CredentialRows(catalog).all()),
    )


def _erasures_of(catalog: Catalog) -> list[MovedErasure]:
    key = catalog.blob_settings().get(ERASURE_KEY, b"")
    return [
        MovedErasure(key, tuple(divided_digests(row.digests)), row.create_us, row.records)
        for row in erasure_rows(catalog)
    ]
