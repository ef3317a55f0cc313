"""`pegcount serve`."""

import logging
import resource
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from pegcount.auth import Credentials, Tokens, read_token_config
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.client import DEFAULT_ADDRESS
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.server import Authentication, RunningServer, now_us, require_loopback
from pegcount.store import EmbeddedStore

_LOOK_SECONDS = 0.5
_LOG = logging.getLogger(__name__)


class ServeOptionError(PegcountError):
    """Options of `pegcount serve` contradict each other."""


class ServerFailedError(PegcountError):
    """The server has ended by itself."""


def serve(
    data: Annotated[Path, typer.Option(help="Data directory.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes any free port.")] = DEFAULT_ADDRESS,
    insecure_listen: Annotated[
        bool, typer.Option("--insecure-listen", help="Listen where other hosts may reach the server.")
    ] = False,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Let everybody in, although the directory has credentials.")
    ] = False,
    token_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Accept JSON web tokens of the issuers that this TOML file names."),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the data directory if it is missing or empty.")
    ] = False,
    accept_loss_of: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Go on without the records of this file of the directory, as an error named it; repeatable.",
        ),
    ] = None,
    active_ttl: Annotated[
        int, typer.Option(min=1, help="Seconds without an event after which an active session is abandoned.")
    ] = Config().active_ttl_seconds,
) -> None:
    """Answer reports over gRPC until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _raise_open_file_limit()
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with errors_as_exit_status():
        if not insecure_listen:
            require_loopback(listen)
        config = Config(active_ttl_seconds=active_ttl)
        tokens = None if token_config is None else _tokens(token_config, config, no_auth=no_auth)
        store = EmbeddedStore(data, config, create=create, accepted_losses=accept_loss_of or ())
        try:
            authentication = Authentication(
                Credentials(config, store, now_us), now_us, tokens, is_switched_off=no_auth
            )
            _LOG.info(authentication.summary())
            server = RunningServer(config, store, listen, now_us, authentication)
            typer.echo(f"listening on {listen.rpartition(':')[0]}:{server.port}")
            while not stop.wait(_LOOK_SECONDS):
                if not server.is_running():
                    raise ServerFailedError("the server has failed; its log says why")
            server.stop()
        finally:
            store.close()


def _tokens(path: Path, config: Config, *, no_auth: bool) -> Tokens:
    """Raises TokenFileError, and ServeOptionError if nothing would ask for tokens."""
    if no_auth:
        raise ServeOptionError("--no-auth lets everybody in, whatever --token-config says: leave one out")
    return Tokens(read_token_config(path), config)


def _raise_open_file_limit() -> None:
    """Raises the soft limit of open files to the hard one: each connection and segment needs a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
