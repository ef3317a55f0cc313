"""`pegcount retention`."""

from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.client import Client
from pegcount.v1 import admin_pb2


@calls_server()
def retention(
    server: Connection,
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
    accept_clock: Annotated[
        bool,
        typer.Option("--accept-clock", help="Believe the clock of the server, which jumped; check it first."),
    ] = False,
) -> None:
    """Show the limits of retention, or set them; days outside them are dropped within seconds.

    A limit that is not given stays unchanged.
    """
    with errors_as_exit_status(), server.client() as client:
        limits = _current(client).retention
        if keep_all:
            limits.Clear()
        if days is not None:
            limits.days = days
        if size is not None:
            limits.bytes = size
        limits_if_set = limits if keep_all or days is not None or size is not None else None
        if limits_if_set is not None or accept_clock:
            client.admin.SetRetention(
                admin_pb2.SetRetentionRequest(retention=limits_if_set, accept_clock=accept_clock)
            )
        if accept_clock:
            typer.echo("the server believes its clock: days are dropped and records are accepted by it")
        _show(_current(client))


def _current(client: Client) -> admin_pb2.GetRetentionResponse:
    current: admin_pb2.GetRetentionResponse = client.admin.GetRetention(admin_pb2.GetRetentionRequest())
    return current


def _show(current: admin_pb2.GetRetentionResponse) -> None:
    for field, value in current.retention.ListFields():
        typer.echo(f"{field.name}: {value:,}")
    if not current.retention.ListFields():
        typer.echo("all records are kept")
    if current.HasField("refused_clock"):
        _show_refused(current.refused_clock)


def _show_refused(refused: admin_pb2.RefusedClock) -> None:
    hours = abs(refused.deviation_seconds) / 3_600
    side = "ahead of" if refused.deviation_seconds > 0 else "behind"
    typer.echo(
        f"stalled since {refused.since_time}: the clock of the server is {hours:,.1f} hours {side} the "
        f"trusted time, and {refused.waiting_days:,} days wait to be dropped; check the clock, and if it is "
        "right, run `pegcount retention --accept-clock`"
    )
