"""`pegcount feeds`."""

from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.report.feeds_table import feeds_table
from pegcount.cli.report.human_times import Clock
from pegcount.cli.report.options import Arrow, Csv, Json, Parquet, TimeZone, Watch
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.run import run_report
from pegcount.client import Client
from pegcount.v1 import feed_health_pb2


@calls_server()
def feeds(
    context: typer.Context,
    server: Connection,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A source; empty: records without one; repeatable. Default: all."),
    ] = None,
    rejected_days: Annotated[
        int | None, typer.Option(metavar="DAYS", help="UTC days of rejected records, 1 to 31. Default: 7.")
    ] = None,
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    parquet: Parquet = None,
    arrow: Arrow = None,
    watch: Watch = None,
) -> None:
    """Show how well each source feeds the server: silent, without failed calls, causes or prices …"""

    def ask(client: Client, _: Clock) -> ReportTable:
        request = feed_health_pb2.QueryFeedHealthRequest(
            sources=source or (), time_zone=time_zone, rejected_days=rejected_days
        )
        return feeds_table(client.traffic_questions.QueryFeedHealth(request))

    run_report(context, server, ask)
