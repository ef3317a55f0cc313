"""`pegcount retention`."""

from typing import Annotated

import typer

from pegcount.cli.failure import failures_as_sentences
from pegcount.client import DEFAULT_ADDRESS, Client
from pegcount.v1 import admin_pb2


def retention(
    days: Annotated[
        int | None, typer.Option(min=1, help="Keep the records of so many UTC days, today included.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--bytes", min=1, help="Keep so many bytes of segments, the newest days first."),
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Take away the limits not given here.")
    ] = False,
    server: Annotated[str, typer.Option(help="HOST:PORT of the server.")] = DEFAULT_ADDRESS,
) -> None:
    """Tell how long records are kept, or set it; older days go within seconds.

    A limit that is not given stays as it is.
    """
    with failures_as_sentences(), Client(server) as client:
        kept = client.admin.GetRetention(admin_pb2.GetRetentionRequest()).retention
        if keep_all:
            kept.Clear()
        if days is not None:
            kept.days = days
        if size is not None:
            kept.bytes = size
        if keep_all or days is not None or size is not None:
            client.admin.SetRetention(admin_pb2.SetRetentionRequest(retention=kept))
        for field, value in kept.ListFields():
            typer.echo(f"{field.name}: {value:,}")
        if not kept.ListFields():
            typer.echo("all records are kept")
