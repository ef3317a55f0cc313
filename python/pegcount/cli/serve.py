"""`pegcount serve`."""

import logging
import resource
import signal
import threading
from collections.abc import Sequence
from types import FrameType

import typer

from pegcount.auth import Credentials
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
    NoAdmin,
    NoAuth,
    NoReflection,
    RequireClientCert,
    TlsCert,
    TlsKey,
    TokenConfigFile,
    require_consistent,
    tls_files,
    tokens,
)
from pegcount.client import DEFAULT_ADDRESS
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.server import Authentication, ListenOptions, RunningServer, now_us, require_safe
from pegcount.store import EmbeddedStore

_LOOK_SECONDS = 0.5
_LOG = logging.getLogger(__name__)


class ServerFailedError(PegcountError):
    """The server has ended by itself."""


def serve(
    data: Data,
    listen: Listen = DEFAULT_ADDRESS,
    admin_listen: AdminListen = None,
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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _raise_open_file_limit()
    stop = _stop_on_signals()
    with errors_as_exit_status():
        tls = tls_files(tls_cert, tls_key, client_ca, require_client_cert=require_client_cert)
        options = ListenOptions(tls, admin_listen, has_admin=not no_admin, has_reflection=not no_reflection)
        require_consistent(listen, options)
        config = Config(active_ttl_seconds=active_ttl)
        known_tokens = tokens(token_config, config, no_auth=no_auth)
        store = EmbeddedStore(data, config, create=create, accepted_losses=accept_loss_of or ())
        try:
            credentials = Credentials(config, store, now_us)
            authentication = Authentication(credentials, now_us, known_tokens, is_switched_off=no_auth)
            for address in () if insecure_listen else options.addresses(listen):
                require_safe(address, tls_is_on=tls is not None, auth_is_on=authentication.is_on)
            server = RunningServer(config, store, listen, now_us, options, authentication)
            _LOG.info(authentication.summary())
            _say_addresses(server.addresses)
            while not stop.wait(_LOOK_SECONDS):
                if not server.is_running():
                    raise ServerFailedError("the server has failed; its log says why")
            server.stop()
        finally:
            store.close()


def _stop_on_signals() -> threading.Event:
    """Returns an event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


def _say_addresses(addresses: Sequence[str]) -> None:
    for address, what in zip(addresses, ("", " for AdminService and reflection"), strict=False):
        typer.echo(f"listening on {address}{what}")


def _raise_open_file_limit() -> None:
    """Raises the soft limit of open files to the hard one: each connection and segment needs a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
