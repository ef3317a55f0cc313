"""What makes a server one with TLS that asks for a key."""

import time
from pathlib import Path

from certificate_authority import CertificateAuthority
from pegcount.auth import Credentials, Scope
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.store import EmbeddedStore

from load.entrance import Entrance


class Guard:
    """A certificate, and a key that may do everything, for the server of a data directory."""

    def __init__(self, data: Path, directory: Path) -> None:
        """Makes the credential in `data`, which no server uses, and the files of TLS in `directory`."""
        authority = CertificateAuthority()
        self._authority = directory / "authority.pem"
        self._authority.write_bytes(authority.certificate)
        self._certificate, self._key = directory / "server.pem", directory / "server.key"
        authority.issue().write(self._certificate, self._key)
        store = EmbeddedStore(data, Config())
        new = NewCredential("load", tuple(map(int, Scope)), None, ())
        credentials = Credentials(Config(), store, lambda: time.time_ns() // 1_000)
        self._api_key = credentials.create(lambda _: new).key.text
        store.close()

    def serve_options(self) -> list[str]:
        """Returns the options of `pegcount serve`."""
        return [f"--tls-cert={self._certificate}", f"--tls-key={self._key}"]

    def entrance(self, address: str) -> Entrance:
        """Returns how clients get in at an address."""
        return Entrance(address, self._authority, self._api_key)
