"""A store that writes to two: reports are answered by the primary, and the follower is kept the same.

    batch ──────► primary ──► follower ──► acknowledged          report ──► primary
    setting ────► primary ──► copied to the follower, before it gets another batch

| asked for | what happens |
|---|---|
| a batch | the primary judges it; the follower gets the records that the primary took; see `batches` |
| corrections | refused: the revision that one gets depends on the versions that a store holds |
| retention, masking, documents, credentials, deletions | in the primary, then copied |
| a code deck | put into the follower, then into the primary: a store does not tell its entries |
| a deletion without a rule | refused: only a rule also covers old records that come later |
| the end of a deletion | refused: an archive of before has the rule, and its import deletes again |
| an erasure, and its end | refused: its numbers cannot be copied if one of the stores fails |
| an audit entry | in the primary alone |

A setting that the follower cannot get now is in force all the same: a key can always be revoked. No batch is
taken until the follower has it, and a thread tries again; so does the next start.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from pegcount.config import Config, LiveConfig
from pegcount.core import CancelToken, CodeDeck, Partials, RecordScope, TrafficPartials
from pegcount.counters import Rejections, StoreCounters
from pegcount.errors import (
    MoveInProgressError,
    PegcountError,
    StoreOpenError,
    StoreUnavailableError,
    cause_of,
)
from pegcount.model import (
    CredentialRow,
    Deletion,
    DeletionOutcome,
    DeletionRule,
    Document,
    FollowerInfo,
    Predicate,
    RefusedClock,
    Retention,
    Scan,
    StoreInfo,
)
from pegcount.privacy import AuditEntry, Erasure, ErasureOutcome, Masking
from pegcount.store.dual.batches import DualBatches
from pegcount.store.dual.copier import SettingsCopier
from pegcount.store.dual.settings import BYTES_DIFFER, FollowerSettings
from pegcount.store.interface import Store
from pegcount.store.pending_write import PendingWrite
from pegcount.traffic import TrafficScan

_LOG = logging.getLogger(__name__)

_COPY_SECONDS_MAX: Final = 2.0
"""Seconds for which whoever changes a setting waits until the follower has it."""
_DELETION_SECONDS_MAX: Final = 60.0
"""The same of deletions, which no batch may overtake."""
_END_FIRST: Final = "end the move first, and do it in the one store that is left"


class DualWriteStore(Store):
    """Two open stores, which it closes. Thread-safe."""

    def __init__(self, primary: Store, follower: Store, config: Config | LiveConfig, names: str) -> None:
        """Makes the settings of the follower those of the primary.

        `names` is what the log calls the two. Closes both and raises StoreOpenError, with the next step, if
        they cannot be kept the same.
        """
        with ExitStack() as opened:
            opened.callback(primary.close)
            opened.callback(follower.close)
            self._primary = primary
            self._follower = follower
            settings = FollowerSettings(primary, follower)
            try:
                settings.require_followable()
                lost = settings.lost_by_follower()
                settings.copy()
                settings.copy_deletions(CancelToken(None))
                decks = settings.missing_decks()
            except StoreUnavailableError as error:
                raise StoreOpenError(str(error)) from error
            self._batches = DualBatches(primary, follower, LiveConfig.of(config), self._follower_fault)
            self._copier = SettingsCopier(settings, self._batches.wait_until_idle)
            opened.callback(self._copier.close)
            opened.callback(self._batches.close)
            self._opened = opened.pop_all()
        _LOG.info("dual write: each batch goes to %s, and is acknowledged once both have it", names)
        if lost:
            _LOG.warning("the follower has lost what the directory lacks: %s", ", ".join(lost))
        if decks:
            _LOG.warning("the follower lacks code decks %s: put them again, or import them", decks)

    def submit(
        self, batch: bytes, cancel_token: CancelToken, writer: RecordScope | None = None
    ) -> PendingWrite:
        """Submits a batch to both stores; see `Store.submit`.

        Raises StoreUnavailableError also while the follower cannot take it.
        """
        return self._batches.submit(batch, cancel_token, writer)

    def partials(self, scan: Scan, cell_count_max: int, cancel_token: CancelToken) -> Partials:
        """Returns the sums of the primary; see `Store.partials`."""
        return self._primary.partials(scan, cell_count_max, cancel_token)

    def traffic_partials(
        self, scan: TrafficScan, cell_count_max: int, cancel_token: CancelToken
    ) -> TrafficPartials:
        """Returns the measures of the primary; see `Store.traffic_partials`."""
        return self._primary.traffic_partials(scan, cell_count_max, cancel_token)

    def estimate(self, scan: Scan) -> int | None:
        """Returns how many rows the primary would read; see `Store.estimate`."""
        return self._primary.estimate(scan)

    def any_match(self, predicates: Sequence[Predicate], cancel_token: CancelToken) -> bool:
        """Returns whether a record of the primary matches; see `Store.any_match`."""
        return self._primary.any_match(predicates, cancel_token)

    def first_day(self, cancel_token: CancelToken) -> int | None:
        """Returns the first UTC day of the primary; see `Store.first_day`."""
        return self._primary.first_day(cancel_token)

    def latest_setup_us(self, cancel_token: CancelToken) -> int | None:
        """Returns the latest setup time of the primary; see `Store.latest_setup_us`."""
        return self._primary.latest_setup_us(cancel_token)

    def put_code_deck(self, deck_id: int, deck: CodeDeck) -> None:
        """Stores a code deck in both stores; see `Store.put_code_deck`."""
        self._follower.put_code_deck(deck_id, deck)
        self._primary.put_code_deck(deck_id, deck)

    def code_decks(self) -> Mapping[int, int]:
        """Returns the code decks of the primary; see `Store.code_decks`."""
        return self._primary.code_decks()

    def retention(self) -> Retention:
        """Returns the limits of retention."""
        return self._primary.retention()

    def set_retention(self, retention: Retention) -> None:
        """Sets the limits of retention; see `Store.set_retention`.

        Raises MoveInProgressError for a limit of bytes.
        """
        if retention.bytes is not None:
            raise MoveInProgressError(BYTES_DIFFER)
        self._primary.set_retention(retention)
        self._copier.copy(_COPY_SECONDS_MAX)

    def delete(self, deletion: Deletion, cancel_token: CancelToken) -> DeletionOutcome:
        """Deletes records of both stores; see `Store.delete`. Raises MoveInProgressError without a rule."""
        if deletion.once:
            raise MoveInProgressError(
                "records move to another store: without a rule, what is deleted would come back with the old"
                " records; delete without --once, and lift the rule when the move has ended"
            )
        with self._batches.paused(cancel_token):
            outcome = self._primary.delete(deletion, cancel_token)
            self._copier.copy(_DELETION_SECONDS_MAX)
        return outcome

    def deletions(self) -> Sequence[DeletionRule]:
        """Returns the deletions that still apply; see `Store.deletions`."""
        return self._primary.deletions()

    def deletion(self, rule_id: int) -> DeletionRule:
        """Returns a deletion with its session ids; see `Store.deletion`."""
        return self._primary.deletion(rule_id)

    def lift_deletion(self, rule_id: int, cancel_token: CancelToken) -> None:
        """Raises MoveInProgressError."""
        raise MoveInProgressError(
            "records move to another store: an archive that was exported before would bring the rule back,"
            f" and delete there what came since; {_END_FIRST}"
        )

    def erase(self, parties: Sequence[str], cancel_token: CancelToken) -> ErasureOutcome:
        """Raises MoveInProgressError."""
        raise MoveInProgressError(f"an erasure could be lost in one of the two stores: {_END_FIRST}")

    def count_parties(self, parties: Sequence[str], cancel_token: CancelToken) -> int:
        """Returns how many records of the primary have a number; see `Store.count_parties`."""
        return self._primary.count_parties(parties, cancel_token)

    def erasures(self) -> Sequence[Erasure]:
        """Returns the erasures that writes are held to; see `Store.erasures`."""
        return self._primary.erasures()

    def lift_erasure(self, erasure_id: int, cancel_token: CancelToken) -> None:
        """Raises MoveInProgressError."""
        raise MoveInProgressError(f"an erasure could end in one of the two stores only: {_END_FIRST}")

    def masking(self) -> Masking | None:
        """Returns when numbers of parties are masked."""
        return self._primary.masking()

    def set_masking(self, masking: Masking | None) -> None:
        """Sets when numbers of parties are masked; see `Store.set_masking`."""
        self._primary.set_masking(masking)
        self._copier.copy(_COPY_SECONDS_MAX)

    def masking_backlog(self) -> int:
        """Returns how many segments of the primary wait to be masked."""
        return self._primary.masking_backlog()

    def accept_clock(self) -> None:
        """Has the primary believe the clock; see `Store.accept_clock`."""
        self._primary.accept_clock()

    def refused_clock(self) -> RefusedClock | None:
        """Returns what a refused clock holds up in the primary."""
        return self._primary.refused_clock()

    @property
    def session_now_us(self) -> int:
        """Time by which active sessions are abandoned; see `Store.session_now_us`."""
        return self._primary.session_now_us

    def document(self, name: str) -> Document | None:
        """Returns a settings document; see `Store.document`."""
        return self._primary.document(name)

    def documents(self) -> Mapping[str, int]:
        """Returns the versions of the settings documents in the primary; those of the follower differ."""
        return self._primary.documents()

    def put_document(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        """Stores a settings document; see `Store.put_document`."""
        version = self._primary.put_document(name, content, expected_version)
        self._copier.copy(_COPY_SECONDS_MAX)
        return version

    def credentials(self) -> Sequence[CredentialRow]:
        """Returns all credentials; see `Store.credentials`."""
        return self._primary.credentials()

    @property
    def credentials_version(self) -> int:
        """Grows with each change of a credential; see `Store.credentials_version`."""
        return self._primary.credentials_version

    def put_credentials(self, rows: Sequence[CredentialRow], dropped_ids: Collection[str] = ()) -> None:
        """Stores credentials; see `Store.put_credentials`."""
        self._primary.put_credentials(rows, dropped_ids)
        self._copier.copy(_COPY_SECONDS_MAX)

    def append_audit(self, entry: AuditEntry) -> int:
        """Adds an audit entry to the primary; see `Store.append_audit`."""
        return self._primary.append_audit(entry)

    def set_audit_outcome(self, entry_id: int, outcome: str, request: str | None = None) -> None:
        """Sets the outcome of an audit entry; see `Store.set_audit_outcome`."""
        self._primary.set_audit_outcome(entry_id, outcome, request)

    def audit_entries(self, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """Returns audit entries of the primary; see `Store.audit_entries`."""
        return self._primary.audit_entries(before_id, limit)

    def info(self) -> StoreInfo:
        """Returns what the primary holds, and beside it what the follower does."""
        follower = FollowerInfo(None, None, self._batches.failed_count, self._copier.fault)
        if self._follower.write_fault is None:
            try:
                found = self._follower.info()
                follower = replace(follower, records=found.records, active_records=found.active_records)
            except PegcountError as error:
                _LOG.warning("the follower does not tell what it holds: %s", cause_of(error))
        return replace(self._primary.info(), follower=follower)

    def counters(self) -> StoreCounters:
        """Returns what the primary has counted, and the batches of the dual write."""
        return replace(
            self._primary.counters(),
            follower_failed_batches=self._batches.failed_count,
            follower_waiting_bytes=self._batches.in_flight_bytes,
        )

    def rejections(self) -> Rejections:
        """Returns how many records the primary rejected, which judges all of them."""
        return self._primary.rejections()

    @property
    def write_fault(self) -> str | None:
        """Why batches cannot be made durable in both stores now; see `Store.write_fault`."""
        if (fault := self._primary.write_fault) is not None:
            return fault
        fault = self._follower_fault()
        return None if fault is None else f"the follower: {fault}"

    def _follower_fault(self) -> str | None:
        return self._copier.fault or self._follower.write_fault

    def close(self) -> None:
        """Makes the batches that were submitted durable in both stores, and closes them."""
        self._opened.close()
