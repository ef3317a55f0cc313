"""Keys of credentials: what a caller sends, and what the server keeps of it.

A key is `pk_`, 8 characters by which people recognise it, `_`, and 32 random bytes in base64url. The server
keeps the SHA-256 of the whole key: a key has 256 random bits, so that nobody finds one by trying.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

_NAME_CHARACTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without those that people confuse: l and 1, o and 0."""
_NAME_LENGTH: Final = 8
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A new key."""

    text: str = field(repr=False)
    """What the caller sends. It is shown once, and never kept or logged."""
    prefix: str
    """The beginning of the key, by which people recognise it."""
    digest: bytes = field(repr=False)
    """What the server keeps of it."""


def new_key() -> Key:
    """Returns a new key, of the operating system's random numbers."""
    prefix = f"pk_{_random_name()}"
    secret = base64.urlsafe_b64encode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=")
    text = f"{prefix}_{secret}"
    return Key(text, prefix, digest_of(text))


def new_credential_id() -> str:
    """Returns a random id for a credential."""
    return f"cr_{_random_name()}"


def digest_of(text: str) -> bytes:
    """Returns the SHA-256 of a key, or of any other text that was sent as one."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _random_name() -> str:
    return "".join(secrets.choice(_NAME_CHARACTERS) for _ in range(_NAME_LENGTH))
