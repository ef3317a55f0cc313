"""A short name for a content, the same in every run and on every machine."""

from hashlib import blake2b

# No cell has it: it separates ("ab", "c") from ("a", "bc").
_SEPARATOR = "\0"


def content_hash(cells: list[str]) -> int:
    """64-bit hash of the cells of a row."""
    digest = blake2b(_SEPARATOR.join(cells).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
