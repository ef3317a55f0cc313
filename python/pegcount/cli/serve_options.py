"""Options of `pegcount serve` that belong together."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.auth import Tokens, read_token_config
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.server import ListenOptions, TlsFiles, is_unix

DEFAULT_ACTIVE_TTL = Config().active_ttl_seconds
_ADDRESSES, _CALLERS, _TLS = "Addresses", "Callers", "TLS"

Data = Annotated[Path, typer.Option(help="Data directory.")]
Create = Annotated[bool, typer.Option("--create", help="Make the data directory if it is missing or empty.")]
AcceptLossOf = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Go on without the records of this file of the directory, as an error named it; repeatable.",
    ),
]
ActiveTtl = Annotated[
    int, typer.Option(min=1, help="Seconds without an event after which an active session is abandoned.")
]
Listen = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="HOST:PORT, where port 0 takes any free port, or unix:PATH.",
        rich_help_panel=_ADDRESSES,
    ),
]
AdminListen = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Where AdminService and reflection answer, instead of at --listen.",
        rich_help_panel=_ADDRESSES,
    ),
]
NoAdmin = Annotated[
    bool, typer.Option("--no-admin", help="Offer no AdminService.", rich_help_panel=_ADDRESSES)
]
NoReflection = Annotated[
    bool, typer.Option("--no-reflection", help="Offer no reflection.", rich_help_panel=_ADDRESSES)
]
InsecureListen = Annotated[
    bool,
    typer.Option(
        "--insecure-listen",
        help="Listen without TLS or credentials where other hosts reach the server.",
        rich_help_panel=_ADDRESSES,
    ),
]
NoAuth = Annotated[
    bool,
    typer.Option(
        "--no-auth",
        help="Let everybody in, although the directory has credentials.",
        rich_help_panel=_CALLERS,
    ),
]
TokenConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--token-config",
        metavar="FILE",
        help="Accept JSON web tokens of the issuers that this TOML file names.",
        rich_help_panel=_CALLERS,
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="PEM file of the certificate, followed by its intermediate authorities. Changed files of TLS are"
        " read within a second.",
        rich_help_panel=_TLS,
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="PEM file of the certificate's key.", rich_help_panel=_TLS),
]
ClientCa = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="PEM file of the authorities that sign client certificates.",
        rich_help_panel=_TLS,
    ),
]
RequireClientCert = Annotated[
    bool,
    typer.Option(
        "--require-client-cert",
        help="Refuse clients without a certificate of --client-ca.",
        rich_help_panel=_TLS,
    ),
]


class ServeOptionError(PegcountError):
    """Options that do not go together."""


def tls_files(
    certificate: Path | None, key: Path | None, client_authorities: Path | None, *, require_client_cert: bool
) -> TlsFiles | None:
    """Returns the files of TLS, None for plain text; raises ServeOptionError if an option is missing."""
    if certificate is None and key is None:
        if client_authorities is not None or require_client_cert:
            raise ServeOptionError(
                "--client-ca and --require-client-cert need TLS: give --tls-cert and --tls-key, too"
            )
        return None
    if certificate is None or key is None:
        given, missing = ("--tls-key", "--tls-cert") if certificate is None else ("--tls-cert", "--tls-key")
        raise ServeOptionError(f"{given} needs {missing}, too")
    if client_authorities is not None and not require_client_cert:
        raise ServeOptionError(
            "--client-ca needs --require-client-cert, too: gRPC for Python asks clients for a certificate"
            " only if each of them must have one"
        )
    if require_client_cert and client_authorities is None:
        raise ServeOptionError(
            "--require-client-cert needs --client-ca, which says whose certificates to accept"
        )
    return TlsFiles(certificate, key, client_authorities)


def tokens(path: Path | None, config: Config, *, no_auth: bool) -> Tokens | None:
    """Returns the tokens of a configuration, None without one.

    Raises TokenFileError, and ServeOptionError if nothing would ask for tokens.
    """
    if path is None:
        return None
    if no_auth:
        raise ServeOptionError("--no-auth lets everybody in, whatever --token-config says: leave one out")
    return Tokens(read_token_config(path, config), config)


def require_consistent(listen: str, options: ListenOptions) -> None:
    """Raises ServeOptionError if an option would have no effect."""
    if options.tls is not None and all(map(is_unix, options.addresses(listen))):
        raise ServeOptionError("a Unix socket has no TLS: leave out --tls-cert, or listen on HOST:PORT")
    if options.admin_address is not None and not (options.has_admin or options.has_reflection):
        raise ServeOptionError(
            "--admin-listen offers nothing with --no-admin and --no-reflection: leave one of the three out"
        )
