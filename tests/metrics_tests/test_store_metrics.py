"""Each figure of a store lands in its metric, and a store that does not answer leaves the others."""

import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from conformance.memory_store import Disk, MemoryStore
from pegcount.config import Config
from pegcount.counters import SecondsHistogram, SourceCounters, StoreCounters
from pegcount.errors import StoreUnavailableError
from pegcount.metrics import ServerMetrics
from pegcount.metrics.collectors import StoreCollector
from pegcount.model import StoreInfo
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from server_tests.example_requests import SETUP_S, active_record, call_record
from waiting import wait_until

from metrics_tests.observed import observed

SECONDS = SecondsHistogram((0.001, 0.01), (4, 2, 1), 0.125)
SOURCES = {
    "pbx": SourceCounters(
        31, 32, 33, {"REJECT_REASON_TIME_ORDER": 34, "OTHER": 35}, 36_500_000, 37_250_000, 39
    ),
    "": SourceCounters(accepted=38),
}
COUNTED = StoreCounters(
    commit_syncs=SECONDS,
    flushes=replace(SECONDS, seconds=0.25),
    compactions=replace(SECONDS, seconds=0.5),
    is_clock_refused=True,
    sources=SOURCES,
    **{
        field.name: 100 + number
        for number, field in enumerate(fields(StoreCounters))
        if field.name not in ("commit_syncs", "flushes", "compactions", "is_clock_refused", "sources")
    },
)
INFO = StoreInfo(201, 202, 203, 204, 205, 206_000_000, 207_500_000)
METRIC_OF = {
    "scanned_rows": "pegcount_report_rows_scanned_total",
    "result_cells": "pegcount_report_cells_total",
    "rollup_hits": "pegcount_rollup_hits_total",
    "rollup_misses": "pegcount_rollup_misses_total",
    "rollup_bytes": "pegcount_rollup_bytes",
    "query_memory_bytes": "pegcount_report_memory_bytes",
    "commits": "pegcount_commits_total",
    "committed_batches": "pegcount_committed_batches_total",
    "commit_queue_bytes": "pegcount_commit_queue_bytes",
    "journal_bytes": "pegcount_journal_bytes",
    "unsealed_records": "pegcount_unsealed_records",
    "seal_record_count": "pegcount_seal_records",
    "failed_flushes": "pegcount_flush_failures_total",
    "seconds_since_flush": "pegcount_seconds_since_flush",
    "failed_compactions": "pegcount_compaction_failures_total",
    "compaction_backlog": "pegcount_compaction_backlog_segments",
    "dropped_days": "pegcount_dropped_days_total",
    "retention_waiting_days": "pegcount_retention_waiting_days",
    "clock_deviation_seconds": "pegcount_clock_deviation_seconds",
    "disk_free_bytes": "pegcount_disk_free_bytes",
    "abandoned_sessions": "pegcount_abandoned_sessions",
    "follower_failed_batches": "pegcount_follower_failed_batches_total",
    "follower_waiting_bytes": "pegcount_follower_waiting_bytes",
}
"""The metric of each figure of `StoreCounters` that is one number."""
TROUBLE = 'a "quoted" \\ name\nwith\ttabs\r\x00\x1b[0m \u2028 é'


class CountedStore(MemoryStore):
    """A store with given counters."""

    counted = COUNTED
    fault: Exception | None = None
    contents_fault: Exception | None = None
    """What a shard makes `info` raise."""

    def __init__(self) -> None:
        super().__init__(Disk(), Config(), lambda: 0)
        self.answers = threading.Event()
        self.answers.set()
        self.contents_answer = threading.Event()
        self.contents_answer.set()

    def counters(self) -> StoreCounters:
        self.answers.wait(20)
        if self.fault is not None:
            raise self.fault
        return self.counted

    def info(self) -> StoreInfo:
        self.contents_answer.wait(20)
        if self.contents_fault is not None:
            raise self.contents_fault
        return INFO


@pytest.fixture
def metrics() -> Iterator[ServerMetrics]:
    made = ServerMetrics()
    yield made
    made.close()


