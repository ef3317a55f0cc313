"""The embedded store: one data directory, one process, the Rust core's columns.

    batch -> journal (SQLite, fsync) -> columns in memory -> sealed segments (Arrow IPC)

A data directory holds `catalog.db`, `segments/<UTC day>/<sequence>.arrow`,
`active/<sequence>.arrow` and `lock`. Files that the catalogue does not name are what a
crash left behind; they are removed when the store opens.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from pegcount import core
from pegcount.config import Config
from pegcount.errors import DataDamagedError, NotFoundError
from pegcount.model import CodeDeckEntry, Predicate, RejectedRecord, Scan, StoreInfo, WriteOutcome
from pegcount.store.catalog import Catalog, FileRow, SegmentRow
from pegcount.store.directory import DirectoryLock, prepare


class EmbeddedStore:
    """An open data directory; a `Store`."""

    def __init__(self, directory: Path, config: Config, *, create: bool = False) -> None:
        """Opens a data directory and takes back what a crash left in the journal.

        Raises StoreOpenError where it is missing (and not to be created), in use, of a
        newer format or no data directory; DataDamagedError where a file fails its checksum.
        """
        prepare(directory, create)
        self._directory = directory
        self._config = config
        self._write_lock = Lock()
        self._decks: dict[int, core.Deck] = {}
        self._columns = core.Store()
        with ExitStack() as opened:
            self._owner = DirectoryLock(directory)
            opened.callback(self._owner.release)
            self._catalog = Catalog(directory)
            opened.callback(self._catalog.close)
            self._load()
            opened.pop_all()

    def submit(self, batch: bytes) -> "_Written":
        """Takes a batch on its way to the disk; see `Store.submit`."""
        return _Written(self.write(batch))

    @property
    def write_fault(self) -> str | None:
        """Why batches cannot be made durable now."""
        return None

    def write(self, batch: bytes) -> WriteOutcome:
        """Takes in a batch; see `Store.write`."""
        columns = core.Batch.from_wire(batch)
        rejected = tuple(RejectedRecord(*row) for row in columns.rejected)
        if columns.rows == 0:
            return WriteOutcome(0, 0, 0, rejected)
        journal_row = columns.to_journal()
        with self._write_lock:
            received_us = time.time_ns() // 1_000
            self._catalog.append_journal(journal_row, received_us)
            outcome = self._columns.apply(columns, received_us)
            if self._columns.unsealed_finished_rows >= self._config.seal_row_count:
                self._seal()
        return WriteOutcome(*outcome, rejected)

    def seal(self) -> None:
        """Moves the finished records in memory into segments and empties the journal."""
        with self._write_lock:
            self._seal()

    def partials(self, scan: Scan, cell_count_max: int, stop: core.Stop) -> core.Partials:
        """Sums per bin and group; see `Store.partials`."""
        return self._columns.partials(
            edges=scan.edge_us,
            predicates=scan.predicates,
            keys=scan.keys,
            measure=(scan.measure.name, scan.measure.as_of_us),
            deck=None if scan.code_deck is None else self._deck(scan.code_deck),
            cell_count_max=cell_count_max,
            stop=stop,
        )

    def any_match(self, predicates: Sequence[Predicate], stop: core.Stop) -> bool:
        """Whether any record held meets all predicates."""
        return self._columns.any_match(predicates, stop)

    def first_setup_us(self) -> int | None:
        """Setup time of the oldest record held, microseconds UTC, None without records."""
        return self._columns.first_setup_us()

    def put_code_deck(self, deck_id: int, entries: Sequence[CodeDeckEntry]) -> None:
        """Puts a code deck in place of any other of the same id, durably."""
        self._catalog.put_code_deck(deck_id, entries)
        self._decks[deck_id] = core.Deck(entries)

    def code_decks(self) -> Mapping[int, int]:
        """Number of entries of each code deck, by id."""
        return self._catalog.code_decks()

    def info(self) -> StoreInfo:
        """What the store holds."""
        records, unsealed, segments, setup_range = self._columns.info()
        segment_bytes = sum(segment.file.bytes for segment in self._catalog.segments())
        first, last = setup_range or (None, None)
        return StoreInfo(records, unsealed, segments, segment_bytes, first, last)

    def close(self) -> None:
        """Lets go of the data directory; what is in the journal is taken back by the next owner."""
        with self._write_lock:
            self._catalog.close()
            self._owner.release()

    def _deck(self, deck_id: int) -> core.Deck:
        deck = self._decks.get(deck_id)
        if deck is None:
            entries = self._catalog.code_deck(deck_id)
            if entries is None:
                message = f"there is no code deck {deck_id}"
                raise NotFoundError("CODE_DECK_NOT_FOUND", "code_deck", message, code_deck=deck_id)
            deck = self._decks.setdefault(deck_id, core.Deck(entries))
        return deck

    def _load(self) -> None:
        segments, active = self._catalog.segments(), self._catalog.active_snapshot()
        self._match_files([segment.file for segment in segments] + ([] if active is None else [active]))
        for segment in segments:
            self._columns.open_segment(self._directory, segment.day, _as_tuple(segment.file), segment.dead)
        if active is not None:
            self._columns.open_active(self._directory, _as_tuple(active))
        for received_us, batch in self._catalog.journal():
            self._columns.apply(core.Batch.from_journal(batch), received_us)

    def _seal(self) -> None:
        sealed = self._columns.seal(self._directory, self._catalog.next_sequence())
        segments = [SegmentRow(FileRow(*file), day, b"") for day, file in sealed.segments]
        active = None if sealed.active is None else FileRow(*sealed.active)
        before = self._catalog.active_snapshot()
        self._catalog.commit_seal(segments, active, sealed.dead)
        self._columns.adopt(sealed)
        if before is not None:
            (self._directory / before.name).unlink(missing_ok=True)

    def _match_files(self, catalogued: Sequence[FileRow]) -> None:
        """Raises DataDamagedError for a missing file, then removes those that the catalogue does not name."""
        known = {self._directory / file.name for file in catalogued}
        for path in known:
            if not path.is_file():
                raise DataDamagedError(f"{path}: the segment is missing", file=path)
        for pattern in ("segments/*/*", "active/*"):
            for path in set(self._directory.glob(pattern)) - known:
                path.unlink()


class _Written:
    def __init__(self, outcome: WriteOutcome) -> None:
        self._outcome = outcome

    def wait(self) -> WriteOutcome:
        return self._outcome


def _as_tuple(file: FileRow) -> tuple[str, int, int, int]:
    return (file.name, file.rows, file.bytes, file.crc32)
