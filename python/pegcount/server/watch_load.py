"""What metrics learn of the watches of a server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchLoad:
    """The watches of a server since it began."""

    streams: int = 0
    """Open streams."""
    queries: int = 0
    """Distinct queries that they watch."""
    evaluations: int = 0
    """Answers that were made for them."""
    failed_evaluations: int = 0
    """Attempts at one that failed."""
    evaluation_seconds: float = 0.0
    """Seconds that evaluations took, failed ones included, with the time that they waited for their lanes."""
    skipped_evaluations: int = 0
    """Evaluations that were left out because an earlier one took longer than the interval."""
