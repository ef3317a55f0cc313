"""The interface of the subjects of the ingest bench, and the measuring."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

Batch = TypeVar("Batch")
Writer = Callable[[Sequence[Batch]], list[float]]
"""Makes batches durable and returns the seconds that each of them took."""


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one subject, from the first batch sent to the last one durable."""

    seconds: float
    acknowledged_seconds: list[float]
    """Latency until each batch was durable."""


class Subject(Protocol):
    """A store that makes batches durable."""

    name: str

    def run(self, directory: Path) -> Run:
        """Writes the whole feed to an empty directory and asserts that everything is stored."""


def run_timed(batches: Sequence[Batch], writers: Sequence[Writer[Batch]]) -> Run:
    """Runs writers concurrently, each in a thread with a share of the batches."""
    shares = [batches[first :: len(writers)] for first in range(len(writers))]
    with ThreadPoolExecutor(len(writers)) as threads:
        start_time = time.perf_counter()
        waits = list(threads.map(lambda writer, share: writer(share), writers, shares))
        return Run(
            time.perf_counter() - start_time, [wait for writer_waits in waits for wait in writer_waits]
        )


def one_by_one(write: Callable[[Batch], None]) -> Writer[Batch]:
    """Returns a writer that starts a batch when the previous one is durable."""

    def write_all(batches: Sequence[Batch]) -> list[float]:
        waits = []
        for batch in batches:
            start_time = time.perf_counter()
            write(batch)
            waits.append(time.perf_counter() - start_time)
        return waits

    return write_all
