"""Options of `pegcount serve`."""

from pathlib import Path
from typing import Annotated

import typer

from pegcount.config import Config

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
MetricsListen = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="HOST:PORT at which Prometheus reads metrics, or none.",
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
