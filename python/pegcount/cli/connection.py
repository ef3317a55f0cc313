"""The options of all commands that call a server: its address, TLS, and what shows who calls.

A command has a parameter `server`, in whose place `calls_server` puts the options.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from pegcount_client import Tls
from pegcount_client.address import check_address, is_of_this_host

from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.option_sources import chosen, typed
from pegcount.cli.server_files import checked_key, checked_token, key_of_file, tls_of_files, token_of_file
from pegcount.client import DEFAULT_ADDRESS, Client, SentCredential
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.server import is_unix

DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_PANEL: Final = "Server"

_Command: TypeAlias = Callable[..., None]

_ServerAddress = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="HOST:PORT or unix:PATH.", rich_help_panel=_PANEL),
]
_Timeout = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0.001, help="Seconds to wait for an answer.", rich_help_panel=_PANEL),
]
_ApiKey = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="Key to send. Other users see the command line: prefer the variable or --api-key-file.",
        rich_help_panel=_PANEL,
    ),
]
_Token = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN",
        help="JSON web token to send, in place of a key: prefer the variable or --token-file.",
        rich_help_panel=_PANEL,
    ),
]
_ApiKeyFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File with the key, for its owner only.", rich_help_panel=_PANEL),
]
_TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File with the token, for its owner only; read before each call.",
        rich_help_panel=_PANEL,
    ),
]
_TlsFlag = Annotated[
    bool,
    typer.Option("--tls", help="Use TLS, and trust the authorities of this system.", rich_help_panel=_PANEL),
]
_Ca = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Use TLS, and trust the authorities in this PEM file.", rich_help_panel=_PANEL
    ),
]
_Cert = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Use TLS with this client certificate: a PEM file with its chain.",
        rich_help_panel=_PANEL,
    ),
]
_Key = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PEM file of the key of --cert.", rich_help_panel=_PANEL),
]

_CREDENTIALS: Final[Mapping[str, Any]] = {
    "api_key": _ApiKey,
    "api_key_file": _ApiKeyFile,
    "token": _Token,
    "token_file": _TokenFile,
}
_TLS: Final[Mapping[str, Any]] = {"tls": _TlsFlag, "ca": _Ca, "cert": _Cert, "key": _Key}
_SENT: Final[Mapping[str, Callable[[Any, str], SentCredential]]] = {
    "api_key": lambda key, origin: SentCredential(api_key=checked_key(key), origin=origin),
    "api_key_file": lambda path, origin: SentCredential(api_key=key_of_file(path), origin=origin),
    "token": lambda token, origin: SentCredential(token=checked_token(token), origin=origin),
    "token_file": lambda path, origin: SentCredential(token=token_of_file(path), origin=origin),
}
_STORE: Final = "store"
_SERVER: Final = "server"
_TIMEOUT: Final = "timeout"
ABOUT_A_SERVER: Final = (_SERVER, _TIMEOUT, *_CREDENTIALS, *_TLS)
"""The parameters that a command has in place of `server`."""


class ServerOptionError(PegcountError):
    """Options about a server contradict each other, or cannot reach one safely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a command calls its server."""

    address: str
    timeout_seconds: float | None = None
    """Seconds to wait for an answer; None: for ever."""
    tls: Tls | None = None
    credential: SentCredential | None = None

    def client(self, config: Config | None = None) -> Client:
        """Returns a client, to be used in a `with` block; raises CallError as `Client`."""
        return Client(
            self.address,
            config,
            timeout_seconds=self.timeout_seconds,
            tls=self.tls,
            credential=self.credential,
        )


def calls_server(
    *, default_address: str | None = DEFAULT_ADDRESS, has_timeout: bool = True
) -> Callable[[_Command], _Command]:
    """Gives a command the options about a server in place of its parameter `server`, which gets a Connection.

    That is None for a command with `--store` if no server is named: where a store is given, or without
    a default address. Options about a server that would have no effect are then refused.
    """

    def decorate(command: _Command) -> _Command:
        signature = inspect.signature(command, eval_str=True)

        @functools.wraps(command)
        def run(**values: Any) -> None:
            context: typer.Context = values["context"]
            with errors_as_exit_status():
                _require_one_target(context, values)
                values[_SERVER] = _connection(context, values, default_address)
            command(**{name: values[name] for name in signature.parameters})

        parameters = dict(_parameters(signature, default_address, has_timeout))
        vars(run)["__signature__"] = signature.replace(parameters=list(parameters.values()))
        return run

    return decorate


def _parameters(
    signature: inspect.Signature, default_address: str | None, has_timeout: bool
) -> Iterator[tuple[str, inspect.Parameter]]:
    """Yields the parameters by name; all of them by keyword, as those without a default may follow others."""
    yield "context", _parameter("context", typer.Context)
    for name, parameter in signature.parameters.items():
        if name != _SERVER:
            yield name, parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            continue
        shown_default = None if _STORE in signature.parameters else default_address
        yield _SERVER, _parameter(_SERVER, _ServerAddress, shown_default)
        if has_timeout:
            yield _TIMEOUT, _parameter(_TIMEOUT, _Timeout, DEFAULT_TIMEOUT_SECONDS)
        for option, kind in {**_CREDENTIALS, **_TLS}.items():
            yield option, _parameter(option, kind, False if option == "tls" else None)


def _parameter(name: str, annotation: Any, default: object = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _require_one_target(context: typer.Context, values: dict[str, Any]) -> None:
    """Of a store and a server, drops that of the environment where the other is on the command line."""
    targets = [name for name in (_STORE, _SERVER) if values.get(name) is not None]
    if len(targets) < 2:
        return
    on_command_line = typed(context, targets)
    if len(on_command_line) != 1:
        raise ServerOptionError("give one of --store DIR|URL and --server HOST:PORT")
    values.update({name: None for name in targets if name not in on_command_line})


def _connection(
    context: typer.Context, values: Mapping[str, Any], default_address: str | None
) -> Connection | None:
    address: str | None = values[_SERVER]
    if address is None and values.get(_STORE) is None:
        address = default_address
    if address is None:
        _refuse(context, "which only a server uses: leave it out, or give --server", *ABOUT_A_SERVER)
        return None
    try:
        check_address(address)
    except ValueError as error:
        raise ServerOptionError(str(error).replace("with tls=True", "with --tls")) from error
    credential = _credential(context, values)
    tls = _tls(context, values, address)
    if credential is not None and tls is None and not is_of_this_host(address):
        raise ServerOptionError(
            f"the credential of {credential.origin} would cross the network to {address!r} readable by"
            " others: give --ca FILE, or --tls if this system trusts the authority of the server"
        )
    return Connection(
        address=address,
        timeout_seconds=values.get(_TIMEOUT),
        tls=tls,
        credential=credential,
    )


def _credential(context: typer.Context, values: Mapping[str, Any]) -> SentCredential | None:
    name = chosen(context, {name: _option(name) for name in _CREDENTIALS})
    if name is None:
        return None
    origin = _option(name) if typed(context, [name]) else f"PEGCOUNT_{name.upper()}"
    try:
        return _SENT[name](values[name], origin)
    except ValueError as error:
        raise ServerOptionError(f"{origin}: {error}") from error


def _tls(context: typer.Context, values: Mapping[str, Any], address: str) -> Tls | None:
    if is_unix(address):
        _refuse(context, "and a Unix socket has no TLS: leave it out", *_TLS)
        return None
    if not any(values[name] for name in _TLS):
        return None
    if (values["cert"] is None) != (values["key"] is None):
        one, other = ("--cert", "--key") if values["key"] is None else ("--key", "--cert")
        raise ServerOptionError(f"{one} needs {other}, too")
    return tls_of_files(values["ca"], values["cert"], values["key"])


def _refuse(context: typer.Context, why: str, *names: str) -> None:
    """Raises ServerOptionError for an option that has no effect; variables are for many commands."""
    useless = typed(context, [name for name in names if name in context.params])
    if useless:
        raise ServerOptionError(f"{_option(useless[0])} is given, {why}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
