"""Which scope each method needs, and the check of each call before its message is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pegcount.auth import Caller, Scope
from pegcount.errors import AccessDeniedError, FirstCredentialIsLocalError, ServerStartingError
from pegcount.server.authentication import Authentication, Metadata
from pegcount.server.client_certificates import ClientCertificate


@dataclass(frozen=True, slots=True)
class Rule:
    """What a call of a method needs."""

    scope: Scope | None = None
    """The scope that its credential must have; None: one of any scope."""
    is_open: bool = False
    """Whether it needs no credential, and none that it carries is looked at."""
    is_refused_without_authentication: bool = False
    """Whether it is refused where nobody is authenticated, and everything else is allowed."""


OPEN: Final = Rule(is_open=True)
ANY_SCOPE: Final = Rule()
_REPORTS: Final = Rule(Scope.READ_REPORTS)
_ADMIN: Final = Rule(Scope.ADMIN)
_ROOT: Final = Rule(Scope.ROOT)
_ISSUING: Final = Rule(Scope.ROOT, is_refused_without_authentication=True)
"""Else anybody could make a key, or take all others away, before the operator turns authentication on."""

RULES: Final[Mapping[str, Rule]] = {
    "pegcount.v1.ReportService/QueryAsrUsage": _REPORTS,
    "pegcount.v1.ReportService/QueryActiveSessions": _REPORTS,
    "pegcount.v1.ReportService/QueryFolderStats": _REPORTS,
    "pegcount.v1.ReportService/QueryOriginationQuality": _REPORTS,
    "pegcount.v1.TrafficService/QueryTraffic": _REPORTS,
    "pegcount.v1.TrafficService/QueryFeedHealth": _REPORTS,
    "pegcount.v1.TrafficService/WatchTraffic": _REPORTS,
    "pegcount.v1.RecordService/WriteRecords": Rule(Scope.WRITE_RECORDS),
    "pegcount.v1.AdminService/PutCodeDeck": _ADMIN,
    "pegcount.v1.AdminService/ListCodeDecks": _ADMIN,
    "pegcount.v1.AdminService/GetRetention": _ADMIN,
    "pegcount.v1.AdminService/SetRetention": _ADMIN,
    "pegcount.v1.AdminService/GetStoreInfo": _ADMIN,
    "pegcount.v1.AdminService/DeleteRecords": _ADMIN,
    "pegcount.v1.AdminService/ListDeletions": _ADMIN,
    "pegcount.v1.AdminService/LiftDeletion": _ADMIN,
    "pegcount.v1.AdminService/EraseParties": _ADMIN,
    "pegcount.v1.AdminService/ListErasures": _ADMIN,
    "pegcount.v1.AdminService/LiftErasure": _ADMIN,
    "pegcount.v1.AdminService/GetMasking": _ADMIN,
    "pegcount.v1.AdminService/SetMasking": _ADMIN,
    "pegcount.v1.AdminService/ListAuditEntries": _ROOT,
    "pegcount.v1.AdminService/ListCredentials": _ROOT,
    "pegcount.v1.AdminService/CreateCredential": _ISSUING,
    "pegcount.v1.AdminService/RotateCredential": _ISSUING,
    "pegcount.v1.AdminService/RevokeCredential": _ISSUING,
    "grpc.health.v1.Health/Check": OPEN,
    "grpc.health.v1.Health/List": OPEN,
    "grpc.health.v1.Health/Watch": OPEN,
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo": ANY_SCOPE,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": ANY_SCOPE,
}
"""The rule of each method, by `package.Service/Method`. A method without one cannot be served."""


def rule_of(method: str) -> Rule:
    """Returns the rule of a method; raises ValueError if it has none, so that none is open by mistake."""
    if method not in RULES:
        raise ValueError(f"{method} has no rule of access; add one to server/access.py")
    return RULES[method]


class Access:
    """Decides who may call what. Thread-safe.

    Until `use` it knows nobody, and every method that is not open raises ServerStartingError.
    """

    def __init__(self, starting_retry_seconds: float) -> None:
        self._authentication: Authentication | None = None
        self._starting_retry_seconds = starting_retry_seconds

    def use(self, authentication: Authentication) -> None:
        """Lets callers in from now on."""
        self._authentication = authentication

    def authenticated(
        self, metadata: Iterable[Metadata], certificate: ClientCertificate | None = None
    ) -> Caller | None:
        """Returns who calls, whatever the scopes of the credential are; see `caller`."""
        if self._authentication is None:
            raise ServerStartingError(self._starting_retry_seconds)
        return self._authentication.caller(metadata, certificate)

    def caller(
        self, rule: Rule, metadata: Iterable[Metadata], certificate: ClientCertificate | None = None
    ) -> Caller | None:
        """Returns who calls a method; None if it is open, or the server runs without authentication.

        Raises CredentialRefusedError, CredentialUnexpectedError, AccessDeniedError if the credential lacks
        the scope, FirstCredentialIsLocalError, and ServerStartingError.
        """
        if rule.is_open:
            return None
        caller = self.authenticated(metadata, certificate)
        if caller is None:
            if rule.is_refused_without_authentication:
                raise FirstCredentialIsLocalError
        elif not any(map(caller.may, needed := Scope if rule.scope is None else (rule.scope,))):
            # A token of a trusted issuer may have no scope at all: it is not meant for this server.
            raise AccessDeniedError(*(scope.name.lower() for scope in needed))
        return caller
