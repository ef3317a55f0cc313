"""Samples of metrics, and services whose calls they count."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pegcount.config import Config
from pegcount.metrics import ServerMetrics
from service import Service
from waiting import wait_until

REPORTS = "pegcount.v1.ReportService"
RECORDS = "pegcount.v1.RecordService"


@dataclass
class Observed:
    """A service and its metrics."""

    service: Service
    metrics: ServerMetrics

    def sample(self, name: str, **labels: str) -> float | None:
        """Returns the present value of a sample; None if there is none."""
        return self.metrics.registry.get_sample_value(name, labels)

    def wait_for(self, value: float, name: str, **labels: str) -> None:
        """Waits until a sample has a value: a call may be counted after its client knows its end."""
        wait_until(
            lambda: self.sample(name, **labels) == value,
            f"{value:g} of {name} {labels}",
        )

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Returns the samples of a name that are not 0, by the values of their labels, sorted by label."""
        found = (sample for metric in self.metrics.registry.collect() for sample in metric.samples)
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for sample in found
            if sample.name == name and sample.value
        }


@contextmanager
def observed(directory: Path, **fields: Any) -> Iterator[Observed]:
    """Runs a service whose metrics are read; `fields` are those of `Config`."""
    metrics = ServerMetrics()
    with Service(directory, Config(**fields), observers=[metrics.calls]) as service:
        metrics.watch_store(service.store)
        metrics.watch_server(service.state)
        try:
            yield Observed(service, metrics)
        finally:
            metrics.close()
