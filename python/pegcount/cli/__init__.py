"""The command line."""

import typer

from pegcount.cli.deck import deck_app
from pegcount.cli.import_records import import_records
from pegcount.cli.report import report_app
from pegcount.cli.serve import serve
from pegcount.cli.store_info import store_info

app = typer.Typer(
    help="Telephone-traffic reports from call records, over gRPC.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("import")(import_records)
app.command("serve")(serve)
app.command("info")(store_info)
app.add_typer(report_app, name="report")
app.add_typer(deck_app, name="deck")
