"""What the ingest bench asks of each contestant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one contestant: from the first batch sent to the last one durable."""

    seconds: float
    acknowledged_seconds: list[float]
    """How long each batch took to be durable, by batch."""


class Contestant(Protocol):
    """Makes batches durable."""

    name: str

    def run(self, directory: Path) -> Run:
        """Writes the whole feed to an empty directory and asserts that all of it is there."""
