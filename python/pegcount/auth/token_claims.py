"""Checks the claims of a token whose signature is verified (RFC 7519, section 4.1), and reads its caller."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pegcount.auth.caller import Caller, Scope
from pegcount.auth.token_config import Issuer
from pegcount.auth.token_scope import ClaimRefusedError
from pegcount.zone import US_PER_SECOND

_SUBJECT_LENGTH_MAX: Final = 256
"""Characters of a subject, which logs repeat."""
_SECONDS_MAX: Final = 253_402_300_799
"""The last second of the year 9999. A later time is one in another unit, such as milliseconds."""


@dataclass(frozen=True, slots=True)
class TokenRefusal:
    """Why a token is refused: for the log of the operator, and never for the caller."""

    reason: str
    """Without the token and the values of its claims."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a token tells of its caller, and when it is accepted: from begin to before end, in us UTC."""

    caller: Caller
    begin_us: int
    end_us: int

    def caller_at(self, now_us: int) -> "Caller | TokenRefusal":
        """Returns the caller at a time in microseconds UTC; or why the token is not accepted then."""
        if now_us >= self.end_us:
            return TokenRefusal('it has expired: the claim "exp" is in the past')
        if now_us < self.begin_us:
            return TokenRefusal('it is not accepted yet: the claim "nbf" or "iat" is in the future')
        return self.caller


def verified_token(claims: Mapping[str, Any], issuer: Issuer) -> VerifiedToken:
    """Returns what a token of an issuer tells; raises ClaimRefusedError if it is refused at all times.

    The issuer must be the one that the claim `iss` names.
    """
    _require_audience(claims, issuer)
    expire_us = _required_time_us(claims, "exp")
    leeway_us = issuer.leeway_seconds * US_PER_SECOND
    _require_lifetime(claims, issuer, expire_us)
    # One text for people and for the server: an issuer that changes it would be another caller.
    name = f"{issuer.name} {_subject(claims, issuer)}"
    scope = None if issuer.data_scope is None else issuer.data_scope.of(claims)
    caller = Caller(name, name, _scopes(claims, issuer), expire_us, scope, issuer.limits)
    return VerifiedToken(caller, _begin_us(claims) - leeway_us, expire_us + leeway_us)


def _require_audience(claims: Mapping[str, Any], issuer: Issuer) -> None:
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or not all(isinstance(each, str) for each in audiences):
        raise ClaimRefusedError.of(claims, "aud", "a text or a list of texts")
    if issuer.audiences.isdisjoint(audiences):
        raise ClaimRefusedError('the claim "aud" names none of the configured audiences')


def _require_lifetime(claims: Mapping[str, Any], issuer: Issuer, expire_us: int) -> None:
    if issuer.lifetime_seconds_max is not None:
        lifetime_us = expire_us - _required_time_us(claims, "iat")
        if lifetime_us > issuer.lifetime_seconds_max * US_PER_SECOND:
            raise ClaimRefusedError('"exp" is later after "iat" than the configuration allows')


def _begin_us(claims: Mapping[str, Any]) -> int:
    """Returns the time that neither of the claims `nbf` and `iat` is after; 1970 without them."""
    return max([0, *(_required_time_us(claims, name) for name in ("nbf", "iat") if name in claims)])


def _required_time_us(claims: Mapping[str, Any], name: str) -> int:
    """Returns a NumericDate, which is in seconds since 1970 and may have a fraction."""
    seconds = claims.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _SECONDS_MAX:
        raise ClaimRefusedError.of(claims, name, "a number of seconds since 1970")
    return int(seconds * US_PER_SECOND)


def _subject(claims: Mapping[str, Any], issuer: Issuer) -> str:
    """Returns the subject as text; some issuers number their users."""
    subject = claims.get(issuer.subject_claim)
    if isinstance(subject, int) and not isinstance(subject, bool):
        subject = str(subject)
    is_text = isinstance(subject, str) and subject.isprintable()
    if not is_text or not 0 < len(str(subject)) <= _SUBJECT_LENGTH_MAX:
        what = f"a printable text of 1 to {_SUBJECT_LENGTH_MAX} characters"
        raise ClaimRefusedError.of(claims, issuer.subject_claim, what)
    return str(subject)


def _scopes(claims: Mapping[str, Any], issuer: Issuer) -> frozenset[Scope]:
    if issuer.scope_claim not in claims:
        return issuer.default_scopes
    claim = claims[issuer.scope_claim]
    values = claim.split(" ") if isinstance(claim, str) else claim
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ClaimRefusedError.of(claims, issuer.scope_claim, "a text or a list of texts")
    return frozenset(scope for value in values for scope in issuer.scopes.get(value, ()))
