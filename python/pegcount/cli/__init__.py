"""The command line: one module per command of `pegcount`."""

import os
import signal
import sys

import typer

# gRPC reads it when it is imported. Its own log has a line per refused connection, and one when the server
# stops listening.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# Until a server has its handler of SIGHUP, the signal would end it, and the imports take a while. The file of
# settings is read after the handler is there, so nothing is missed.
if sys.argv[1:2] == ["serve"]:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

from pegcount.cli.audit import audit
from pegcount.cli.backup import backup
from pegcount.cli.check import check
from pegcount.cli.clickhouse import clickhouse_app
from pegcount.cli.compare import compare
from pegcount.cli.config import config_app
from pegcount.cli.deck import deck_app
from pegcount.cli.delete import delete
from pegcount.cli.entry import run
from pegcount.cli.erase import erase
from pegcount.cli.erlang import erlang
from pegcount.cli.export_records import export
from pegcount.cli.import_records import import_records
from pegcount.cli.key import key_app
from pegcount.cli.mapping import mapping_app
from pegcount.cli.masking import masking
from pegcount.cli.report import feeds, report_app
from pegcount.cli.retention import retention
from pegcount.cli.serve import serve
from pegcount.cli.store_info import store_info
from pegcount.cli.version import Version
from pegcount.cli.watch import watch

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("import")(import_records)
app.command("serve")(serve)
app.command("info")(store_info)
app.command("backup")(backup)
app.command("check")(check)
app.command("export")(export)
app.command("compare")(compare)
app.command("feeds")(feeds)
app.command("retention")(retention)
app.command("delete")(delete)
app.command("erase")(erase)
app.command("masking")(masking)
app.command("audit")(audit)
app.command("watch")(watch)
app.command("erlang")(erlang)
app.add_typer(report_app, name="report")
app.add_typer(deck_app, name="deck")
app.add_typer(key_app, name="key")
app.add_typer(mapping_app, name="mapping")
app.add_typer(config_app, name="config")
app.add_typer(clickhouse_app, name="clickhouse")


@app.callback()
def pegcount(version: Version = False) -> None:
    """Telephone-traffic reports from call records, over gRPC.

    An environment variable can give each option: PEGCOUNT_ and its name, such as PEGCOUNT_TIME_ZONE.
    """


def main() -> None:
    """Runs the command of this process."""
    run(app)
