"""What a store does to numbers of parties, and what it notes of changes. Times are microseconds UTC."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b


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
    fingerprint: bytes = field(default=b"", repr=False, compare=False)
    """Equal in two stores if both hold writes to the same numbers by the same key; see `fingerprint_of`."""


def fingerprint_of(key: bytes, digests: Iterable[bytes]) -> bytes:
    """Returns what the digests of an erasure, and the key that they were made by, have in common anywhere."""
    return blake2b(b"".join(sorted({*digests})), key=key, digest_size=16).digest()


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
