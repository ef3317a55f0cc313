"""Entries of the catalogue, as its tables store them."""

from dataclasses import dataclass
from typing import NamedTuple

from pegcount.core import ManifestEntry


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A segment: its file, its UTC day in days since 1970-01-01, and its tombstones.

    In `tombstones`, bit n mod 8 of byte n / 8 is set if row n was replaced; b"" means none.
    """

    file: ManifestEntry
    day: int
    tombstones: bytes


@dataclass(frozen=True, slots=True)
class DeckEntry:
    """A code deck: the number of its entries, and its file."""

    entry_count: int
    name: str
    size: int
    crc32: int


class DeletionRow(NamedTuple):
    """A deletion that still applies; see `model.DeletionRule`.

    The session ids are a JSON list, compressed by zlib.
    """

    rule_id: int
    source: str | None
    from_us: int | None
    to_us: int | None
    session_id_count: int
    session_ids: bytes
    create_us: int
    deleted: int


class ErasureRow(NamedTuple):
    """An erasure that later writes are held to; see `privacy.Erasure`.

    The digests of its numbers have `DIGEST_BYTES` bytes each, and follow each other.
    """

    erasure_id: int
    digests: bytes
    party_count: int
    create_us: int
    records: int
    is_complete: int


class ScrubbedRow(NamedTuple):
    """What was scrubbed from a segment. One without a row is as it was written."""

    name: str
    erasure_id: int
    """The last erasure that was applied to it; 0 if none was."""
    keep_digits: int | None
    """Digits that its masked numbers keep; None if they are whole."""


DIGEST_BYTES = 16
"""Bytes of the digest of a number."""
