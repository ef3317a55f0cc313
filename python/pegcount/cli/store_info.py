"""`pegcount info`."""

import typer
from google.protobuf.message import Message

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.delete import described
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.v1 import admin_pb2


@calls_server()
def store_info(
    server: Connection,
) -> None:
    """Show the number of records, segments and bytes of a server's store."""
    with errors_as_exit_status(), server.client() as client:
        info = client.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest())
        _show(info)
        _show(info.follower, "follower ")
        for rule in info.deletions:
            typer.echo(f"deletion: rule {rule.rule_id}: {described(rule)}")


def _show(message: Message, before: str = "") -> None:
    """Prints those fields of a message that have one value."""
    for field, value in message.ListFields():
        if field.message_type is None:
            shown = f"{value:,}" if isinstance(value, int) else value
            typer.echo(f"{before}{field.name}: {shown}")
