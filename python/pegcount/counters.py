"""What a store has counted since it was opened, for metrics.

Counts begin at 0 when a store is opened, and never fall; a *present* value may.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Rejections = Mapping[str, Mapping[int, Mapping[int, int]]]
"""Rejected records by source, by UTC day in days since 1970-01-01, and by the number of a `RejectReason`."""


@dataclass(frozen=True, slots=True)
class SecondsHistogram:
    """How long events took."""

    bounds: tuple[float, ...]
    """Ascending upper bounds of the buckets, in seconds, inclusive; a last bucket has no bound."""
    counts: tuple[int, ...]
    """Events by bucket, one more than there are bounds; not cumulative."""
    seconds: float
    """Seconds of all events together."""

    @property
    def count(self) -> int:
        """Number of events."""
        return sum(self.counts)


NO_EVENTS = SecondsHistogram((), (0,), 0.0)


@dataclass(frozen=True, slots=True)
class SourceCounters:
    """The records of one source."""

    accepted: int = 0
    replaced: int = 0
    duplicates: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Rejected records by the name of their `RejectReason`, without `REJECT_REASON_`."""
    last_write_us: int | None = None
    """When a record was last received that was accepted or replaced one, microseconds UTC; None: not since
    the store was opened."""
    last_setup_us: int | None = None
    """Latest setup time of these records, microseconds UTC.

    A store may also know it of some records that were written before it was opened. The embedded store reads
    those of its journal and the active sessions at its start, and forgets those of segments: a source that
    sent nothing since the last flush before a restart is not there at all until it sends again."""
    dropped_alert_times: int = 0
    """Alert times that were dropped, as they were before the setup or after the answer."""


@dataclass(frozen=True, slots=True)
class StoreCounters:
    """The counters of a store; those of which it knows nothing stay as they are here."""

    scanned_rows: int = 0
    """Rows that scans of reports have read, those of rollups, and those to build rollups, included.

    Searches for a single record do not count as scans."""
    result_cells: int = 0
    """Cells (bins times groups) of the results of these scans."""
    rollup_hits: int = 0
    """Scans of a segment, or of one account in it, that a rollup answered."""
    rollup_misses: int = 0
    """Scans of a segment, or of one account in it, that read its rows, also to build a rollup."""
    rollup_bytes: int = 0
    """Present bytes of all rollups."""
    query_memory_bytes: int = 0
    """Present bytes that reports hold."""
    commits: int = 0
    """Group commits: batches that were written and synced together."""
    committed_batches: int = 0
    """Batches that they made durable; a batch without a record to write needs no commit."""
    commit_syncs: SecondsHistogram = NO_EVENTS
    """Durations of `fdatasync` of the journal."""
    commit_queue_bytes: int = 0
    """Present bytes of batches that wait for a commit."""
    journal_bytes: int = 0
    """Present bytes of the journal files that a restart would replay."""
    unsealed_records: int = 0
    """Present finished records that no segment holds yet."""
    seal_record_count: int = 0
    """Finished records in memory at which a flush is due."""
    flushes: SecondsHistogram = NO_EVENTS
    """Durations of the flushes that succeeded."""
    failed_flushes: int = 0
    seconds_since_flush: float = 0.0
    """Seconds since the last flush that succeeded, or since the store was opened."""
    compactions: SecondsHistogram = NO_EVENTS
    """Durations of the compactions that succeeded, and of segments that were rewritten to erase or mask."""
    failed_compactions: int = 0
    compaction_backlog: int = 0
    """Present segments that a compaction is due to rewrite."""
    dropped_days: int = 0
    """Days of which retention has dropped segments."""
    retention_waiting_days: int = 0
    """Present days that retention would drop if it believed the clock."""
    clock_deviation_seconds: float = 0.0
    """Present seconds by which a refused clock deviates; 0 while the clock is believed."""
    is_clock_refused: bool = False
    disk_free_bytes: int | None = None
    """Present bytes that the store may still write on its disk."""
    abandoned_sessions: int = 0
    """Present active sessions without an event for `active_ttl_seconds`."""
    follower_failed_batches: int | None = None
    """Batches that the second store of a dual write did not take; None: there is one store."""
    follower_waiting_bytes: int | None = None
    """Present bytes of batches that one of the two stores does not have on disk yet."""
    sources: Mapping[str, SourceCounters] = field(default_factory=dict)
    """By source; further sources than `counted_source_count_max` are together under the empty name."""
