"""The erasures of a data directory: digests that the catalogue stores and the engine holds records to."""

import logging
import os
from collections.abc import Callable, Sequence
from threading import Lock

from pegcount import core
from pegcount.config import Config
from pegcount.errors import StoreReadOnlyError
from pegcount.privacy import Erasure, ErasureOutcome, fingerprint_of
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_entries import DIGEST_BYTES, ErasureRow
from pegcount.store.catalog_rows import put_row
from pegcount.store.erasure_errors import (
    IN_FORCE,
    STILL_APPLIED,
    erasure_not_found,
    explained,
    lifted_meanwhile,
    require_room,
)
from pegcount.store.locks import locked
from pegcount.store.maintenance import Maintenance
from pegcount.store.scrubber import Scrubber
from pegcount.store.scrubbing import ERASURE_KEY, LAST_ERASURE, divided_digests, erasure_rows

_LOG = logging.getLogger(__name__)


class Erasures:
    """Erases numbers of parties, and keeps the digests that later writes are held to. Thread-safe."""

    def __init__(
        self,
        catalog: Catalog,
        engine: core.Engine,
        scrubber: Scrubber,
        config: Config,
        clock: Callable[[], int],
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._scrubber = scrubber
        self._config = config
        self._clock = clock
        self._lock = Lock()

    def erase(
        self, parties: Sequence[str], maintenance: Maintenance, cancel_token: core.CancelToken
    ) -> ErasureOutcome:
        """Erases numbers durably; see `Store.erase`."""
        with locked(self._lock, cancel_token):
            self._require_writable(maintenance)
            key, digests = self._digests(parties)
            require_room((row.party_count for row in erasure_rows(self._catalog)), len(digests), self._config)
            records = self._engine.count_parties(key, digests, cancel_token)
            number = self._begin(key, digests, records, maintenance, cancel_token)
        with explained(number, IN_FORCE):
            self._scrubber.scrub(maintenance, cancel_token)
        if self._row(number) is None:
            raise lifted_meanwhile(number)
        _LOG.info("erasure %d erased %d numbers, which %d records had", number, len(digests), records)
        return ErasureOutcome(records, number)

    def take(self, key: bytes, digests: Sequence[bytes], records: int, maintenance: Maintenance) -> None:
        """Erases the numbers with these digests durably: an erasure that comes from another store.

        `key` is that of the digests, and of this store if it has one; `records` had one of the numbers.
        Raises as `erase` does.
        """
        cancel_token = core.CancelToken(None)
        with locked(self._lock, cancel_token):
            self._require_writable(maintenance)
            require_room((row.party_count for row in erasure_rows(self._catalog)), len(digests), self._config)
            number = self._begin(key, digests, records, maintenance, cancel_token)
        with explained(number, IN_FORCE):
            self._scrubber.scrub(maintenance, cancel_token)

    def count(self, parties: Sequence[str], cancel_token: core.CancelToken) -> int:
        """Returns how many records have one of these numbers; see `Store.count_parties`."""
        return self._engine.count_parties(*self._digests(parties), cancel_token)

    def all(self) -> Sequence[Erasure]:
        """Returns the erasures by number; see `Store.erasures`."""
        key = self._catalog.blob_settings().get(ERASURE_KEY, b"")
        return [
            Erasure(
                row.erasure_id,
                row.party_count,
                row.create_us,
                row.records,
                bool(row.is_complete),
                fingerprint_of(key, divided_digests(row.digests)),
            )
            for row in erasure_rows(self._catalog)
        ]

    def lift(self, erasure_id: int, maintenance: Maintenance, cancel_token: core.CancelToken) -> None:
        """Ends an erasure durably; see `Store.lift_erasure`."""
        with locked(self._lock, cancel_token):
            cancel_token.check()
            while not self._lift_complete(erasure_id, maintenance, cancel_token):
                # Without its rule, nothing would take the number out of the files that still have it.
                with explained(erasure_id, STILL_APPLIED):
                    self._scrubber.scrub(maintenance, cancel_token)
        _LOG.info("erasure %d was lifted", erasure_id)

    def _begin(
        self,
        key: bytes,
        digests: Sequence[bytes],
        records: int,
        maintenance: Maintenance,
        cancel_token: core.CancelToken,
    ) -> int:
        """Puts an erasure in force, also for what memory and the journal hold, and returns its number."""
        number = self._catalog.settings().get(LAST_ERASURE, 0) + 1
        row = ErasureRow(number, b"".join(digests), len(digests), self._clock(), records, 0)
        with maintenance.alone(cancel_token):
            self._put(row, key)
            with explained(number, IN_FORCE):
                self._scrubber.use_catalog()
                self._scrubber.scrub_memory(maintenance)
        return number

    def _lift_complete(
        self, erasure_id: int, maintenance: Maintenance, cancel_token: core.CancelToken
    ) -> bool:
        """Ends an erasure if it is complete; returns whether it was."""
        with maintenance.alone(cancel_token):
            row = self._row(erasure_id)
            if row is None:
                raise erasure_not_found(erasure_id)
            if not row.is_complete:
                return False
            with self._catalog.transaction() as db:
                db.execute("DELETE FROM erasures WHERE erasure_id = ?", (erasure_id,))
            self._scrubber.use_catalog()
        return True

    def _row(self, erasure_id: int) -> ErasureRow | None:
        return next((row for row in erasure_rows(self._catalog) if row.erasure_id == erasure_id), None)

    def _require_writable(self, maintenance: Maintenance) -> None:
        missing = self._engine.missing_file()
        fault = maintenance.write_faults.fault() if missing is None else missing.problem
        if fault is not None:
            raise StoreReadOnlyError(fault)

    def _digests(self, parties: Sequence[str]) -> tuple[bytes, list[bytes]]:
        """The key of the store, or a new one, and the digests of the numbers, each once."""
        key = self._catalog.blob_settings().get(ERASURE_KEY) or os.urandom(DIGEST_BYTES)
        return key, sorted({core.party_digest(key, party) for party in parties})

    def _put(self, row: ErasureRow, key: bytes) -> None:
        with self._catalog.transaction() as db:
            put_row(db, "erasures", *row)
            put_row(db, "settings", ERASURE_KEY, key)
            put_row(db, "settings", LAST_ERASURE, row.erasure_id)
