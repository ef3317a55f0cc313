"""`pegcount serve`."""

import resource
import signal
from types import FrameType

import typer

from pegcount import process
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.serve_options import (
    DEFAULT_ACTIVE_TTL,
    AcceptLossOf,
    ActiveTtl,
    AdminListen,
    ClientCa,
    Create,
    Data,
    InsecureListen,
    Listen,
    MetricsListen,
    NoAdmin,
    NoAuth,
    NoReflection,
    RequireClientCert,
    TlsCert,
    TlsKey,
    TokenConfigFile,
)
from pegcount.client import DEFAULT_ADDRESS
from pegcount.config import Config
from pegcount.logs import occupy_standard_files
from pegcount.settings import DEFAULT_METRICS_ADDRESS, ServeSettings, TlsPaths

_NONE = "none"


def serve(
    data: Data,
    listen: Listen = DEFAULT_ADDRESS,
    admin_listen: AdminListen = None,
    metrics_listen: MetricsListen = DEFAULT_METRICS_ADDRESS,
    no_admin: NoAdmin = False,
    no_reflection: NoReflection = False,
    insecure_listen: InsecureListen = False,
    no_auth: NoAuth = False,
    token_config: TokenConfigFile = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    client_ca: ClientCa = None,
    require_client_cert: RequireClientCert = False,
    create: Create = False,
    accept_loss_of: AcceptLossOf = None,
    active_ttl: ActiveTtl = DEFAULT_ACTIVE_TTL,
) -> None:
    """Answer reports over gRPC until SIGTERM or SIGINT."""
    occupy_standard_files()
    _raise_open_file_limit()
    stop = _stop_on_signals()
    settings = ServeSettings(
        data=data,
        listen=listen,
        admin_listen=admin_listen,
        metrics_listen=None if metrics_listen == _NONE else metrics_listen,
        has_admin=not no_admin,
        has_reflection=not no_reflection,
        insecure_listen=insecure_listen,
        has_authentication=not no_auth,
        token_config=token_config,
        tls=TlsPaths(tls_cert, tls_key, client_ca, require_client_cert),
        create=create,
        accepted_losses=tuple(accept_loss_of or ()),
        config=Config(active_ttl_seconds=active_ttl),
    )
    with errors_as_exit_status():
        process.serve(settings, stop, typer.echo)


def _stop_on_signals() -> process.StopRequest:
    """Returns an event that SIGTERM and SIGINT set."""
    stop = process.StopRequest()

    def end(number: int, _: FrameType | None) -> None:
        stop.reason = signal.Signals(number).name
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


def _raise_open_file_limit() -> None:
    """Raises the soft limit of open files to the hard one: each connection and segment needs a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
