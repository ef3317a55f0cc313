"""An issuer of JSON web tokens: its keys, the files that tell a server of it, and tokens of any claims."""

import base64
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pegcount.auth import TokenConfig, read_token_config

ISSUER = "https://id.example.com"
AUDIENCE = "pegcount"
NOW_S = 1_774_872_000
"""2026-03-30T12:00:00Z, where the clock of a `Service` stands."""
SECRET = b"correct-horse-battery-staple-0123456789"
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
TOKENS_TOML = """
[[issuer]]
issuer = "{issuer}"
audience = "{audience}"
{key_file}
leeway_seconds = 10
{more}

[issuer.scopes]
"reports:read" = "read_reports"
"records:write" = "write_records"
"everything" = ["read_reports", "write_records", "admin"]
"""

_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi")


@dataclass(frozen=True)
class Signer:
    """A private key, or a secret, with the `kid` of the tokens that it signs."""

    algorithm: str
    key: Any
    kid: str | None

    def token(self, claims: object, **headers: object) -> str:
        """Returns a token; of the claims that are bytes, just these. A header of None is left out."""
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        names = {"kid": self.kid, **headers}
        found = {name: value for name, value in names.items() if value is not None}
        return jwt.PyJWS().encode(payload, self.key, self.algorithm, found)

    def private_jwk(self) -> dict[str, Any]:
        """Returns the key as members of a JSON web key, with its private ones."""
        members = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.key, as_dict=True)
        return {**members, **({} if self.kid is None else {"kid": self.kid})}

    def jwk(self, **changes: object) -> dict[str, Any]:
        """Returns the public key as members of a JSON web key."""
        public = {name: value for name, value in self.private_jwk().items() if name not in _PRIVATE_MEMBERS}
        return {**public, "key_ops": ["verify"], **changes}


@functools.cache
def signer(algorithm: str, kid: str | None = None, generation: int = 0) -> Signer:
    """Returns a signer; one of another generation has another key."""
    if algorithm == "HS256":
        return Signer(algorithm, SECRET + b"+" * generation, kid)
    if algorithm == "RS256":
        return Signer(algorithm, rsa.generate_private_key(65_537, 2_048), kid)
    if algorithm == "ES256":
        return Signer(algorithm, ec.generate_private_key(ec.SECP256R1()), kid)
    return Signer(algorithm, ed25519.Ed25519PrivateKey.generate(), kid)


def claims(**changes: object) -> dict[str, object]:
    """Returns the claims of a good token with changes; a claim of None is left out."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "exp": NOW_S + 600,
        "iat": NOW_S,
        "scope": "openid reports:read",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def raw_token(header: object, payload: object, signature: bytes = b"") -> str:
    """Returns a token of parts as they are."""
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def write_key_set(path: Path, *keys: Signer | Mapping[str, object]) -> None:
    """Writes a JSON web key set."""
    members = [key.jwk() if isinstance(key, Signer) else key for key in keys]
    path.touch(mode=0o644)
    path.write_text(json.dumps({"keys": members}), encoding="utf-8")


def write_secret(path: Path, secret: bytes = SECRET) -> None:
    """Writes a secret that only its owner may read."""
    path.touch(mode=0o600)
    path.write_bytes(secret)


def write_tokens_toml(directory: Path, *keys: Signer, more: str = "") -> Path:
    """Writes a token configuration of one issuer with its key file, and returns its path.

    The key file is `keys.json`, or `secret` if the keys are one secret.
    """
    if keys[0].algorithm == "HS256":
        write_secret(directory / "secret", keys[0].key)
        key_file = 'hs256_secret_file = "secret"'
    else:
        write_key_set(directory / "keys.json", *keys)
        key_file = 'jwks_file = "keys.json"'
    path = directory / "tokens.toml"
    text = TOKENS_TOML.format(issuer=ISSUER, audience=AUDIENCE, key_file=key_file, more=more)
    path.touch(mode=0o644)
    path.write_text(text, encoding="utf-8")
    return path


def token_config(directory: Path, *keys: Signer, more: str = "") -> TokenConfig:
    """Returns the configuration that `write_tokens_toml` writes."""
    return read_token_config(write_tokens_toml(directory, *keys, more=more))
