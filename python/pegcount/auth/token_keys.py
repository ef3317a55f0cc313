"""The keys that verify tokens, each bound to one algorithm.

What a token says of its algorithm only has to agree with its key: otherwise a public key could be passed off
as the secret of HS256 (RFC 8725, section 3.1).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from pegcount.auth.token_files import TokenFileError, read_public_file, read_secret_file
from pegcount.errors import quoted

SECRET_BYTES_MIN: Final = 32
"""Bytes of a secret for HS256 (RFC 7518, section 3.2)."""
RSA_BITS_MIN: Final = 2_048
"""Bits of an RSA key (RFC 7518, section 3.3)."""
KEY_COUNT_MAX: Final = 100
"""Keys of a set; an issuer that changes its key has two or three."""

_ALGORITHMS: Final[Mapping[tuple[object, object], str]] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""Algorithm by the members `kty` and `crv` of a JSON web key."""


class _UnusableError(Exception):
    """One key of a set cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key: `id` is the `kid` of tokens that it signs, None if the key is the only one of its issuer.

    `material` is what PyJWT verifies with; it may be a secret, so that a representation leaves it out.
    """

    id: str | None
    algorithm: str
    material: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one file that verify tokens; they may be none, so that no token is accepted."""

    keys: tuple[TokenKey, ...]
    unused: tuple[str, ...] = ()
    """Why the file has further keys, which are for other purposes than signatures."""
    faults: tuple[str, ...] = ()
    """Why further keys cannot be used. They take none of the others with them: a new set may be without a
    key that must not count any more.
    """


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of keys: a secret of HS256, or a JSON web key set."""

    path: Path
    is_secret: bool

    def read(self) -> bytes:
        """Returns the content; raises TokenFileError if it cannot be read, or other users may do too much."""
        return read_secret_file(self.path) if self.is_secret else read_public_file(self.path)

    def parse(self, content: bytes) -> KeySet:
        """Returns the keys in the content; raises TokenFileError if it is not a key file."""
        return KeySet((_secret(self.path, content),)) if self.is_secret else _key_set(self.path, content)


def _secret(path: Path, content: bytes) -> TokenKey:
    """Returns the key of HS256 in a file: its bytes, without one line end after them."""
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    if len(secret) < SECRET_BYTES_MIN:
        raise TokenFileError(
            f"{path}: the secret has {len(secret)} bytes, HS256 needs {SECRET_BYTES_MIN} or more;"
            f" openssl rand -base64 {SECRET_BYTES_MIN} makes one"
        )
    try:
        material = jwt.get_algorithm_by_name("HS256").prepare_key(secret)
    except jwt.InvalidKeyError:
        raise TokenFileError(f"{path}: this is a public key or a certificate, not a secret") from None
    return TokenKey(None, "HS256", material)


def _key_set(path: Path, content: bytes) -> KeySet:
    found = list[tuple[str, TokenKey]]()
    unused, faults = list[str](), list[str]()
    for number, member in enumerate(_members(path, content), 1):
        place = f"{path}: key {number}"
        try:
            key = _public(member)
            if _is_for_signatures(key):
                found.append((place, _key(key)))
            else:
                unused.append(f"{place}: it is not for signatures")
        except _UnusableError as error:
            faults.append(f"{place}: {error}")
    counts = Counter(key.id for _, key in found)
    keys = list[TokenKey]()
    for place, each in found:
        fault = _fault_of_name(each, counts)
        if fault is None:
            keys.append(each)
        else:
            faults.append(f"{place}: {fault}")
    return KeySet(tuple(keys), tuple(unused), tuple(faults))


def _members(path: Path, content: bytes) -> Sequence[object]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise TokenFileError(f"{path}: not JSON") from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise TokenFileError(f'{path}: not a JSON web key set, which is an object with a list "keys"')
    if len(members) > KEY_COUNT_MAX:
        raise TokenFileError(f"{path}: {len(members)} keys; a key set may have {KEY_COUNT_MAX}")
    return members


def _public(member: object) -> dict[str, object]:
    if not isinstance(member, dict):
        raise _UnusableError("not an object")
    if member.get("kty") == "oct":
        raise _UnusableError("a secret; set hs256_secret_file for tokens of HS256")
    if "d" in member:
        raise _UnusableError("a private key; a key set of a verifier has public keys only")
    return member


def _is_for_signatures(member: Mapping[str, object]) -> bool:
    operations = member.get("key_ops", ["verify"])
    return member.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations


def _key(member: dict[str, object]) -> TokenKey:
    algorithm = _ALGORITHMS.get(_kind(member))
    if algorithm is None or member.get("alg", algorithm) != algorithm:
        kind = quoted(str(member.get("alg", member.get("crv", member.get("kty")))))
        raise _UnusableError(f"{kind} is not supported; the algorithms are {', '.join(_ALGORITHMS.values())}")
    key_id = member.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise _UnusableError('"kid" is not a text')
    return TokenKey(key_id, algorithm, _material(member, algorithm))


def _kind(member: Mapping[str, object]) -> tuple[str, str | None]:
    curve = member.get("crv")
    return str(member.get("kty")), None if curve is None else str(curve)


def _material(member: dict[str, object], algorithm: str) -> object:
    try:
        material = jwt.PyJWK(member, algorithm).key
    # Members of a wrong type end in errors of many classes.
    except Exception as error:
        raise _UnusableError(f"not a valid key of {algorithm}") from error
    if isinstance(material, RSAPublicKey) and material.key_size < RSA_BITS_MIN:
        raise _UnusableError(f"RSA of {material.key_size} bits; {RSA_BITS_MIN} or more are safe")
    return material


def _fault_of_name(key: TokenKey, counts: Counter[str | None]) -> str | None:
    """Returns why a token could not tell which key of its set is meant, None if it can."""
    if key.id is None:
        is_only = counts.total() == 1
        return None if is_only else 'one of several keys, and has no "kid" by which tokens could name it'
    return f'further keys have the "kid" {quoted(key.id)}' if counts[key.id] > 1 else None
