"""The caller of the server, as its credential describes it."""

from dataclasses import dataclass
from enum import IntEnum


class Scope(IntEnum):
    """What a credential allows, with the numbers of `pegcount.v1.Scope`."""

    READ_REPORTS = 1
    WRITE_RECORDS = 2
    ADMIN = 3
    """Everything of AdminService, except its credentials."""
    ROOT = 4
    """Everything."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a credential that the server accepts."""

    id: str
    """Id of the credential; of a token, its issuer and subject."""
    name: str
    """Name of the credential, for people."""
    scopes: frozenset[Scope]
    expire_us: int | None
    """When the acceptance of the key, token or certificate in use ends, in microseconds UTC; None: never."""

    def may(self, scope: Scope) -> bool:
        """Returns whether the caller has a scope; ROOT has all others."""
        return scope in self.scopes or Scope.ROOT in self.scopes
