"""The embedded store: a data directory that one process owns, over the engine of the Rust core.

    batch -> journal (fdatasync) -> memtable -> segments (Arrow IPC)

A data directory contains `catalog.db`, `journal/<sequence>.log`, `segments/<UTC day>/<number>.arrow`,
`active/<number>.arrow`, `decks/<number>.json.zlib`, `lock` and `readers`. Files that the catalogue does not
name were left by a crash, and the store removes them once it has replayed the journal, or they are newer than
the catalogue, and the store does not open. What it must not remove it moves into `lost`.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from pegcount import core
from pegcount.config import Config, LiveConfig
from pegcount.counters import Rejections, StoreCounters
from pegcount.errors import OverloadedError, PegcountError, StoreReadOnlyError
from pegcount.model import (
    CredentialRow,
    Deletion,
    DeletionOutcome,
    DeletionRule,
    Document,
    Predicate,
    RefusedClock,
    Retention,
    Scan,
    StoreInfo,
)
from pegcount.privacy import AuditEntry, Erasure, ErasureOutcome, Masking
from pegcount.store import files, modes
from pegcount.store.accepted_loss import accept_losses, move_aside
from pegcount.store.advice import advised_start
from pegcount.store.audit_rows import AuditRows
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_migration import migrate
from pegcount.store.clock_watch import ClockWatch, boot_number, boot_seconds
from pegcount.store.counting import StoreCounting
from pegcount.store.credential_rows import CredentialRows
from pegcount.store.deck_files import DeckFiles
from pegcount.store.deletions import Deletions
from pegcount.store.directory import DirectoryLock, prepare
from pegcount.store.documents import Documents
from pegcount.store.erasures import Erasures
from pegcount.store.interface import Store
from pegcount.store.loaded_decks import LoadedDecks
from pegcount.store.maintenance import Maintenance
from pegcount.store.moving.directory import DirectoryTarget
from pegcount.store.pending_write import PendingWrite
from pegcount.store.rejections import RejectionCounts
from pegcount.store.replaced_files import ReplacedFiles
from pegcount.store.retention import oldest_us
from pegcount.store.scrubber import Scrubber
from pegcount.traffic import TrafficScan


class EmbeddedStore(Store):
    """An open data directory."""

    def __init__(
        self,
        directory: Path,
        config: Config | LiveConfig,
        *,
        create: bool = False,
        accepted_losses: Sequence[str] = (),
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        monotonic: Callable[[], float] = boot_seconds,
        boot: Callable[[], int | None] = boot_number,
    ) -> None:
        """Opens a data directory and replays its journal.

        `accepted_losses` names files, relative to the directory, that may be missing, damaged or newer than
        the catalogue. `clock` returns the present time in microseconds UTC, `monotonic` the seconds since an
        instant that is fixed within a boot, which tells jumps of the clock, and `boot` the number of the
        boot, if known. Raises StoreOpenError if the directory is missing or empty (without `create`), in use,
        of an unknown format, not a data directory, or if its catalogue is older than its files, and
        DataDamagedError if the catalogue, the journal or the active snapshot is damaged or missing.
        """
        prepare(directory, create)
        self._live = LiveConfig.of(config)
        config = self._config = self._live.now
        self._clock = clock
        with ExitStack() as opened:
            self._owner = DirectoryLock(directory)
            opened.callback(self._owner.release)
            modes.tighten(directory)
            migrate(directory)
            with advised_start():
                self._catalog = Catalog(directory)
            opened.callback(self._catalog.close)
            accept_losses(directory, self._catalog, accepted_losses)
            files.require_no_problems(directory, self._catalog)
            with advised_start():
                self._engine = files.open_engine(directory, self._catalog, config)
            self._replaced = ReplacedFiles(directory, config.reader_stalled_seconds)
            opened.callback(self._replaced.close)
            self._clear_leftovers(directory, may_have_lost=bool(accepted_losses))
            numbers = files.FileNumbers(directory, self._catalog)
            deck_files = self._deck_files = DeckFiles(directory, self._catalog, numbers, self._replaced)
            self._deletions = Deletions(self._catalog, self._engine, config, clock)
            self._credentials = CredentialRows(self._catalog)
            self._audit = AuditRows(self._catalog, config.audit_entry_count_max)
            self._documents = Documents(self._catalog, config.document_bytes_max)
            kept, take_rejected = self._documents, self._engine.take_rejected
            self._rejections = RejectionCounts(take_rejected, kept.get, kept.put, config, clock)
            self._decks = _loaded_decks(deck_files, config)
            watch = ClockWatch(self._catalog, self._engine, config, clock, monotonic, boot)
            self._guarded_clock = watch.guarded
            self._scrubber = Scrubber(self._catalog, self._engine)
            self._erasures = Erasures(self._catalog, self._engine, self._scrubber, config, clock)
            self._maintenance = Maintenance(
                directory,
                self._owner,
                self._catalog,
                self._engine,
                numbers,
                self._replaced,
                config,
                watch,
                self._scrubber,
                self._rejections,
            )
            self._counting = StoreCounting(
                directory, self._engine, self._maintenance, self._guarded_clock, config
            )
            opened.pop_all()

    def _clear_leftovers(self, directory: Path, *, may_have_lost: bool) -> None:
        """Removes files of a crash, or moves them aside if one may have what a lost file had."""
        leftovers = files.leftovers(directory, self._catalog)
        if may_have_lost:
            move_aside(directory, leftovers)
        else:
            self._replaced.remove(leftovers)

    def submit(
        self, batch: bytes, cancel_token: core.CancelToken, writer: core.RecordScope | None = None
    ) -> "PendingBatch":
        """Enqueues a batch for the next group commit; see `Store.submit`."""
        now_us = self._clock()
        unflushed = self._engine.memory_rows.finished
        if unflushed > self._config.unsealed_row_count_max:
            if (fault := self._maintenance.write_faults.flush_fault()) is not None:
                raise StoreReadOnlyError(fault)
            raise OverloadedError(
                f"{unflushed} records wait to be sealed", self._live.overload_retry_seconds()
            )
        self._maintenance.journals.require_open()
        oldest = oldest_us(self._maintenance.retention, self._maintenance.first_retained_day, now_us)
        pending = self._engine.submit(batch, self._guarded_clock.receipt_us(), oldest, writer)
        return PendingBatch(self._engine, pending, cancel_token)

    @property
    def write_fault(self) -> str | None:
        """Why batches cannot be made durable now; see `Store.write_fault`."""
        return self._maintenance.write_faults.fault()

    def flush(self, *, with_active: bool = True) -> None:
        """Flushes the finished records; see `Maintenance.flush`."""
        self._maintenance.flush(with_active=with_active)

    def maintain(self) -> None:
        """Flushes, compacts and applies retention, each if due, as the background thread also does."""
        self._maintenance.run_once()

    def partials(self, scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        """Returns sums per bin and group; see `Store.partials`."""
        deck = None if scan.code_deck is None else self._decks.get(scan.code_deck, cancel_token)
        return self._engine.partials(scan, deck, cell_count_max, cancel_token)

    def traffic_partials(
        self, scan: TrafficScan, cell_count_max: int, cancel_token: core.CancelToken
    ) -> core.TrafficPartials:
        """Returns measures per bin and group; see `Store.traffic_partials`."""
        deck = None if scan.code_deck is None else self._decks.get(scan.code_deck, cancel_token)
        return self._engine.traffic_partials(scan, deck, cell_count_max, cancel_token)

    def estimate(self, scan: Scan | TrafficScan) -> int | None:
        """Returns about how many rows a scan would read; see `Store.estimate`."""
        # To load a deck reads the catalogue, which may take long.
        if scan.code_deck is not None and scan.code_deck not in self._decks:
            return None
        return self._engine.estimate(scan)

    def any_match(self, predicates: Sequence[Predicate], cancel_token: core.CancelToken) -> bool:
        """Returns whether any record satisfies all predicates; see `Store.any_match`."""
        return self._engine.any_match(predicates, cancel_token)

    def first_day(self, cancel_token: core.CancelToken | None = None) -> int | None:
        """Returns the first UTC day that has a record; see `Store.first_day`. Takes microseconds."""
        return self._engine.first_day

    def put_code_deck(self, deck_id: int, deck: core.CodeDeck) -> None:
        """Stores a code deck durably; see `Store.put_code_deck`."""
        self._deck_files.put(deck_id, deck)
        self._decks.put(deck_id, deck)

    def code_decks(self) -> Mapping[int, int]:
        """Returns the number of entries of each code deck by its id."""
        return {deck_id: deck.entry_count for deck_id, deck in self._catalog.code_decks().items()}

    def retention(self) -> Retention:
        """Returns the limits of retention."""
        return self._maintenance.retention

    def set_retention(self, retention: Retention) -> None:
        """Sets the limits of retention durably; see `Store.set_retention`."""
        self._maintenance.set_retention(retention)

    def accept_clock(self) -> None:
        """Believes the present time of the clock; see `Store.accept_clock`."""
        self._maintenance.accept_clock()

    def refused_clock(self) -> RefusedClock | None:
        """Returns what a refused clock holds up; see `Store.refused_clock`."""
        return self._maintenance.refused_clock()

    @property
    def session_now_us(self) -> int:
        """Time by which active sessions are abandoned; see `Store.session_now_us`."""
        return self._guarded_clock.session_us()

    def document(self, name: str) -> Document | None:
        """Returns a settings document; see `Store.document`."""
        return self._documents.get(name)

    def documents(self) -> Mapping[str, int]:
        """Returns the versions of the settings documents by name."""
        return self._documents.versions()

    def put_document(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        """Stores a settings document durably; see `Store.put_document`."""
        return self._documents.put(name, content, expected_version)

    def credentials(self) -> Sequence[CredentialRow]:
        """Returns all credentials; see `Store.credentials`."""
        return self._credentials.all()

    def put_credentials(self, rows: Sequence[CredentialRow], dropped_ids: Collection[str] = ()) -> None:
        """Stores credentials durably; see `Store.put_credentials`."""
        self._credentials.put(rows, dropped_ids)

    def append_audit(self, entry: AuditEntry) -> int:
        """Adds an audit entry durably; see `Store.append_audit`."""
        return self._audit.append(entry)

    def set_audit_outcome(self, entry_id: int, outcome: str, request: str | None = None) -> None:
        """Notes durably how the call of an audit entry ended; see `Store.set_audit_outcome`."""
        self._audit.set_outcome(entry_id, outcome, request)

    def audit_entries(self, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """Returns audit entries, the newest first; see `Store.audit_entries`."""
        return self._audit.entries(before_id, limit)

    @property
    def query_memory_bytes(self) -> int:
        """Bytes that all queries in progress hold."""
        return self._engine.query_memory_bytes

    def delete(self, deletion: Deletion, cancel_token: core.CancelToken) -> DeletionOutcome:
        """Deletes records durably; see `Store.delete`."""
        return self._deletions.delete(deletion, self._maintenance, cancel_token)

    def deletions(self) -> Sequence[DeletionRule]:
        """Returns the deletions that still apply; see `Store.deletions`."""
        return self._deletions.rules()

    def deletion(self, rule_id: int) -> DeletionRule:
        """Returns one of them with its session ids; see `Store.deletion`."""
        return self._deletions.get(rule_id)

    def lift_deletion(self, rule_id: int, cancel_token: core.CancelToken) -> None:
        """Ends a deletion durably; see `Store.lift_deletion`."""
        self._deletions.lift(rule_id, cancel_token)

    def erase(self, parties: Sequence[str], cancel_token: core.CancelToken) -> ErasureOutcome:
        """Erases numbers of parties durably; see `Store.erase`."""
        return self._erasures.erase(parties, self._maintenance, cancel_token)

    def count_parties(self, parties: Sequence[str], cancel_token: core.CancelToken) -> int:
        """Returns how many records have one of these numbers; see `Store.count_parties`."""
        return self._erasures.count(parties, cancel_token)

    def erasures(self) -> Sequence[Erasure]:
        """Returns the erasures that writes are held to; see `Store.erasures`."""
        return self._erasures.all()

    def lift_erasure(self, erasure_id: int, cancel_token: core.CancelToken) -> None:
        """Ends an erasure durably; see `Store.lift_erasure`."""
        self._erasures.lift(erasure_id, self._maintenance, cancel_token)

    def masking(self) -> Masking | None:
        """Returns after how many days numbers are masked; see `Store.masking`."""
        return self._maintenance.masking.get()

    def set_masking(self, masking: Masking | None) -> None:
        """Sets after how many days numbers are masked; see `Store.set_masking`."""
        self._maintenance.masking.set(masking, self._maintenance)

    def masking_backlog(self) -> int:
        """Returns how many segments wait to be masked; see `Store.masking_backlog`."""
        return self._scrubber.backlog()

    def archive_target(self) -> DirectoryTarget:
        """Returns the side of this store that takes an archive; no batch may be submitted meanwhile."""
        return DirectoryTarget(
            self._catalog,
            self._engine,
            self._deck_files,
            self._erasures,
            self._maintenance,
            self._config,
            self._clock,
        )

    def info(self) -> StoreInfo:
        """Returns counts of records and segments, and the range of setup times."""
        info = self._engine.info()
        return StoreInfo(
            info.records,
            info.unsealed_records,
            info.active_records,
            info.segments,
            info.segment_bytes,
            info.first_setup_us,
            info.last_setup_us,
        )

    def counters(self) -> StoreCounters:
        """Returns what the store has counted since it was opened; see `Store.counters`."""
        return self._counting.counters()

    def rejections(self) -> Rejections:
        """Returns how many records were rejected; see `Store.rejections`."""
        return self._rejections.counts()

    def close(self) -> None:
        """Commits the queued batches and releases the data directory; the next owner replays the journal."""
        self._maintenance.stop()
        while self._engine.commit_group():
            pass
        with suppress(PegcountError):
            self._rejections.save()
        self._catalog.close()
        self._replaced.close()
        self._owner.release()


class PendingBatch(PendingWrite):
    """A submitted batch."""

    def __init__(
        self, engine: core.Engine, pending: core.PendingCommit, cancel_token: core.CancelToken
    ) -> None:
        self._engine = engine
        self._pending = pending
        self._cancel_token = cancel_token

    def wait_for_response(self) -> bytes:
        """Returns the serialized response; see `PendingWrite.wait_for_response`."""
        return self._engine.wait_for_response(self._pending, self._cancel_token)

    @property
    def rejected_bytes(self) -> int:
        """Bytes of the rejected records; see `PendingWrite.rejected_bytes`."""
        return self._pending.rejected_bytes


def _loaded_decks(deck_files: DeckFiles, config: Config) -> LoadedDecks[int, core.CodeDeck]:
    """Returns decks that do not hold the store, whose files would stay open until the collector runs."""
    return LoadedDecks[int, core.CodeDeck](
        lambda deck_id, _: deck_files.code_deck(deck_id), config.loaded_code_deck_count_max
    )
