"""Counts what the watches of a server do."""

from dataclasses import dataclass


@dataclass(slots=True)
class WatchCounts:
    """What all evaluators have done; changed on the event loop, read on any thread."""

    made: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
