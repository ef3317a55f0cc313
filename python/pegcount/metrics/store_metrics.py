"""The metrics of a store, read at each scrape."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from pegcount.counters import SourceCounters, StoreCounters
from pegcount.metrics.figures import Figure, counters, gauges, histogram, seconds_of
from pegcount.metrics.labels import label_value
from pegcount.model import StoreInfo
from pegcount.store import Store


@dataclass(frozen=True, slots=True)
class StoreCount:
    """What a store has counted, and whether it takes batches; it asks no other host for that."""

    counters: StoreCounters
    has_write_fault: bool

    @classmethod
    def of(cls, store: Store) -> "StoreCount":
        """Reads a store."""
        return cls(store.counters(), store.write_fault is not None)


def content_metrics(info: StoreInfo) -> Iterator[Metric]:
    """Yields the metrics of what a store contains, for which a cluster asks all its shards."""
    yield from gauges(_INFO_GAUGES, info)


def count_metrics(reading: StoreCount) -> Iterator[Metric]:
    """Yields the metrics of what a store has counted."""
    counted = reading.counters
    yield from counters(_COUNTERS, counted)
    yield from gauges(_GAUGES, counted)
    yield GaugeMetricFamily(
        "pegcount_write_fault",
        "1 while batches cannot be made durable, else 0.",
        float(reading.has_write_fault),
    )
    yield histogram(
        "pegcount_journal_sync_seconds",
        "Seconds that fdatasync of the journal took, for each group commit.",
        counted.commit_syncs,
    )
    yield histogram("pegcount_flush_seconds", "Seconds that flushes took.", counted.flushes)
    yield histogram("pegcount_compaction_seconds", "Seconds that compactions took.", counted.compactions)
    yield from _source_metrics(counted.sources)


def _source_metrics(sources: Mapping[str, SourceCounters]) -> Iterator[Metric]:
    written = CounterMetricFamily(
        "pegcount_records_written",
        "Records of batches, by source and by what became of them: accepted, replaced, duplicate, rejected.",
        labels=("source", "outcome"),
    )
    rejected = CounterMetricFamily(
        "pegcount_records_rejected", "Rejected records, by reason.", labels=("source", "reason")
    )
    dropped_alerts = CounterMetricFamily(
        "pegcount_alert_times_dropped",
        "Alert times of records that were dropped, as they were before the setup or after the answer.",
        labels=("source",),
    )
    last_write = GaugeMetricFamily(
        "pegcount_source_last_write_timestamp_seconds",
        "When a record of a source was last accepted or replaced, seconds since 1970 UTC.",
        labels=("source",),
    )
    last_setup = GaugeMetricFamily(
        "pegcount_source_last_setup_timestamp_seconds",
        "Latest setup time of the records of a source that were written since the start, or were in the"
        " journal or active at the start, seconds since 1970 UTC.",
        labels=("source",),
    )
    for name, counted in sources.items():
        source = label_value(name)
        written.add_metric((source, "accepted"), counted.accepted)
        written.add_metric((source, "replaced"), counted.replaced)
        written.add_metric((source, "duplicate"), counted.duplicates)
        written.add_metric((source, "rejected"), sum(counted.rejected.values()))
        for reason, count in counted.rejected.items():
            rejected.add_metric((source, reason), count)
        dropped_alerts.add_metric((source,), counted.dropped_alert_times)
        for times, time_us in ((last_write, counted.last_write_us), (last_setup, counted.last_setup_us)):
            seconds = seconds_of(time_us)
            if seconds is not None:
                times.add_metric((source,), seconds)
    yield from (written, rejected, dropped_alerts, last_write, last_setup)


_COUNTERS: tuple[Figure[StoreCounters], ...] = (
    Figure(
        "pegcount_report_rows_scanned",
        "Rows that the scans of reports have read, those of rollups included.",
        lambda counted: counted.scanned_rows,
    ),
    Figure(
        "pegcount_report_cells",
        "Cells, which are bins times groups, of the results of these scans.",
        lambda counted: counted.result_cells,
    ),
    Figure(
        "pegcount_rollup_hits",
        "Scans of a segment that its rollup answered.",
        lambda counted: counted.rollup_hits,
    ),
    Figure(
        "pegcount_rollup_misses",
        "Scans of a segment that read its rows.",
        lambda counted: counted.rollup_misses,
    ),
    Figure("pegcount_commits", "Group commits of the journal.", lambda counted: counted.commits),
    Figure(
        "pegcount_committed_batches",
        "Batches that group commits made durable.",
        lambda counted: counted.committed_batches,
    ),
    Figure("pegcount_flush_failures", "Flushes that failed.", lambda counted: counted.failed_flushes),
    Figure(
        "pegcount_compaction_failures",
        "Compactions that failed.",
        lambda counted: counted.failed_compactions,
    ),
    Figure("pegcount_dropped_days", "Days that retention has dropped.", lambda counted: counted.dropped_days),
    Figure(
        "pegcount_follower_failed_batches",
        "Batches that the follower of a dual write did not take.",
        lambda counted: counted.follower_failed_batches,
    ),
)

_GAUGES: tuple[Figure[StoreCounters], ...] = (
    Figure("pegcount_rollup_bytes", "Bytes of all rollups in memory.", lambda counted: counted.rollup_bytes),
    Figure(
        "pegcount_report_memory_bytes",
        "Bytes that reports hold now.",
        lambda counted: counted.query_memory_bytes,
    ),
    Figure(
        "pegcount_commit_queue_bytes",
        "Bytes of batches that wait for a group commit.",
        lambda counted: counted.commit_queue_bytes,
    ),
    Figure(
        "pegcount_journal_bytes",
        "Bytes of the journal files that a restart would replay.",
        lambda counted: counted.journal_bytes,
    ),
    Figure(
        "pegcount_unsealed_records",
        "Finished records in memory, which no segment holds yet.",
        lambda counted: counted.unsealed_records,
    ),
    Figure(
        "pegcount_seal_records",
        "Finished records in memory at which a flush is due.",
        lambda counted: counted.seal_record_count,
    ),
    Figure(
        "pegcount_seconds_since_flush",
        "Seconds since the last flush, or since the start.",
        lambda counted: counted.seconds_since_flush,
    ),
    Figure(
        "pegcount_compaction_backlog_segments",
        "Segments that a compaction is due to rewrite.",
        lambda counted: counted.compaction_backlog,
    ),
    Figure(
        "pegcount_abandoned_sessions",
        "Active sessions without an event for longer than --active-ttl, which reports leave out.",
        lambda counted: counted.abandoned_sessions,
    ),
    Figure(
        "pegcount_clock_refused",
        "1 while the store does not believe the clock, else 0.",
        lambda counted: float(counted.is_clock_refused),
    ),
    Figure(
        "pegcount_clock_deviation_seconds",
        "Seconds by which a refused clock deviates; 0 while the store believes the clock.",
        lambda counted: counted.clock_deviation_seconds,
    ),
    Figure(
        "pegcount_retention_waiting_days",
        "Days that retention would drop if the store believed the clock.",
        lambda counted: counted.retention_waiting_days,
    ),
    Figure(
        "pegcount_disk_free_bytes",
        "Bytes that the store may still write on the disk of its data directory.",
        lambda counted: counted.disk_free_bytes,
    ),
    Figure(
        "pegcount_follower_waiting_bytes",
        "Bytes of batches that one of the two stores of a dual write does not have on disk yet.",
        lambda counted: counted.follower_waiting_bytes,
    ),
)

_INFO_GAUGES: tuple[Figure[StoreInfo], ...] = (
    Figure(
        "pegcount_stored_records", "Records in the store, active ones included.", lambda info: info.records
    ),
    Figure("pegcount_segments", "Segments of the store.", lambda info: info.segments),
    Figure("pegcount_segment_bytes", "Bytes of all segments.", lambda info: info.segment_bytes),
    Figure(
        "pegcount_last_setup_timestamp_seconds",
        "Latest setup time of all records, seconds since 1970 UTC.",
        lambda info: seconds_of(info.last_setup_us),
    ),
    Figure("pegcount_active_sessions", "Active sessions.", lambda info: info.active_records),
)
