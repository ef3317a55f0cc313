"""Services that ask for credentials, and the metadata that sends a key."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.stores import EMBEDDED
from pegcount.auth import Credentials, Issued, Scope
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.server import CallObserver
from pegcount.store import Store
from pegcount.v1 import admin_pb2
from service import NOW_US, Service

Metadata = tuple[tuple[str, str], ...]
Request = admin_pb2.CreateCredentialRequest


def sent(key: str) -> Metadata:
    """Returns the metadata that sends a key."""
    return (("x-api-key", key),)


def create(store: Store, *scopes: Scope, name: str = "", **more: Any) -> Issued:
    """Makes a credential in a store that no server uses; its name is that of its first scope by default."""
    fields = {"lifetime_seconds": None, "certificate_names": (), **more}
    new = NewCredential(name or scopes[0].name.lower(), tuple(sorted(scopes)), **fields)
    return Credentials(Config(), store, lambda: NOW_US).create(lambda _: new)


@dataclass
class Guarded:
    """A service that asks for credentials, with one for each scope."""

    service: Service
    issued: dict[Scope, Issued]

    def sent(self, scope: Scope) -> Metadata:
        """Returns the metadata that sends the key of a scope."""
        return sent(self.issued[scope].key.text)

    def id(self, scope: Scope) -> str:
        return self.issued[scope].row.id

    def call(self, method: str, request: Any, by: Scope = Scope.ROOT) -> Any:
        """Calls a method of AdminService with the key of a scope."""
        return getattr(self.service.admin, method)(request, metadata=self.sent(by), timeout=20)

    def rows(self) -> list[admin_pb2.Credential]:
        """Returns all credentials, as they are listed."""
        answer = self.call("ListCredentials", admin_pb2.ListCredentialsRequest())
        return list(answer.credentials)

    def create(self, name: str, *scopes: Scope, **more: Any) -> admin_pb2.CreateCredentialResponse:
        """Makes a further credential by a call."""
        values = [admin_pb2.Scope.Name(scope) for scope in scopes]
        answer: admin_pb2.CreateCredentialResponse = self.call(
            "CreateCredential", Request(name=name, scopes=values, **more)
        )
        return answer


@contextmanager
def guarded(
    directory: Path, config: Config | None = None, observers: Sequence[CallObserver] = ()
) -> Iterator[Guarded]:
    """Runs a service over a directory whose store has a credential for each scope."""
    with closing(EMBEDDED.open(directory, Config(), lambda: NOW_US)) as store:
        issued = {scope: create(store, scope) for scope in Scope}
    with Service(directory, config or Config(), observers=observers) as service:
        yield Guarded(service, issued)
