"""How the client reaches its server: address, TLS, credential, deadline, retries, pings, size of answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

import grpc
from grpc import aio

from pegcount_client.address import check_address, is_of_this_host, target_of
from pegcount_client.arguments import flag, seconds
from pegcount_client.credential import AsyncToken, Credential
from pegcount_client.interceptors import AddDefaults, CallDefaults, async_interceptors
from pegcount_client.lifetime import Lifetime, UnregisteredCalls

DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""What the server sends at most; by default, gRPC accepts 4 MiB."""
_RECONNECT_MS_MAX: Final = 2_000
"""gRPC's own limit is two minutes, in which it would not notice that a server is back."""
_KEEPALIVE_SECONDS_MIN: Final = 10.0
"""The server disconnects a client that pings more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates, as PEM bytes or the path of a PEM file. All absent: the roots that gRPC trusts.

    Raises ValueError for one of `private_key` and `certificate_chain` without the other.
    """

    root_certificates: bytes | Path | None = None
    """Who may have signed the certificate of the server. Absent: the roots that gRPC trusts."""
    private_key: bytes | Path | None = field(default=None, repr=False)
    """Key of this client, for servers that ask who it is (mutual TLS)."""
    certificate_chain: bytes | Path | None = None
    """Certificate of this client, with those of its signers."""
    server_name: str | None = None
    """Name in the certificate of the server, where the address has another one."""

    def __post_init__(self) -> None:
        if (self.private_key is None) != (self.certificate_chain is None):
            raise ValueError("a client certificate needs both private_key and certificate_chain")

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials of a channel; raises OSError for a file that cannot be read."""
        return grpc.ssl_channel_credentials(
            _pem(self.root_certificates), _pem(self.private_key), _pem(self.certificate_chain)
        )


def _pem(given: bytes | Path | None) -> bytes | None:
    return given.read_bytes() if isinstance(given, Path) else given


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """How to reach a server. Raises ValueError for what cannot work, or would show the credential
    to others.
    """

    address: str
    """`HOST:PORT`, `unix:PATH`, or the IP addresses of several servers over one cluster, of which the first
    that can be reached is called: `ipv4:192.0.2.1:50051,192.0.2.2:50051`.
    """
    tls: Tls | bool = False
    """True: TLS with the roots that gRPC trusts."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as `x-api-key` with each call. Needs TLS, except to this host."""
    token: AsyncToken | None = field(default=None, repr=False)
    """Sent as `authorization: Bearer …` with each call, in place of a key. Needs TLS, except to this host."""
    timeout: float | None = DEFAULT_TIMEOUT_SECONDS
    """Seconds after which a call with one answer fails that has no timeout of its own. None: never."""
    retry: bool = True
    """Whether such calls wait for a server, and are sent again after UNAVAILABLE."""
    keepalive_seconds: float | None = 30.0
    """Seconds between two pings, which notice a dead server; at least 10. None: without pings."""
    keepalive_timeout_seconds: float = 10.0
    """Seconds after which a ping without an answer ends the connection."""
    options: Sequence[tuple[str, Any]] = ()
    """Further options of the channel, as gRPC names them; they go before those of the client."""

    def __post_init__(self) -> None:
        check_address(self.address)
        for name, value in (("timeout", self.timeout), ("keepalive_seconds", self.keepalive_seconds)):
            if value is not None:
                seconds(name, value)
        seconds("keepalive_timeout_seconds", self.keepalive_timeout_seconds)
        flag("retry", self.retry)
        if self.keepalive_seconds is not None and not self.keepalive_seconds >= _KEEPALIVE_SECONDS_MIN:
            raise ValueError(
                f"keepalive_seconds={self.keepalive_seconds!r} must be at least {_KEEPALIVE_SECONDS_MIN:g},"
                " or None: the server disconnects clients that ping more often"
            )
        self._require_private(self.credential())

    def _require_private(self, credential: Credential) -> None:
        if credential.name is not None and not self.tls and not is_of_this_host(self.address):
            raise ValueError(
                f"{credential.name} would cross the network to {self.address!r} readable by others; give"
                " tls=True, or Tls(...) for certificates of your own"
            )

    def credential(self) -> Credential:
        """Returns what shows the server who calls; raises as `Credential`."""
        return Credential(self.api_key, self.token)

    def open(self, lifetime: Lifetime) -> grpc.Channel:
        """Returns a channel; raises OSError for a certificate file that cannot be read."""
        target, tls = target_of(self.address), self._tls()
        if tls is None:
            channel = grpc.insecure_channel(target, self._options())
        else:
            channel = grpc.secure_channel(target, tls.credentials(), self._options())
        return grpc.intercept_channel(UnregisteredCalls(channel), AddDefaults(self._defaults(lifetime)))

    def open_async(self, lifetime: Lifetime) -> aio.Channel:
        """Returns a channel of the running event loop; raises as `open`."""
        target, tls = target_of(self.address), self._tls()
        interceptors = async_interceptors(self._defaults(lifetime))
        if tls is None:
            return aio.insecure_channel(target, self._options(), interceptors=interceptors)
        return aio.secure_channel(target, tls.credentials(), self._options(), interceptors=interceptors)

    def _defaults(self, lifetime: Lifetime) -> CallDefaults:
        return CallDefaults(self.credential(), self.timeout, lifetime)

    def _tls(self) -> Tls | None:
        if isinstance(self.tls, Tls):
            return self.tls
        return Tls() if self.tls else None

    def _options(self) -> list[tuple[str, Any]]:
        """Returns the options of the channel; of one that is given twice, gRPC would take the last."""
        options: dict[str, Any] = {
            "grpc.max_receive_message_length": _ANSWER_BYTES_MAX,
            "grpc.max_reconnect_backoff_ms": _RECONNECT_MS_MAX,
        }
        if self.keepalive_seconds is not None:
            options["grpc.keepalive_time_ms"] = round(self.keepalive_seconds * 1_000)
            options["grpc.keepalive_timeout_ms"] = round(self.keepalive_timeout_seconds * 1_000)
        if self.retry:
            options["grpc.service_config"] = _service_config()
        if isinstance(self.tls, Tls) and self.tls.server_name is not None:
            options["grpc.ssl_target_name_override"] = self.tls.server_name
        options.update(self.options)
        return list(options.items())


def _service_config() -> str:
    """Returns the retry policy, which callers in other languages may use as well."""
    return (resources.files("pegcount_client") / "service_config.json").read_text(encoding="utf-8")
