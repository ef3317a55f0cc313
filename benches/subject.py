"""What the ingest bench asks of each subject, and its clock."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

Batch = TypeVar("Batch")
Writer = Callable[[Sequence[Batch]], list[float]]
"""Makes batches durable; gives how long each of them took, in seconds."""


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one subject: from the first batch sent to the last one durable."""

    seconds: float
    acknowledged_seconds: list[float]
    """How long each batch took to be durable."""


class Subject(Protocol):
    """Makes batches durable."""

    name: str

    def run(self, directory: Path) -> Run:
        """Writes the whole feed to an empty directory and asserts that all of it is there."""


def timed(batches: Sequence[Batch], writers: Sequence[Writer[Batch]]) -> Run:
    """Writers side by side, each with a thread and a share of the batches."""
    shares = [batches[first :: len(writers)] for first in range(len(writers))]
    with ThreadPoolExecutor(len(writers)) as threads:
        began = time.perf_counter()
        waits = list(threads.map(lambda writer, share: writer(share), writers, shares))
        return Run(time.perf_counter() - began, [wait for of_one in waits for wait in of_one])


def one_by_one(write: Callable[[Batch], None]) -> Writer[Batch]:
    """A writer that begins a batch when the one before is durable."""

    def write_all(batches: Sequence[Batch]) -> list[float]:
        waits = []
        for batch in batches:
            began = time.perf_counter()
            write(batch)
            waits.append(time.perf_counter() - began)
        return waits

    return write_all
