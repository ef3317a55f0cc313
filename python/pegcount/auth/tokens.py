"""Tells the callers of JSON web tokens (RFC 7519), whose issuers the token configuration names.

token -> issuer and key that it names -> signature -> claims -> Caller
"""

import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import jwt

from pegcount.auth.caller import Caller
from pegcount.auth.token_claims import VerifiedToken, verified_token
from pegcount.auth.token_config import Issuer, TokenConfig
from pegcount.auth.token_files import TokenFileError
from pegcount.auth.token_keys import KeySet, TokenKey
from pegcount.config import Config

_LOG = logging.getLogger(__name__)
_JWS = jwt.PyJWS()


class Tokens:
    """Verifies tokens with the keys that the key files of their issuers have. Thread-safe.

    Each token is verified once, and then known by its SHA-256 until it expires or a key file changes.
    """

    def __init__(
        self, token_config: TokenConfig, config: Config, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Reads the key files; raises TokenFileError if one cannot be used. `monotonic` returns seconds."""
        self._config = config
        self._monotonic = monotonic
        self._files = [_LoadedFile(issuer) for issuer in token_config.issuers]
        self._accepted = _Accepted(self._files, config.remembered_token_count_max)
        self._fault: str | None = None
        self._reload_lock = Lock()
        self._next_look = monotonic() + config.token_key_look_seconds

    @property
    def fault(self) -> str | None:
        """Why a key file cannot be used now, so that its earlier keys still count; None if all can."""
        return self._fault

    def caller_of_token(self, token: str | bytes, now_us: int) -> Caller | None:
        """Returns the caller of a token at a time in microseconds UTC, None if the token is refused.

        Raises nothing, whatever the token is. A token of an unknown issuer or key costs a verification like
        any other, so that its time does not tell whom the server trusts.
        """
        self.reload_if_changed()
        if len(token) > self._config.token_bytes_max:
            return None
        # A character beyond ASCII becomes one that no token has.
        text = token.encode("ascii", "replace") if isinstance(token, str) else token
        accepted, digest = self._accepted, hashlib.sha256(text).digest()
        verified = accepted.recall(digest, now_us)
        if verified is None:
            verified = accepted.verify(text, now_us)
            if verified is not None:
                accepted.remember(digest, verified)
        return None if verified is None else verified.caller

    def reload_if_changed(self) -> None:
        """Takes the keys of key files that have changed, if the last look is `token_key_look_seconds` ago.

        A file that cannot be used leaves its earlier keys in use, and becomes the `fault`.
        """
        if self._monotonic() < self._next_look or not self._reload_lock.acquire(blocking=False):
            return
        try:
            self._next_look = self._monotonic() + self._config.token_key_look_seconds
            self._reload()
        finally:
            self._reload_lock.release()

    def look(self) -> str | None:
        """Does `reload_if_changed`, and returns the `fault`."""
        self.reload_if_changed()
        return self.fault

    def _reload(self) -> None:
        faults = list[str]()
        changed = False
        for file in self._files:
            try:
                changed = file.reload() or changed
            except TokenFileError as error:
                faults.append(str(error))
        if changed:
            # Tokens that were verified with keys that have gone are forgotten with them.
            self._accepted = _Accepted(self._files, self._config.remembered_token_count_max)
        self._set_fault("; ".join(faults) or None)

    def _set_fault(self, fault: str | None) -> None:
        if fault != self._fault:
            if fault is None:
                _LOG.info("all key files of tokens can be used again")
            else:
                _LOG.error("the earlier keys of tokens stay in use: %s", fault)
        self._fault = fault


class _LoadedFile:
    """The key file of an issuer as it was when it could last be used."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._content = issuer.key_file.read()
        self.keys = issuer.key_file.parse(self._content)
        self._log()

    def reload(self) -> bool:
        """Returns whether the file has other keys now; raises TokenFileError if it cannot be used.

        The content is compared rather than times: a file may change twice within the precision of a time.
        """
        content = self.issuer.key_file.read()
        if content == self._content:
            return False
        self.keys = self.issuer.key_file.parse(content)
        self._content = content
        self._log()
        return True

    def _log(self) -> None:
        names = [f"{key.algorithm} {key.id or ''}".rstrip() for key in self.keys.keys]
        _LOG.info("tokens of %s: %s", self.issuer.name, ", ".join(names))
        for reason in self.keys.unused:
            _LOG.info("tokens of %s: unused %s", self.issuer.name, reason)


class _Accepted:
    """The keys of one moment, and the tokens that were verified with them."""

    def __init__(self, files: Sequence[_LoadedFile], remembered_count_max: int) -> None:
        self._issuers: dict[str | None, tuple[Issuer, KeySet]] = {}
        for file in files:
            self._issuers[file.issuer.name] = (file.issuer, file.keys)
            if file.issuer.accept_absent_iss:
                self._issuers[None] = (file.issuer, file.keys)
        self._key_by_algorithm = {key.algorithm: key for file in files for key in file.keys.keys}
        self._remembered_count_max = remembered_count_max
        self._remembered: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        self._lock = Lock()

    def recall(self, digest: bytes, now_us: int) -> VerifiedToken | None:
        """Returns what was verified of the token with this SHA-256, unless it has expired since."""
        verified = self._remembered.get(digest)
        return None if verified is None or verified.end_us <= now_us else verified

    def remember(self, digest: bytes, verified: VerifiedToken) -> None:
        """Keeps a verified token, in place of the one that was verified longest ago if there are too many."""
        with self._lock:
            self._remembered[digest] = verified
            if len(self._remembered) > self._remembered_count_max:
                self._remembered.popitem(last=False)

    def verify(self, text: bytes, now_us: int) -> VerifiedToken | None:
        """Returns what a token tells, None if it is refused."""
        try:
            token = _read(text)
            named = self._named(token)
            # Some key of the algorithm takes as long as one that the token could name.
            key = named.key if named else self._key_by_algorithm.get(token.algorithm)
            if key is None:
                return None
            _JWS.decode_complete(text, key.material, algorithms=[key.algorithm])
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return verified_token(token.claims, named.issuer, now_us) if named else None

    def _named(self, token: "_UnverifiedToken") -> "_Named | None":
        issuer, keys = self._issuers.get(token.issuer_name, (None, None))
        key = None if keys is None else keys.find(token.key_id)
        if issuer is None or key is None or key.algorithm != token.algorithm:
            return None
        return _Named(issuer, key)


@dataclass(frozen=True, slots=True)
class _Named:
    """The issuer and the key that a token names."""

    issuer: Issuer
    key: TokenKey


@dataclass(frozen=True, slots=True)
class _UnverifiedToken:
    """What a token says before its signature is verified: good for finding its key, and nothing else."""

    algorithm: str
    key_id: str | None
    issuer_name: str | None
    claims: Mapping[str, Any] = field(repr=False)


def _read(text: bytes) -> _UnverifiedToken:
    """Raises PyJWTError, ValueError or RecursionError if a text is not a token with claims."""
    decoded = _JWS.decode_complete(text, options={"verify_signature": False})
    header, claims = decoded["header"], json.loads(decoded["payload"])
    if not isinstance(claims, dict) or not isinstance(claims.get("iss", ""), str):
        raise ValueError("the claims are not an object, or their issuer is not a text")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise ValueError("the algorithm is not a text")
    return _UnverifiedToken(algorithm, header.get("kid"), claims.get("iss"), claims)
