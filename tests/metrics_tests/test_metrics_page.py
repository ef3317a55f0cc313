"""docs/metrics.md has exactly the metrics of a scrape, with their types, labels and meanings."""

import re
from pathlib import Path

import pytest
from grpc import RpcError
from prometheus_client import Metric
from server_tests.example_requests import ASK_USAGE, changed

from metrics_tests.observed import Observed, observed
from metrics_tests.test_store_metrics import CountedStore

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|")

Row = tuple[str, str, str, str]
"""Name, type, labels and meaning."""


def test_the_page_has_the_metrics_of_a_scrape(tmp_path: Path) -> None:
    with observed(tmp_path) as running:
        fill(running)
        scraped = {row_of(metric) for metric in running.metrics.registry.collect()}
    written = [ROW.fullmatch(line) for line in PAGE.read_text(encoding="utf-8").splitlines()]
    rows = [(row[1], row[2], row[3], row[4]) for row in written if row is not None]
    assert sorted(rows) == sorted(scraped)


def fill(running: Observed) -> None:
    """Makes every metric have a sample: of an answered call, a failed one and a store with counters."""
    reports = running.service.reports
    reports.QueryAsrUsage(ASK_USAGE, timeout=20)
    with pytest.raises(RpcError):
        reports.QueryAsrUsage(changed(ASK_USAGE, from_time="x"), timeout=20)
    running.metrics.watch_store(CountedStore())


def row_of(metric: Metric) -> Row:
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    labels = {label for sample in metric.samples for label in sample.labels if label != "le"}
    named = ", ".join(f"`{label}`" for label in sorted(labels))
    return name, metric.type, named or "none", metric.documentation
