"""The options `--server` and `--timeout` of the commands that call a server."""

from typing import Annotated

import typer

DEFAULT_TIMEOUT_SECONDS = 30.0

Server = Annotated[str, typer.Option(metavar="HOST:PORT", help="HOST:PORT of the server.")]
Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.001, help="Seconds to wait for an answer of the server.")
]
