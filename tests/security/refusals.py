"""Calls that must be refused for what they carry, all in the same way."""

from collections.abc import Iterator
from dataclasses import dataclass

from pegcount.auth import Scope
from token_issuer import claims

from security.door import HOUR_S, Door, Metadata
from security.token_attacks import RSA, token_attacks

_KEY, _TOKEN = "x-api-key", "authorization"
_GOOD_TOKEN = RSA.token(claims())
"""A token that is accepted where it stands alone; not so here."""


@dataclass(frozen=True)
class Refusal:
    """A call that must be refused, and what it tries."""

    name: str
    metadata: Metadata


def refusals(door: Door) -> Iterator[Refusal]:
    """Yields all of them; makes credentials for some, and sets the clock to that of the tokens."""
    ended = list(_ended_keys(door))
    for name, metadata in (*ended, *_keys(door), *_schemes(), *_several(door)):
        yield Refusal(name, metadata)
    for attack in token_attacks():
        yield Refusal(f"token: {attack.name}", ((_TOKEN, f"Bearer {attack.token}"),))


def _ended_keys(door: Door) -> Iterator[tuple[str, Metadata]]:
    scopes = (Scope.READ_REPORTS,)
    revoked = door.new_key("revoked", *scopes)
    door.credentials.revoke(revoked.row.id)
    yield "key that was revoked", ((_KEY, revoked.key.text),)
    expiring = door.new_key("expiring", *scopes, lifetime_seconds=HOUR_S)
    yield "key that expires at this microsecond", ((_KEY, expiring.key.text),)
    rotated = door.new_key("rotated", *scopes)
    door.credentials.rotate(rotated.row.id, HOUR_S)
    yield "key that another one followed, after the overlap", ((_KEY, rotated.key.text),)
    both = door.new_key("rotated and revoked", *scopes)
    second = door.credentials.rotate(both.row.id, 2 * HOUR_S)
    door.credentials.revoke(both.row.id)
    yield "second key of a revoked credential", ((_KEY, second.key.text),)
    door.now_us += HOUR_S * 1_000_000


def _keys(door: Door) -> Iterator[tuple[str, Metadata]]:
    key = door.root_key
    prefix, secret = key[:11], key[12:]
    yield "nothing", ()
    for name, text in (
        ("empty key", ""),
        ("a word", "secret"),
        ("unknown key of the right form", f"pk_aaaaaaaa_{'A' * len(secret)}"),
        ("prefix of a key", prefix),
        ("prefix of a key, and another secret", f"{prefix}_{'A' * len(secret)}"),
        ("secret of a key under another prefix", f"pk_aaaaaaaa_{secret}"),
        ("secret without its prefix", secret),
        ("key without its last character", key[:-1]),
        ("key with a character more", f"{key}A"),
        ("key in capitals", key.upper()),
        ("key in quotes", f'"{key}"'),
        ("two keys in one value", f"{key},{key}"),
        ("wildcard", "pk_%"),
        ("SQL", "' OR 1=1 --"),
        ("4 KiB", "A" * 4_096),
        ("a good token as a key", _GOOD_TOKEN),
    ):
        yield f"key: {name}", ((_KEY, text),)
    for name in ("api-key", "apikey", "x-api-key2", "token", "cookie", "x-authorization"):
        yield f"a key in metadata {name}", ((name, key),)
    yield "a key in binary metadata", (("x-api-key-bin", key.encode()),)


def _schemes() -> Iterator[tuple[str, Metadata]]:
    for scheme in ("", "Bearer", "Bearer  ", "Bearer,", "Basic ", "Token ", "JWT ", "Bearer Bearer "):
        yield f"token after {scheme!r}", ((_TOKEN, f"{scheme}{_GOOD_TOKEN}"),)
    yield "scheme without a token", ((_TOKEN, "Bearer"),)


def _several(door: Door) -> Iterator[tuple[str, Metadata]]:
    key, token = (_KEY, door.root_key), (_TOKEN, f"Bearer {_GOOD_TOKEN}")
    yield "the same good key twice", (key, key)
    yield "a good key and a wrong one", (key, (_KEY, "secret"))
    yield "a wrong key and a good one", ((_KEY, "secret"), key)
    yield "the same token twice", (token, token)
    yield "a good key and a token", (key, token)
    yield "a token and a good key", (token, key)
    yield "a good key as a token", ((_TOKEN, f"Bearer {door.root_key}"),)
