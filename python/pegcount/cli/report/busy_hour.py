"""`pegcount report busy-hour`."""

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.report.busy_hour_table import busy_hour_table
from pegcount.cli.report.human_times import Clock
from pegcount.cli.report.option_error import numbers_that_fit
from pegcount.cli.report.options import (
    Arrow,
    Csv,
    FromTime,
    Json,
    Last,
    Parquet,
    Plot,
    TimeZone,
    ToTime,
    Watch,
)
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.run import run_report
from pegcount.cli.report.time_range import time_range
from pegcount.cli.report.traffic_options import Attempts, By, CodeDeck, Kind, Occupancy, Where, WhereNot
from pegcount.cli.report.traffic_request import busy_hour_request
from pegcount.client import Client


@calls_server()
def busy_hour(
    context: typer.Context,
    server: Connection,
    by: By = None,
    where: Where = None,
    where_not: WhereNot = None,
    from_time: FromTime = None,
    to_time: ToTime = None,
    last: Last = None,
    occupancy: Occupancy = None,
    attempts: Attempts = None,
    kind: Kind = "CALL",
    code_deck: CodeDeck = None,
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    parquet: Parquet = None,
    arrow: Arrow = None,
    plot: Plot = False,
    watch: Watch = None,
) -> None:
    """Busy hour in erlangs: that with the greatest mean over the days, and the mean of the daily peaks."""

    def ask(client: Client, clock: Clock) -> ReportTable:
        start, end = time_range(context, clock)
        with numbers_that_fit():
            request = busy_hour_request(context, start, end)
        return busy_hour_table(client.traffic_questions.QueryTraffic(request), request)

    run_report(context, server, ask)
