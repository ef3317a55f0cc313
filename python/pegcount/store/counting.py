"""Puts together what an embedded store has counted: in its engine, and in its background work."""

from contextlib import suppress
from pathlib import Path

from pegcount import core
from pegcount.config import Config
from pegcount.counters import SecondsHistogram, StoreCounters
from pegcount.store.file_copy import free_bytes
from pegcount.store.guarded_clock import GuardedClock
from pegcount.store.maintenance import Maintenance
from pegcount.store.source_counts import counts_by_source
from pegcount.zone import US_PER_SECOND


class StoreCounting:
    """The counters of one store. Thread-safe."""

    def __init__(
        self,
        directory: Path,
        engine: core.Engine,
        maintenance: Maintenance,
        clock: GuardedClock,
        config: Config,
    ) -> None:
        self._directory = directory
        self._engine = engine
        self._maintenance = maintenance
        self._clock = clock
        self._config = config

    def counters(self) -> StoreCounters:
        """Returns the counters; see `Store.counters`."""
        abandoned_until_us = self._clock.session_us() - self._config.active_ttl_seconds * US_PER_SECOND
        found = self._engine.counters(abandoned_until_us, self._config.segment_row_count_max)
        work, refused = self._maintenance, self._maintenance.refused_clock()
        syncs = SecondsHistogram(tuple(found.sync_bounds_s), tuple(found.sync_counts), found.sync_seconds)
        return StoreCounters(
            scanned_rows=found.scanned_rows,
            result_cells=found.result_cells,
            rollup_hits=found.rollup_hits,
            rollup_misses=found.rollup_misses,
            rollup_bytes=found.rollup_bytes,
            query_memory_bytes=found.query_memory_bytes,
            commits=found.commits,
            committed_batches=found.committed_batches,
            commit_syncs=syncs,
            commit_queue_bytes=found.commit_queue_bytes,
            journal_bytes=found.journal_bytes,
            unsealed_records=found.unsealed_records,
            seal_record_count=self._config.seal_row_count,
            flushes=work.flushes.histogram(),
            failed_flushes=work.flushes.failed_count,
            seconds_since_flush=work.seconds_since_flush,
            compactions=work.compactions.histogram(),
            failed_compactions=work.compactions.failed_count,
            compaction_backlog=found.compaction_backlog,
            dropped_days=work.dropped_day_count,
            retention_waiting_days=0 if refused is None else refused.waiting_days,
            clock_deviation_seconds=0.0 if refused is None else refused.deviation_us / US_PER_SECOND,
            is_clock_refused=refused is not None,
            disk_free_bytes=self._free_bytes(),
            abandoned_sessions=found.abandoned_sessions,
            sources=counts_by_source(found.sources),
        )

    def _free_bytes(self) -> int | None:
        with suppress(OSError):
            return free_bytes(self._directory)
        return None
