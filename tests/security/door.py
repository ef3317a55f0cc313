"""A server that wants credentials, and calls that carry any metadata."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from pegcount.auth import Credentials, Scope, Tokens
from pegcount.auth.credentials import Issued
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.server import RunningServer
from pegcount.server.authentication import Authentication
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from token_issuer import NOW_S

from security.token_attacks import trusted_issuers

REPORT = "pegcount.v1.ReportService/QueryActiveSessions"
REQUEST = reports_pb2.QueryActiveSessionsRequest(return_fields=["orig_clients_name"]).SerializeToString()
HOUR_S = 3_600
_REQUEST_ID = ("x-request-id", "attack")
_DETAILS = "grpc-status-details-bin"

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True)
class Answer:
    """All that a caller gets, except for how long it took."""

    code: str
    text: str
    trailers: tuple[tuple[str, str | bytes], ...]
    message: bytes | None

    def reason(self) -> str:
        """Returns the reason of the error; "-" without one."""
        info = error_details_pb2.ErrorInfo()
        found = (
            details for name, details in self.trailers if name == _DETAILS and isinstance(details, bytes)
        )
        for detail in status_pb2.Status.FromString(next(found, b"")).details:
            detail.Unpack(info)
        return info.reason or "-"


class Door:
    """A running server with credentials and trusted issuers; its clock stands, an hour before the tokens."""

    def __init__(self, directory: Path, config: Config | None = None) -> None:
        config = config or Config()
        self.now_us = (NOW_S - HOUR_S) * 1_000_000
        self._store = EmbeddedStore(directory / "data", config, create=True, clock=lambda: self.now_us)
        self.credentials = Credentials(config, self._store, lambda: self.now_us)
        self.root_key = self.new_key("root", Scope.ROOT).key.text
        issuers = directory / "issuers"
        issuers.mkdir()
        tokens = Tokens(trusted_issuers(issuers), config)
        authentication = Authentication(self.credentials, lambda: self.now_us, tokens)
        self._server = RunningServer(
            config, self._store, "127.0.0.1:0", lambda: self.now_us, authentication=authentication
        )
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self._server.port}")

    def new_key(self, name: str, *scopes: Scope, lifetime_seconds: int | None = None) -> Issued:
        """Makes a credential."""
        new = NewCredential(name, tuple(map(int, scopes)), lifetime_seconds, ())
        return self.credentials.create(lambda _: new)

    def call(self, metadata: Metadata, method: str = REPORT, request: bytes = REQUEST) -> Answer:
        """Calls a method with metadata as it is."""
        stub: Any = self._channel.unary_unary(f"/{method}")
        call = stub.future(request, metadata=(_REQUEST_ID, *metadata), timeout=30)
        code = call.code()
        trailers = tuple((name, value) for name, value in call.trailing_metadata() if name != "server-timing")
        message = call.result() if code is grpc.StatusCode.OK else None
        return Answer(code.name, call.details(), trailers, message)

    def close(self) -> None:
        """Stops the server."""
        self._channel.close()
        self._server.stop()
        self._store.close()
