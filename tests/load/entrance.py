"""How clients reach a server: in plain text, or through TLS and with a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

KEY_NAME = "x-api-key"


@dataclass(frozen=True, slots=True)
class Entrance:
    """What a client needs to know of a server."""

    address: str
    authority: Path | None = None
    """File of the certificate that signed that of the server; None: plain text."""
    key: str = ""
    """What each call sends; "" where the server asks for none."""

    def headers(self) -> Sequence[tuple[str, str]]:
        """Returns the metadata of each call."""
        return [(KEY_NAME, self.key)] if self.key else []

    def arguments(self) -> list[str]:
        """Returns the arguments that make a program of this folder enter here."""
        more = [] if self.authority is None else [f"--authority={self.authority}", f"--key={self.key}"]
        return [self.address, *more]

    def channel(self, options: Sequence[tuple[str, object]] = ()) -> grpc.Channel:
        """Returns a channel, whose calls have yet to send `headers`."""
        if self.authority is None:
            return grpc.insecure_channel(self.address, list(options))
        credentials = grpc.ssl_channel_credentials(self.authority.read_bytes())
        return grpc.secure_channel(self.address, credentials, list(options))
