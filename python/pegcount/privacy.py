"""What a store does to numbers of parties, and what it notes of changes. Times are microseconds UTC."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErasureOutcome:
    """What an erasure did."""

    records: int
    """Records that had one of its numbers."""
    erasure_id: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure, to which later writes are held."""

    erasure_id: int
    """Number of the erasure, 1 or greater; never used again."""
    party_count: int
    """How many numbers it erased."""
    create_us: int
    records: int
    """Records that had one of the numbers."""
    is_complete: bool
    """Whether all files were rewritten."""


@dataclass(frozen=True, slots=True)
class Masking:
    """When numbers of parties are masked."""

    after_days: int
    """UTC days, today included, in which they are kept whole; 1 or more."""
    keep_digits: int
    """Digits that stay; each further digit and each letter becomes `*`."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A call that changed something, or tried to."""

    time_us: int
    method: str
    caller_id: str | None
    """None: nobody was authenticated."""
    caller_name: str | None
    request: str
    """What was asked for, as JSON; numbers of parties and secrets are masked."""
    outcome: str | None = None
    """`OK`, or the reason of the refusal; None: the call is at work, or a crash ended it."""
    request_id: str | None = None
    entry_id: int = 0
    """Number of the entry, which the store gives; ascends with time."""
