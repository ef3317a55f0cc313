"""`pegcount report folders`."""

from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.report.folders_table import folders_table
from pegcount.cli.report.human_times import Clock
from pegcount.cli.report.option_error import numbers_that_fit
from pegcount.cli.report.options import Arrow, Csv, Json, Parquet, Plot, TimeZone, Watch
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.run import run_report
from pegcount.cli.report.time_range import day_range
from pegcount.client import Client
from pegcount.v1.reports_pb2 import QueryFolderStatsRequest


@calls_server()
def folders(
    context: typer.Context,
    server: Connection,
    company: Annotated[str, typer.Argument(help="Company.")],
    organization: Annotated[str, typer.Argument(help="Organization of the company.")],
    folder: Annotated[str, typer.Option(help="Folder. Default: every folder.")] = "",
    from_time: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="First day: 2026-10-05, yesterday … Default: today."),
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last day, inclusive. Default: the first.")
    ] = None,
    last: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Instead of --from and --to: 7d or 4w, with today.")
    ] = None,
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    parquet: Parquet = None,
    arrow: Arrow = None,
    plot: Plot = False,
    watch: Watch = None,
) -> None:
    """Calls and their average duration per day, folder and agent."""

    def ask(client: Client, clock: Clock) -> ReportTable:
        first, end = day_range(context, clock)
        with numbers_that_fit():
            request = QueryFolderStatsRequest(
                company=company,
                organization=organization,
                folder=folder,
                from_date=first,
                to_date=end,
                time_zone=time_zone,
            )
        return folders_table(client.reports.QueryFolderStats(request), request)

    run_report(context, server, ask)
