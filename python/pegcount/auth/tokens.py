"""Tells the callers of JSON web tokens (RFC 7519), whose issuers the token configuration names.

token -> issuer and key that it names -> signature -> claims -> Caller
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from pegcount.auth.caller import Caller
from pegcount.auth.signed_token import SignedToken, read_token
from pegcount.auth.token_claims import TokenRefusal, VerifiedToken, verified_token
from pegcount.auth.token_config import Issuer, TokenConfig
from pegcount.auth.token_files import TokenFileError
from pegcount.auth.token_keys import TokenKey
from pegcount.auth.token_scope import ClaimRefusedError
from pegcount.config import Config

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


class Tokens:
    """Verifies tokens with the keys that the key files of their issuers have. Thread-safe.

    Each token is verified once, and then known by its SHA-256 until a key file changes.
    """

    def __init__(self, token_config: TokenConfig, config: Config) -> None:
        """Reads the key files; raises TokenFileError if one cannot be used."""
        self._config = config
        self._files = [_LoadedFile(issuer) for issuer in token_config.issuers]
        self._accepted = _Accepted(self._files, config.remembered_token_count_max)
        self._look_lock = Lock()

    @property
    def fault(self) -> str | None:
        """What is wrong with the key files: one cannot be used, or one of its keys; None if all can."""
        return "; ".join(file.fault for file in self._files if file.fault) or None

    def caller_of_token(self, token: str | bytes, now_us: int) -> Caller | None:
        """Returns the caller of a token as `check` does, None if the token is refused."""
        found = self.check(token, now_us)
        return None if isinstance(found, TokenRefusal) else found

    def check(self, token: str | bytes, now_us: int) -> Caller | TokenRefusal:
        """Returns the caller of a token at a time in microseconds UTC, or why the token is refused.

        Raises nothing, whatever the token is. A token of an unknown issuer or key costs a verification like
        any other, so that its time does not tell whom the server trusts.
        """
        if len(token) > self._config.token_bytes_max:
            return TokenRefusal(f"it is longer than {self._config.token_bytes_max:,} bytes")
        # A character beyond ASCII becomes one that no token has.
        text = token.encode("ascii", "replace") if isinstance(token, str) else token
        told = self._accepted.told_by(text)
        return told if isinstance(told, TokenRefusal) else told.caller_at(now_us)

    def look(self) -> str | None:
        """Takes the keys of key files that have changed, and returns the `fault`. May wait for a disk.

        A file that cannot be used leaves its earlier keys in use.
        """
        with self._look_lock:
            changed = [file.reload() for file in self._files]
            if any(changed):
                # Tokens that were verified with keys that have gone are forgotten with them.
                self._accepted = _Accepted(self._files, self._config.remembered_token_count_max)
        return self.fault


class _LoadedFile:
    """The key file of an issuer as it was when it could last be used."""

    def __init__(self, issuer: Issuer) -> None:
        """Raises TokenFileError if the file cannot be used, or has keys of which none can.

        An empty key set is accepted: whoever has withdrawn all keys must be able to start the server again.
        """
        self.issuer = issuer
        self._content = issuer.key_file.read()
        self.keys = issuer.key_file.parse(self._content)
        left_out = (*self.keys.faults, *self.keys.unused)
        if left_out and not self.keys.keys:
            raise TokenFileError("; ".join(left_out))
        self._no_key = f"{issuer.key_file.path}: the file has no key that verifies tokens"
        self._file_fault: str | None = None
        self._log()

    @property
    def fault(self) -> str | None:
        """Why the file or a key of it cannot be used, None if all can."""
        no_key = () if self.keys.keys else (self._no_key,)
        return "; ".join((*filter(None, [self._file_fault]), *no_key, *self.keys.faults)) or None

    def reload(self) -> bool:
        """Returns whether the file has other keys now.

        The content is compared rather than times: a file may change twice within the precision of a time.
        """
        try:
            content = self.issuer.key_file.read()
            keys = self.keys if content == self._content else self.issuer.key_file.parse(content)
        except TokenFileError as error:
            self._set_file_fault(str(error))
            return False
        self._set_file_fault(None)
        if content == self._content:
            return False
        self.keys, self._content = keys, content
        self._log()
        return True

    def _set_file_fault(self, fault: str | None) -> None:
        if fault != self._file_fault:
            if fault is None:
                _LOG.info("the key file of tokens of %s can be used again", self.issuer.name)
            else:
                _LOG.error("the earlier keys of tokens of %s stay in use: %s", self.issuer.name, fault)
        self._file_fault = fault

    def _log(self) -> None:
        names = [f"{key.algorithm} {key.id or ''}".rstrip() for key in self.keys.keys]
        if names:
            _LOG.info("tokens of %s: %s", self.issuer.name, ", ".join(names))
        else:
            _LOG.error("no token of %s is accepted: %s", self.issuer.name, self._no_key)
        for reason in self.keys.unused:
            _LOG.info("tokens of %s: unused %s", self.issuer.name, reason)
        for reason in self.keys.faults:
            _LOG.error("no token of %s with this key is accepted: %s", self.issuer.name, reason)


class _Accepted:
    """The keys of one moment, and what the tokens told that were verified with them."""

    def __init__(self, files: Sequence[_LoadedFile], remembered_count_max: int) -> None:
        self._by_name: dict[tuple[str, str | None], list[_Trusted]] = {}
        self._by_algorithm: dict[str, list[_Trusted]] = {}
        self._stand_ins: dict[str, TokenKey] = {}
        for file in files:
            for key in file.keys.keys:
                self._stand_ins[key.algorithm] = key
                self._add(_Trusted(file.issuer, key), is_only=len(file.keys.keys) == 1)
        # Apart, so that a flood of bad tokens displaces none of the good ones.
        self._verified = _Memory[VerifiedToken](remembered_count_max)
        self._refused = _Memory[TokenRefusal](remembered_count_max)

    def _add(self, trusted: "_Trusted", *, is_only: bool) -> None:
        """An only key without an id stands for all tokens, one with an id also for those that name none."""
        key = trusted.key
        if key.id is None:
            self._by_algorithm.setdefault(key.algorithm, []).append(trusted)
            return
        for key_id in (key.id, None) if is_only else (key.id,):
            self._by_name.setdefault((key.algorithm, key_id), []).append(trusted)

    def told_by(self, text: bytes) -> VerifiedToken | TokenRefusal:
        """Returns what a token tells, or why it is refused at all times; both are remembered."""
        digest = hashlib.sha256(text).digest()
        known = self._verified.get(digest) or self._refused.get(digest)
        if known is not None:
            return known
        told = self._verify(text)
        if isinstance(told, TokenRefusal):
            self._refused.put(digest, told)
        else:
            self._verified.put(digest, told)
        return told

    def _verify(self, text: bytes) -> VerifiedToken | TokenRefusal:
        try:
            token = read_token(text)
            signers = self._signers(token)
            # Not before: the claims of anybody may take long to read.
            claims = token.claims() if signers else {}
        except (ValueError, RecursionError):
            return TokenRefusal("it is not a signed token, or asks for what the server does not know")
        if not signers:
            return TokenRefusal("no key of a configured issuer verifies its signature")
        issuer = next((each.issuer for each in signers if each.issuer.is_named_by(claims)), None)
        if issuer is None:
            return TokenRefusal('the claim "iss" does not name the issuer whose key has signed it')
        try:
            return verified_token(claims, issuer)
        except ClaimRefusedError as error:
            return TokenRefusal(f"{error} (issuer {issuer.name})")

    def _signers(self, token: SignedToken) -> Sequence["_Trusted"]:
        """Returns whose key signed a token, of those that its header may name."""
        named = self._by_name.get((token.algorithm, token.key_id), [])
        candidates = [*named, *self._by_algorithm.get(token.algorithm, [])]
        stand_in = self._stand_ins.get(token.algorithm)
        if not candidates and stand_in is not None:
            # Takes as long as a key that the token could name.
            token.is_signed_by(stand_in)
        return [each for each in candidates if token.is_signed_by(each.key)]


@dataclass(frozen=True, slots=True)
class _Trusted:
    """A key, and the issuer of the tokens that it signs."""

    issuer: Issuer
    key: TokenKey


class _Memory(Generic[_T]):
    """What is known of tokens by their SHA-256, of those that were seen last. Thread-safe."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._known: OrderedDict[bytes, _T] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: bytes) -> _T | None:
        """Returns what is known of a token, None if nothing is."""
        return self._known.get(digest)

    def put(self, digest: bytes, told: _T) -> None:
        """Keeps what a token told, in place of the oldest entry if there are too many."""
        with self._lock:
            self._known[digest] = told
            if len(self._known) > self._count_max:
                self._known.popitem(last=False)
