"""All settings of `pegcount serve`, with default and meaning."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pegcount.config import Config

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_METRICS_ADDRESS = "127.0.0.1:9464"
LOG_LEVELS = ("debug", "info", "warning", "error")


class LogFormat(StrEnum):
    """Form of the lines of the log."""

    TEXT = "text"
    """`TIME LEVEL MESSAGE`, for people."""
    JSON = "json"
    """One JSON object per line, for programs."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What the log has, and where it goes."""

    format: LogFormat = LogFormat.TEXT
    """Form of its lines: text for people, JSON for programs."""
    level: str = "info"
    """Least level of its lines: debug, info, warning or error."""
    file: Path | None = None
    """File to append to, opened again on SIGHUP; None: standard error."""
    calls: bool = True
    """Whether each call gets a line."""
    slow_call_seconds: float = 1.0
    """Seconds from which the line of a call is a warning with its phases."""


@dataclass(frozen=True, slots=True)
class TlsPaths:
    """Files of TLS in PEM."""

    certificate: Path | None = None
    """The certificate, followed by its intermediate authorities; None: plain text."""
    key: Path | None = None
    """The key of the certificate."""
    client_authorities: Path | None = None
    """The authorities that sign client certificates."""
    require_client_certificate: bool = False
    """Whether each client must have a certificate of these authorities."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Settings of one server."""

    store: Path | str
    """Data directory, or the URL of a ClickHouse cluster; a list of both: what is written to the directory
    goes to the cluster as well. `data` is its older name."""
    listen: str = DEFAULT_ADDRESS
    """`HOST:PORT` or `unix:PATH`."""
    admin_listen: str | None = None
    """Where AdminService and reflection answer, instead of at `listen`."""
    metrics_listen: str | None = DEFAULT_METRICS_ADDRESS
    """`HOST:PORT` at which Prometheus reads metrics over HTTP; None: nowhere."""
    has_admin: bool = True
    """Whether AdminService answers."""
    has_reflection: bool = True
    """Whether reflection answers."""
    insecure_listen: bool = False
    """Whether other hosts may reach an address without TLS or credentials."""
    has_authentication: bool = True
    """Whether the credentials of the store count; without, everybody gets in."""
    token_config: Path | None = None
    """TOML file with the issuers whose JSON web tokens are accepted."""
    tls: TlsPaths = TlsPaths()
    create: bool = False
    """Make the data directory if it is missing or empty."""
    accepted_losses: tuple[str, ...] = ()
    """Files of the directory without whose records the server goes on."""
    stop_delay_seconds: float = 0.0
    """Seconds for which a server that was told to stop still answers, with its health at NOT_SERVING, so that
    load balancers send no further calls to it."""
    log: LogSettings = LogSettings()
    traces: bool = False
    """Whether calls are exported as OpenTelemetry traces; the variables OTEL_* say where to."""
    config: Config = field(default_factory=Config)
    follower: str | None = None
    """The second of two stores: the URL of a cluster."""
