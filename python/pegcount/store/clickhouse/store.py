"""The store in a ClickHouse cluster, which several servers share.

    batch -> group -> ledgers of the shards <- reports
    settings, rules -> change log of the first shard -> all servers

A server keeps nothing that the cluster does not have: each may be stopped and started again at any time.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from pegcount import core
from pegcount.config import Config, LiveConfig
from pegcount.counters import Rejections, StoreCounters
from pegcount.errors import PegcountError, StoreOpenError, StoreUnavailableError
from pegcount.model import (
    CredentialRow,
    Deletion,
    DeletionOutcome,
    DeletionRule,
    Document,
    Predicate,
    Retention,
    Scan,
    StoreInfo,
)
from pegcount.privacy import AuditEntry, Erasure, ErasureOutcome, Masking
from pegcount.store.clickhouse.chain_watch import ChainWatch
from pegcount.store.clickhouse.cluster_clock import ClusterClock
from pegcount.store.clickhouse.moving import ClusterSource, ClusterTarget
from pegcount.store.clickhouse.reading.reader import LedgerReader
from pegcount.store.clickhouse.rewriting.expiry import Expiry
from pegcount.store.clickhouse.rewriting.privacy import PrivacyWork
from pegcount.store.clickhouse.rewriting.rewriter import Rewriter
from pegcount.store.clickhouse.shared.audit import ClusterAudit
from pegcount.store.clickhouse.shared.change_log import ChangeLog
from pegcount.store.clickhouse.shared.credentials import ClusterCredentials
from pegcount.store.clickhouse.shared.decks import Decks
from pegcount.store.clickhouse.shared.deletions import Deletions
from pegcount.store.clickhouse.shared.erasures import Erasures
from pegcount.store.clickhouse.shared.rules import Rules
from pegcount.store.clickhouse.shared.settings import Settings
from pegcount.store.clickhouse.step_thread import StepThread
from pegcount.store.clickhouse.tables.schema import require_usable
from pegcount.store.clickhouse.upkeep import Upkeep
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.writing.group_commit import GroupCommit
from pegcount.store.clickhouse.writing.healing import Healing
from pegcount.store.clickhouse.writing.new_fields import require_fields_of_all
from pegcount.store.clickhouse.writing.writer import LedgerWriter
from pegcount.store.interface import Store
from pegcount.store.pending_write import PendingWrite
from pegcount.store.rejections import RejectionCounts
from pegcount.store.source_counts import counts_by_source
from pegcount.traffic import TrafficScan

_OPEN_SECONDS_MAX: Final = 30.0


class ClickHouseStore(Store):
    """An open cluster."""

    def __init__(
        self,
        address: ClusterAddress,
        config: Config | LiveConfig,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """Connects to a cluster, and checks that it can be used.

        `clock` returns the present time in microseconds UTC. Raises StoreOpenError with the next step if the
        cluster cannot be used, and StoreAddressError if a file that the address names cannot be.
        """
        live = LiveConfig.of(config)
        config = self._config = live.now
        self._clock = clock
        with ExitStack() as opened:
            cluster = Cluster(address, config.query_seconds_max)
            opened.callback(cluster.close)
            keys = require_usable(cluster)
            self._party_key = keys.party_key
            self._cluster = cluster
            self._clock_of_days = ClusterClock(cluster, clock)
            epoch = keys.epochs[0] if keys.epochs else 0
            self._log = ChangeLog(cluster.shards[0], epoch=epoch)
            opened.callback(self._log.close)
            token = core.CancelToken(_OPEN_SECONDS_MAX)
            try:
                self._clock_of_days.look(token)
                self._log.follow(token)
            except StoreUnavailableError as error:
                raise StoreOpenError(str(error)) from error
            trusted_us = self._clock_of_days.trusted_us
            self._settings = Settings(self._log, config, trusted_us)
            self._credentials = ClusterCredentials(self._log, config)
            self._audit = ClusterAudit(cluster.shards[0], config, epoch=epoch)
            self._decks = Decks(cluster, self._log, config)
            opened.callback(self._decks.close)
            self._deletions = Deletions(self._log, config, clock)
            self._erasures = Erasures(self._log, config, clock, keys.party_key)
            rules = Rules(self._log, keys.party_key)
            self._group_commit = GroupCommit(cluster, keys, rules, config.counted_source_count_max)
            chains = self._group_commit.chains
            take = self._group_commit.sources.take_rejected
            self._rejections = RejectionCounts(take, self.document, self.put_document, config, clock)
            opened.callback(self._save_rejections)
            rewriter = self._rewriter = Rewriter(cluster, chains, rules, config.tuning.ledger_piece_row_count)
            self._privacy = PrivacyWork(
                cluster, self._log, self._deletions, self._erasures, rewriter, config, keys.party_key
            )
            self._expiry = Expiry(cluster, chains, self._log, self._settings, rewriter, config, trusted_us)
            self._resources = core.QueryResources(config)
            self._reader = LedgerReader(cluster, config, self._resources, self._decks)
            self._writer = LedgerWriter(self._group_commit, live, clock, self._expiry.oldest_us)
            opened.callback(self._writer.close)
            self._watch = ChainWatch(cluster)
            healing = Healing(cluster, self._group_commit, config, clock)
            settings = (self._settings, self._deletions, self._erasures, self._decks, self._audit)
            work = (self._privacy, self._expiry, healing, self._rejections)
            self._upkeep = Upkeep(self._log, self._clock_of_days, self._watch, *settings, *work, clock)
            self._background = StepThread(self._upkeep.steps(), config.maintenance_seconds)
            self._background.start()
            self._opened = opened.pop_all()

    def submit(
        self, batch: bytes, cancel_token: core.CancelToken, writer: core.RecordScope | None = None
    ) -> PendingWrite:
        """Enqueues a batch for the next group commit; see `Store.submit`."""
        require_fields_of_all(batch, self._log.seen.oldest_version)
        self._watch.require_whole()
        return self._writer.submit(batch, cancel_token, writer)

    def partials(self, scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        """Returns sums per bin and group; see `Store.partials`."""
        return self._records.partials(scan, cell_count_max, cancel_token)

    def traffic_partials(
        self, scan: TrafficScan, cell_count_max: int, cancel_token: core.CancelToken
    ) -> core.TrafficPartials:
        """Returns measures per bin and group; see `Store.traffic_partials`."""
        return self._records.traffic_partials(scan, cell_count_max, cancel_token)

    def any_match(self, predicates: Sequence[Predicate], cancel_token: core.CancelToken) -> bool:
        """Returns whether any record satisfies all predicates; see `Store.any_match`."""
        return self._records.any_match(predicates, cancel_token)

    def first_day(self, cancel_token: core.CancelToken) -> int | None:
        """Returns the first UTC day that has a record; see `Store.first_day`."""
        return self._records.first_day(cancel_token)

    def latest_setup_us(self, cancel_token: core.CancelToken) -> int | None:
        """Returns the latest setup time; see `Store.latest_setup_us`."""
        return self._records.latest_setup_us(cancel_token)

    def info(self) -> StoreInfo:
        """Returns counts of records and parts, and the range of setup times."""
        return self._records.info()

    def put_code_deck(self, deck_id: int, deck: core.CodeDeck) -> None:
        """Stores a code deck durably; see `Store.put_code_deck`."""
        self._decks.put(deck_id, deck)

    def code_decks(self) -> Mapping[int, int]:
        """Returns the number of entries of each code deck by its id."""
        return self._decks.counts()

    def retention(self) -> Retention:
        """Returns the limits of retention."""
        return self._settings.retention()

    def set_retention(self, retention: Retention) -> None:
        """Sets the limits of retention durably; see `Store.set_retention`."""
        self._settings.set_retention(retention)
        self._background.wake()

    def delete(self, deletion: Deletion, cancel_token: core.CancelToken) -> DeletionOutcome:
        """Deletes records durably; see `Store.delete`."""
        self._writer.wait_for_submitted(cancel_token)
        return self._privacy.delete(deletion, cancel_token)

    def deletions(self) -> Sequence[DeletionRule]:
        """Returns the deletions that still apply; see `Store.deletions`."""
        return self._deletions.rules()

    def deletion(self, rule_id: int) -> DeletionRule:
        """Returns one of them with its session ids; see `Store.deletion`."""
        return self._deletions.rule(rule_id)

    def lift_deletion(self, rule_id: int, cancel_token: core.CancelToken) -> None:
        """Ends a deletion durably; see `Store.lift_deletion`."""
        self._deletions.lift(rule_id, cancel_token)

    def erase(self, parties: Sequence[str], cancel_token: core.CancelToken) -> ErasureOutcome:
        """Erases numbers of parties durably; see `Store.erase`."""
        self._writer.wait_for_submitted(cancel_token)
        return self._privacy.erase(parties, cancel_token)

    def count_parties(self, parties: Sequence[str], cancel_token: core.CancelToken) -> int:
        """Returns how many records have one of these numbers; see `Store.count_parties`."""
        return self._privacy.count_parties(parties, cancel_token)

    def erasures(self) -> Sequence[Erasure]:
        """Returns the erasures that writes are held to; see `Store.erasures`."""
        return self._erasures.all()

    def lift_erasure(self, erasure_id: int, cancel_token: core.CancelToken) -> None:
        """Ends an erasure durably; see `Store.lift_erasure`."""
        self._privacy.lift_erasure(erasure_id, cancel_token)

    def masking(self) -> Masking | None:
        """Returns after how many days numbers are masked; see `Store.masking`."""
        return self._settings.masking()

    def set_masking(self, masking: Masking | None) -> None:
        """Sets after how many days numbers are masked; see `Store.set_masking`."""
        self._settings.set_masking(masking)
        self._background.wake()

    def masking_backlog(self) -> int:
        """Returns how many days of shards wait to be masked; see `Store.masking_backlog`."""
        return self._privacy.masking_backlog()

    @property
    def session_now_us(self) -> int:
        """Time by which active sessions are abandoned; see `Store.session_now_us`."""
        return self._clock()

    def document(self, name: str) -> Document | None:
        """Returns a settings document; see `Store.document`."""
        return self._settings.document(name)

    def documents(self) -> Mapping[str, int]:
        """Returns the versions of the settings documents by name."""
        return self._settings.documents()

    def put_document(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        """Stores a settings document durably; see `Store.put_document`."""
        return self._settings.put_document(name, content, expected_version)

    def credentials(self) -> Sequence[CredentialRow]:
        """Returns all credentials; see `Store.credentials`."""
        return self._credentials.all()

    @property
    def credentials_version(self) -> int:
        """Grows with each change of a credential; see `Store.credentials_version`."""
        return self._credentials.version

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

    def archive_source(self) -> ClusterSource:
        """Returns the side of this store that an archive is made of."""
        return ClusterSource(
            self._rewriter,
            self._log,
            self._settings,
            self._credentials,
            self._decks,
            self._expiry,
            self._config,
            self._party_key,
        )

    def archive_target(self) -> ClusterTarget:
        """Returns the side of this store that takes an archive; servers may write meanwhile."""
        return ClusterTarget(
            self._group_commit,
            self._privacy,
            self._erasures,
            self._log,
            self._decks,
            self._expiry,
            self._config,
            self._clock,
            self._party_key,
        )

    def counters(self) -> StoreCounters:
        """Returns what this server has counted since it opened the store; see `Store.counters`."""
        return StoreCounters(
            query_memory_bytes=self._resources.query_memory_bytes,
            commits=self._writer.group_count,
            committed_batches=self._writer.batch_count,
            commit_queue_bytes=self._writer.queued_bytes,
            dropped_days=self._expiry.dropped_day_count,
            sources=counts_by_source(self._group_commit.sources.counts()),
        )

    def rejections(self) -> Rejections:
        """Returns how many records the servers of the cluster rejected; see `Store.rejections`."""
        return self._rejections.counts()

    def maintain(self) -> None:
        """Takes every step of the background work once, as its thread also does."""
        self._background.run_once()

    @property
    def write_fault(self) -> str | None:
        """Why batches cannot be made durable now; see `Store.write_fault`."""
        return self._watch.damage or self._writer.fault or self._upkeep.fault

    @property
    def _records(self) -> LedgerReader:
        """The reader, while servers of this version may use the cluster, whose shards have all commits."""
        self._log.require_known()
        self._watch.require_whole()
        return self._reader

    def _save_rejections(self) -> None:
        """Saves the last counts, after the last batch."""
        with suppress(PegcountError):
            self._rejections.save()

    def close(self) -> None:
        """Commits the queued batches, and releases the connections."""
        self._background.stop()
        self._opened.close()
