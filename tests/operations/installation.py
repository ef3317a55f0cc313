"""`pegcount serve` with metrics, TLS and a credential, as in production, but on loopback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import grpc
from certificate_authority import CertificateAuthority
from pegcount.auth import Credentials, Scope
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.store import EmbeddedStore
from waiting import wait_until

from operations.free_port import free_port

_START_SECONDS_MAX = 120.0
_STOP_SECONDS_MAX = 60.0
_KEY = "x-api-key"


@dataclass(slots=True)
class Installation:
    """A server that can be ended and started again at the same addresses."""

    data: Path
    scratch: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """Fields of Config by their name, and of Tuning by `tuning.` and their name."""
    more_environment: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    address: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    metrics: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    _authority: CertificateAuthority = field(default_factory=CertificateAuthority)
    _process: "subprocess.Popen[bytes] | None" = None

    def prepare(self) -> None:
        """Makes the data directory with a credential, and the certificate."""
        store = EmbeddedStore(self.data, Config(), create=True)
        new = NewCredential("operator", (int(Scope.ROOT),), None, ())
        self.key = (
            Credentials(Config(), store, lambda: time.time_ns() // 1_000).create(lambda _: new).key.text
        )
        store.close()
        self.renew_certificate()

    def renew_certificate(self, valid_for: timedelta = timedelta(days=90)) -> None:
        """Puts a new certificate and its key in place of the present ones."""
        self._authority.issue(valid_for=valid_for).write(self.certificate, self.scratch / "key.pem")

    @property
    def certificate(self) -> Path:
        """The certificate of the server in PEM."""
        return self.scratch / "cert.pem"

    def start(self) -> None:
        """Starts the server; returns once it accepts calls."""
        command = [
            *(sys.executable, "-m", "pegcount", "serve", "--data", str(self.data), "--listen", self.address),
            *("--tls-cert", str(self.certificate), "--tls-key", str(self.scratch / "key.pem")),
            *("--metrics-listen", self.metrics),
        ]
        with self.log.open("ab") as log:
            environment = {**os.environ, **self._variables(), **self.more_environment}
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        with self.channel() as channel:
            ready = grpc.channel_ready_future(channel)
            wait_until(lambda: ready.done() or not self.is_running(), "its start", _START_SECONDS_MAX, 0.05)
            assert ready.done(), self.log.read_text(encoding="utf-8")

    @property
    def log(self) -> Path:
        """Where the server logs."""
        return self.scratch / "server.log"

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends the server by a signal, if it runs."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_STOP_SECONDS_MAX)
        finally:
            if self.is_running():
                self._process.kill()
            self._process = None

    def channel(self) -> grpc.Channel:
        """Returns a connection of its own."""
        credentials = grpc.ssl_channel_credentials(self._authority.certificate)
        return grpc.secure_channel(self.address, credentials, [("grpc.use_local_subchannel_pool", 1)])

    def metadata(self, key: str | None = None) -> tuple[tuple[str, str], ...]:
        """Returns the metadata of a call with a key, by default that of the operator."""
        return ((_KEY, self.key if key is None else key),)

    def _variables(self) -> dict[str, str]:
        return {_variable(name): value for name, value in self.settings.items()}


def _variable(setting: str) -> str:
    name = setting if "." in setting else f"config.{setting}"
    return f"PEGCOUNT_{name}".replace(".", "_").upper()


@contextmanager
def installed(
    data: Path,
    scratch: Path,
    settings: Mapping[str, str],
    more_environment: Mapping[str, str] | None = None,
) -> Iterator[Installation]:
    """Runs a server until the end of the `with` block."""
    scratch.mkdir()
    installation = Installation(data, scratch, settings, more_environment or {})
    installation.prepare()
    try:
        installation.start()
        yield installation
    finally:
        installation.end()
