"""`pegcount retention`."""

from typing import Annotated

import typer

from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.client import DEFAULT_ADDRESS, Client
from pegcount.v1 import admin_pb2


def retention(
    days: Annotated[
        int | None, typer.Option(min=1, help="Retain the records of the last DAYS UTC days, today included.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--bytes", min=1, help="Retain the newest days whose segments fit into BYTES bytes."),
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Remove the limits that this command does not set.")
    ] = False,
    server: Annotated[str, typer.Option(help="HOST:PORT of the server.")] = DEFAULT_ADDRESS,
) -> None:
    """Show the limits of retention, or set them; days outside them are dropped within seconds.

    A limit that is not given stays unchanged.
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
