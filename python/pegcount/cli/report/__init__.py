"""`pegcount report`: options, request, answer, table, one output."""

import typer

from pegcount.cli.report.active import active
from pegcount.cli.report.busy_hour import busy_hour
from pegcount.cli.report.feeds import feeds
from pegcount.cli.report.folders import folders
from pegcount.cli.report.quality import quality
from pegcount.cli.report.traffic import traffic
from pegcount.cli.report.usage import usage

__all__ = ["feeds", "report_app"]

report_app = typer.Typer(help="Ask a server for a report.", no_args_is_help=True)
report_app.command()(usage)
report_app.command()(active)
report_app.command()(folders)
report_app.command()(quality)
report_app.command()(traffic)
report_app.command("busy-hour")(busy_hour)
