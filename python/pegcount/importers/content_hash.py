"""Hashes of text cells that are the same in every process and on every machine."""

from hashlib import blake2b

# Cells never contain NUL, so joining them by it distinguishes ("ab", "c") from ("a", "bc").
_SEPARATOR = "\0"
# Stands for an absent integer of 64 bits.
_ABSENT_PART = 2**63


def part_number(cells: list[str]) -> int:
    """Returns the number of a part of a call, a hash of the cells that identify its row."""
    found = content_hash(cells)
    return found if found != _ABSENT_PART else found - 1


def content_hash(cells: list[str]) -> int:
    """Returns the first 64 bits of BLAKE2b over the cells, as an unsigned integer."""
    digest = blake2b(_SEPARATOR.join(cells).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
