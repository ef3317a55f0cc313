"""`pegcount retention`."""

from typing import Annotated

import typer

from pegcount.cli.exit_status import errors_as_exit_status
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
    with errors_as_exit_status(), Client(server) as client:
        limits = client.admin.GetRetention(admin_pb2.GetRetentionRequest()).retention
        if keep_all:
            limits.Clear()
        if days is not None:
            limits.days = days
        if size is not None:
            limits.bytes = size
        if keep_all or days is not None or size is not None:
            client.admin.SetRetention(admin_pb2.SetRetentionRequest(retention=limits))
        for field, value in limits.ListFields():
            typer.echo(f"{field.name}: {value:,}")
        if not limits.ListFields():
            typer.echo("all records are kept")
