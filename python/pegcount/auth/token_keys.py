"""The keys that verify tokens, each bound to one algorithm.

What a token says of its algorithm only has to agree with its key: otherwise a public key could be passed off
as the secret of HS256 (RFC 8725, section 3.1).
"""

import json
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

_ALGORITHMS: Final[Mapping[tuple[object, object], str]] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
"""Algorithm by the members `kty` and `crv` of a JSON web key."""


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
    """The keys of one file, and why it has further ones that verify nothing here."""

    keys: tuple[TokenKey, ...]
    unused: tuple[str, ...] = ()

    def find(self, key_id: object) -> TokenKey | None:
        """Returns the key that a token names; the only key of a set also stands for a token without a name.

        A set of one key without an id has it for all tokens, whatever they name.
        """
        if len(self.keys) == 1 and (key_id is None or self.keys[0].id is None):
            return self.keys[0]
        return next((key for key in self.keys if key.id == key_id), None) if key_id is not None else None


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of keys: a secret of HS256, or a JSON web key set."""

    path: Path
    is_secret: bool

    def read(self) -> bytes:
        """Returns the content; raises TokenFileError if it cannot be read, or other users may do too much."""
        return read_secret_file(self.path) if self.is_secret else read_public_file(self.path)

    def parse(self, content: bytes) -> KeySet:
        """Returns the keys in the content; raises TokenFileError if one is weak, or none verifies tokens."""
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
    keys, unused = list[TokenKey](), list[str]()
    for number, member in enumerate(_members(path, content), 1):
        place = f"{path}: key {number}"
        found = _key(place, member)
        if isinstance(found, TokenKey):
            keys.append(found)
        else:
            unused.append(f"{place}: {found}")
    _require_names(path, keys)
    if not keys:
        raise TokenFileError("; ".join(unused) or f"{path}: the key set is empty")
    return KeySet(tuple(keys), tuple(unused))


def _members(path: Path, content: bytes) -> Sequence[object]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise TokenFileError(f"{path}: not JSON") from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise TokenFileError(f'{path}: not a JSON web key set, which is an object with a list "keys"')
    return members


def _key(place: str, member: object) -> TokenKey | str:
    """Returns a key, or why it verifies no signatures of ours."""
    if not isinstance(member, dict):
        raise TokenFileError(f"{place}: not an object")
    _require_public(place, member)
    algorithm = _ALGORITHMS.get(_kind(member))
    if member.get("use", "sig") != "sig" or "verify" not in _texts(member.get("key_ops", ["verify"])):
        return "it is not for signatures"
    if algorithm is None or member.get("alg", algorithm) != algorithm:
        kind = quoted(str(member.get("alg", member.get("crv", member.get("kty")))))
        return f"{kind} is not supported; the algorithms are {', '.join(_ALGORITHMS.values())}"
    return TokenKey(_key_id(place, member), algorithm, _material(place, member, algorithm))


def _kind(member: Mapping[str, object]) -> tuple[str, str | None]:
    curve = member.get("crv")
    return str(member.get("kty")), None if curve is None else str(curve)


def _texts(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _require_public(place: str, member: Mapping[str, object]) -> None:
    if member.get("kty") == "oct":
        raise TokenFileError(f"{place}: a secret; set hs256_secret_file for tokens of HS256")
    if "d" in member:
        raise TokenFileError(f"{place}: a private key; a key set of a verifier has public keys only")


def _key_id(place: str, member: Mapping[str, object]) -> str | None:
    key_id = member.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenFileError(f'{place}: "kid" is not a text')
    return key_id


def _material(place: str, member: dict[str, object], algorithm: str) -> object:
    try:
        material = jwt.PyJWK(member, algorithm).key
    # Members of a wrong type end in errors of many classes.
    except Exception as error:
        raise TokenFileError(f"{place}: not a valid key of {algorithm}") from error
    if isinstance(material, RSAPublicKey) and material.key_size < RSA_BITS_MIN:
        raise TokenFileError(f"{place}: RSA of {material.key_size} bits; {RSA_BITS_MIN} or more are safe")
    return material


def _require_names(path: Path, keys: Sequence[TokenKey]) -> None:
    names = [key.id for key in keys]
    if len(keys) > 1 and None in names:
        raise TokenFileError(f'{path}: one of several keys has no "kid", so that tokens cannot name it')
    for name in names:
        if names.count(name) > 1:
            raise TokenFileError(f'{path}: two keys have the "kid" {quoted(str(name))}')
