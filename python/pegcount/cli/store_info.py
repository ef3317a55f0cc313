"""`pegcount info`."""

import typer

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
        for field, value in info.ListFields():
            if field.name == "deletions":
                continue
            typer.echo(f"{field.name}: {value:,}" if isinstance(value, int) else f"{field.name}: {value}")
        for rule in info.deletions:
            typer.echo(f"deletion: rule {rule.rule_id}: {described(rule)}")
