"""The caller of the server, as its credential describes it."""

from dataclasses import dataclass
from enum import IntEnum

from pegcount.data_scope import CredentialLimits, DataScope


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

    data_scope: DataScope | None = None
    """Which records it reads or writes; None: all."""
    limits: CredentialLimits | None = None
    """How much it may ask for; None: as the server is configured."""

    def may(self, scope: Scope) -> bool:
        """Returns whether the caller has a scope; ROOT has all others."""
        return scope in self.scopes or Scope.ROOT in self.scopes