def samples(registry: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Returns what a scrape has, by name and labels."""
    text = generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return samples(registry).get((name, frozenset(labels.items())))


def test_each_counter_has_its_metric(metrics: ServerMetrics) -> None:
    metrics.watch_store(CountedStore())
    found = samples(metrics.registry)
    read = {field: found[name, frozenset()] for field, name in METRIC_OF.items()}
    assert read == {field: getattr(COUNTED, field) for field in METRIC_OF}
    assert len(set(read.values())) == len(read)
    others = {field.name for field in fields(StoreCounters)} - set(METRIC_OF)
    assert others == {"commit_syncs", "flushes", "compactions", "is_clock_refused", "sources"}
    assert found["pegcount_clock_refused", frozenset()] == 1
    assert found["pegcount_scrape_complete", frozenset()] == 1


def test_what_the_store_contains(metrics: ServerMetrics) -> None:
    store = CountedStore()
    metrics.watch_store(store)
    expected = {
        "pegcount_stored_records": 201,
        "pegcount_active_sessions": 203,
        "pegcount_segments": 204,
        "pegcount_segment_bytes": 205,
        "pegcount_last_setup_timestamp_seconds": 207.5,
        "pegcount_write_fault": 0,
    }
    found = samples(metrics.registry)
    assert {name: found[name, frozenset()] for name in expected} == expected
    store.write_fault = "the disk is full"
    assert value(metrics.registry, "pegcount_write_fault") == 1


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("pegcount_journal_sync_seconds", 0.125),
        ("pegcount_flush_seconds", 0.25),
        ("pegcount_compaction_seconds", 0.5),
    ],
)
def test_durations_are_histograms_of_cumulative_counts(
    name: str, seconds: float, metrics: ServerMetrics
) -> None:
    metrics.watch_store(CountedStore())
    buckets = {
        bound: value(metrics.registry, f"{name}_bucket", le=bound) for bound in ("0.001", "0.01", "+Inf")
    }
    assert buckets == {"0.001": 4, "0.01": 6, "+Inf": 7}
    assert value(metrics.registry, f"{name}_count") == 7
    assert value(metrics.registry, f"{name}_sum") == seconds


def test_records_by_source(metrics: ServerMetrics) -> None:
    metrics.watch_store(CountedStore())
    found: dict[tuple[str, ...], float] = {
        (name, *(text for _, text in sorted(labels))): number
        for (name, labels), number in samples(metrics.registry).items()
        if "source" in dict(labels)
    }
    written, rejected = "pegcount_records_written_total", "pegcount_records_rejected_total"
    assert found == {
        (written, "accepted", "pbx"): 31,
        (written, "replaced", "pbx"): 32,
        (written, "duplicate", "pbx"): 33,
        (written, "rejected", "pbx"): 69,
        (written, "accepted", ""): 38,
        (written, "replaced", ""): 0,
        (written, "duplicate", ""): 0,
        (written, "rejected", ""): 0,
        (rejected, "REJECT_REASON_TIME_ORDER", "pbx"): 34,
        (rejected, "OTHER", "pbx"): 35,
        ("pegcount_alert_times_dropped_total", "pbx"): 39,
        ("pegcount_alert_times_dropped_total", ""): 0,
        ("pegcount_source_last_write_timestamp_seconds", "pbx"): 36.5,
        ("pegcount_source_last_setup_timestamp_seconds", "pbx"): 37.25,
    }


def test_any_name_of_a_source_is_a_label_that_every_reader_can_take(metrics: ServerMetrics) -> None:
    """A NUL, or a line that ends early, would cost the whole scrape."""
    names = [TROUBLE, r"back\slash", "\x00", r"\x00", r"\\x00", "\u202ertl", "plain", "München Süd"]
    store = CountedStore()
    store.counted = StoreCounters(
        sources={name: SourceCounters(accepted=number) for number, name in enumerate(names, 1)}
    )
    metrics.watch_store(store)
    text = generate_latest(metrics.registry).decode()
    assert [line for line in text.split("\n") if not line.isprintable()] == []
    found = {
        sample.labels["source"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("outcome") == "accepted"
    }
    assert sorted(found.values()) == list(range(1, len(names) + 1))
    assert found[r"\x00"] == 1 + names.index("\x00")
    assert found[r"\\x00"] == 1 + names.index(r"\x00")
    assert found["plain"] == 1 + names.index("plain")
    assert found["München Süd"] == 1 + names.index("München Süd")


def test_openmetrics_accepts_the_text(metrics: ServerMetrics) -> None:
    metrics.watch_store(CountedStore())
    text = generate_openmetrics(metrics.registry).decode()  # type: ignore[no-untyped-call]
    families = list(openmetrics_families(text))  # type: ignore[no-untyped-call]
    assert {"pegcount_commits", "pegcount_flush_seconds", "grpc_server_handled"} <= {
        family.name for family in families
    }
    names = [sample.name for family in families for sample in family.samples]
    assert [name for name in names if name.endswith("_created")] == []


def test_a_store_that_does_not_answer_leaves_the_other_metrics() -> None:
    registry = CollectorRegistry()
    collector = StoreCollector(read_seconds_max=0.05)
    registry.register(collector)
    store = CountedStore()
    collector.watch(store)
    store.answers.clear()
    assert value(registry, "pegcount_scrape_complete") == 0
    assert value(registry, "pegcount_commits_total") is None
    # The time of a scrape may be over before a busy host has read these.
    wait_until(lambda: value(registry, "pegcount_stored_records") == INFO.records)
    store.answers.set()
    wait_until(lambda: value(registry, "pegcount_commits_total") == COUNTED.commits)
    collector.close()
    assert samples(registry) == {("pegcount_scrape_complete", frozenset()): 0}


def test_a_store_that_fails_leaves_the_other_metrics(
    metrics: ServerMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    store = CountedStore()
    store.fault = RuntimeError("a fault")
    metrics.watch_store(store)
    assert value(metrics.registry, "pegcount_scrape_complete") == 0
    assert value(metrics.registry, "pegcount_health", service="") == 0
    assert value(metrics.registry, "pegcount_commits_total") is None
    assert "metrics of the store are missing" in caplog.text
    assert "Traceback" in caplog.text
    store.fault = None
    assert value(metrics.registry, "pegcount_commits_total") == COUNTED.commits


def test_a_shard_that_does_not_answer_leaves_what_the_server_has_counted(
    metrics: ServerMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    store = CountedStore()
    store.write_fault = "shard 2 does not answer"
    store.contents_fault = StoreUnavailableError("shard 2 does not answer", 1.0)
    metrics.watch_store(store)
    for _ in range(2):
        found = samples(metrics.registry)
        assert found["pegcount_scrape_complete", frozenset()] == 0
        assert found["pegcount_write_fault", frozenset()] == 1
        assert found["pegcount_commits_total", frozenset()] == COUNTED.commits
        assert ("pegcount_stored_records", frozenset()) not in found
    # One line for as long as it lasts, and none that looks like a fault of the program.
    said = ["metrics of the store are missing: shard 2 does not answer"]
    assert [record.getMessage() for record in caplog.records] == said
    assert "Traceback" not in caplog.text
    store.contents_fault = None
    assert value(metrics.registry, "pegcount_scrape_complete") == 1
    store.contents_fault = StoreUnavailableError("shard 2 does not answer", 1.0)
    assert value(metrics.registry, "pegcount_scrape_complete") == 0
    assert [record.getMessage() for record in caplog.records] == said * 2


def test_a_frozen_shard_leaves_what_the_server_has_counted() -> None:
    registry = CollectorRegistry()
    collector = StoreCollector(read_seconds_max=0.05)
    registry.register(collector)
    store = CountedStore()
    collector.watch(store)
    store.contents_answer.clear()
    for _ in range(2):
        assert value(registry, "pegcount_scrape_complete") == 0
        # The time of a scrape may be over before a busy host has read this.
        wait_until(lambda: value(registry, "pegcount_write_fault") == 0)
    store.contents_answer.set()
    wait_until(lambda: value(registry, "pegcount_stored_records") == INFO.records)
    collector.close()


def test_what_a_real_store_contains(tmp_path: Path) -> None:
    with observed(tmp_path) as running:
        running.service.write(call_record("a"), call_record("b"), active_record("c"))
        assert running.sample("pegcount_stored_records") == 3
        assert running.sample("pegcount_active_sessions") == 1
        assert running.sample("pegcount_last_setup_timestamp_seconds") == SETUP_S
        assert running.sample("pegcount_write_fault") == 0
        assert running.sample("pegcount_scrape_complete") == 1


def test_dropped_lines_of_the_log(metrics: ServerMetrics) -> None:
    assert value(metrics.registry, "pegcount_log_lines_dropped_total") == 0
    metrics.watch_log(lambda: 17)
    assert value(metrics.registry, "pegcount_log_lines_dropped_total") == 17


def test_the_build_and_the_process(metrics: ServerMetrics) -> None:
    found = samples(metrics.registry)
    (build,) = [dict(labels) for name, labels in found if name == "pegcount_build_info"]
    assert set(build) == {"version", "core_version", "python_version"}
    for name in ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"):
        assert found[name, frozenset()] > 0


def test_two_servers_of_a_process_count_apart() -> None:
    one, other = ServerMetrics(), ServerMetrics()
    one.watch_log(lambda: 1)
    assert value(other.registry, "pegcount_log_lines_dropped_total") == 0
    one.close()
    other.close()
