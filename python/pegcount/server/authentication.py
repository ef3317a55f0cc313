"""Which credential a call offers, and whose it is."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias

from pegcount.auth import Caller, Credentials, TokenRefusal
from pegcount.errors import CredentialRefusedError, CredentialUnexpectedError
from pegcount.server.client_certificates import ClientCertificate
from pegcount.server.minute_log import MinuteLog

KEY_NAME: Final = "x-api-key"
TOKEN_NAME: Final = "authorization"
_SCHEME: Final = "bearer"

_LOG = logging.getLogger(__name__)

Metadata: TypeAlias = "tuple[str, str | bytes]"


class TokenSource(Protocol):
    """What knows whose a token is."""

    def check(self, text: str, now_us: int) -> Caller | TokenRefusal:
        """Returns whose token this is, or why it is refused."""

    def look(self) -> str | None:
        """Takes changed keys; returns why some cannot be used, None if all can."""


class Authentication:
    """Finds out who calls. `caller` takes microseconds and never waits.

    It is on if the store has credentials, also if all of them have ended, or if tokens are accepted:
    revoking the last credential must not let everybody in.
    """

    def __init__(
        self,
        credentials: Credentials,
        clock: Callable[[], int],
        tokens: TokenSource | None = None,
        *,
        is_switched_off: bool = False,
    ) -> None:
        """`clock` returns the present time in microseconds UTC."""
        self.credentials = credentials
        self._clock = clock
        self._tokens = tokens
        self._is_switched_off = is_switched_off
        self._refusals = MinuteLog(_LOG)

    @property
    def is_on(self) -> bool:
        """Whether a call needs a credential."""
        return not self._is_switched_off and (self._tokens is not None or len(self.credentials) > 0)

    @property
    def accepts_tokens(self) -> bool:
        """Whether the server knows issuers of tokens."""
        return self._tokens is not None

    def look(self) -> str | None:
        """Takes changed keys of tokens; returns why some cannot be used, None if all can."""
        return None if self._tokens is None else self._tokens.look()

    def summary(self) -> str:
        """Returns in words who is let in, for the log."""
        count = self.credentials.accepted_count()
        held = f"{count} credential{'' if count == 1 else 's'}"
        if self.is_on:
            tokens = "" if self._tokens is None else " and tokens"
            return f"authentication is on: {held}{tokens} accepted"
        how = f"--no-auth, {held} ignored" if self._is_switched_off else "no credential was made"
        return f"authentication is off ({how}): everybody who reaches the server may do everything"

    def caller(
        self, metadata: Iterable[Metadata], certificate: ClientCertificate | None = None
    ) -> Caller | None:
        """Returns who sent this metadata; None if the server runs without authentication.

        A key or a token decides alone. Without one, the names of the client's certificate do. Raises
        CredentialRefusedError for whatever is not one credential that is accepted, and for a certificate
        that has expired, whatever else the call offers; CredentialUnexpectedError for a key or a token where
        nothing can check it.
        """
        now_us = self._clock()
        has_expired = certificate is not None and certificate.end_us <= now_us
        offered = [(name, _text(value)) for name, value in metadata if name in (KEY_NAME, TOKEN_NAME)]
        if not self.is_on:
            if has_expired:
                raise CredentialRefusedError
            if offered:
                raise CredentialUnexpectedError
            return None
        caller = self._accepted(offered, certificate, now_us)
        if caller is None or has_expired:
            raise CredentialRefusedError
        return caller

    def _accepted(
        self, offered: Sequence[tuple[str, str]], certificate: ClientCertificate | None, now_us: int
    ) -> Caller | None:
        name, text = offered[0] if len(offered) == 1 else ("", "")
        # Whatever is wrong, the same work is done: the time of a refusal must not tell what it was.
        of_key = self.credentials.caller_of_key(text if name == KEY_NAME else "", now_us)
        if name == KEY_NAME:
            if of_key is None:
                self._log_refused("key", self.credentials.refusal_of_key(text))
            return of_key
        if name == TOKEN_NAME:
            return self._of_token(text, now_us)
        if offered or certificate is None:
            return None
        return self.credentials.caller_of_certificate(certificate.names, now_us)

    def _of_token(self, text: str, now_us: int) -> Caller | None:
        scheme, _, token = text.partition(" ")
        if self._tokens is None:
            found: Caller | TokenRefusal = TokenRefusal("this server knows no issuer of tokens")
        elif scheme.lower() != _SCHEME:
            found = TokenRefusal("it does not stand after the word Bearer")
        else:
            found = self._tokens.check(token, now_us)
        if not isinstance(found, TokenRefusal):
            return found
        self._log_refused("token", found.reason)
        return None

    def _log_refused(self, what: str, reason: str) -> None:
        # The caller learns nothing of it, so that the operator has to.
        self._refusals.add(reason, f"a {what} was refused: {reason}")


def _text(value: str | bytes) -> str:
    """Returns a value of metadata as text; gRPC hands over bytes if they are not UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="surrogateescape")
