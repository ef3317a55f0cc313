"""A hash of text cells that is the same in every process and on every machine."""

from hashlib import blake2b

# Cells never contain NUL, so joining them by it distinguishes ("ab", "c") from ("a", "bc").
_SEPARATOR = "\0"


def content_hash(cells: list[str]) -> int:
    """Returns the first 64 bits of BLAKE2b over the cells, as an unsigned integer."""
    digest = blake2b(_SEPARATOR.join(cells).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
