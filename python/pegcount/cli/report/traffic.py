"""`pegcount report traffic`."""

from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
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
from pegcount.cli.report.traffic_request import traffic_request
from pegcount.cli.report.traffic_table import traffic_table
from pegcount.client import Client


@calls_server()
def traffic(
    context: typer.Context,
    server: Connection,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC", help="A figure: calls, asr, pdd_percentile=95, peak=seized …; repeatable."
        ),
    ] = None,
    by: By = None,
    where: Where = None,
    where_not: WhereNot = None,
    from_time: FromTime = None,
    to_time: ToTime = None,
    last: Last = None,
    granularity: Annotated[
        str | None, typer.Option(help="Width of the bins, MINUTE to MONTH. Default: one bin.")
    ] = None,
    attempts: Attempts = None,
    kind: Kind = "CALL",
    occupancy: Occupancy = None,
    compare: Annotated[
        str | None,
        typer.Option(help="With PREVIOUS_RANGE, DAY, WEEK, MONTH or YEAR: the same range before."),
    ] = None,
    open_hours: Annotated[
        str | None,
        typer.Option(metavar="HOURS", help='Local hours that count, such as "mon-fri 08:00-18:00".'),
    ] = None,
    closed: Annotated[
        list[str] | None,
        typer.Option(metavar="DATE", help="A date that does not count, 2026-12-25; repeatable."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", help="The first N groups by the first metric.")
    ] = None,
    rank_by: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Rank by another one of the metrics.")
    ] = None,
    ascending: Annotated[bool, typer.Option("--ascending", help="The least values first.")] = False,
    other: Annotated[bool, typer.Option("--other", help="All other groups as one more.")] = False,
    code_deck: CodeDeck = None,
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    parquet: Parquet = None,
    arrow: Arrow = None,
    plot: Plot = False,
    watch: Watch = None,
) -> None:
    """Any figures of calls, by any dimensions, over time."""

    def ask(client: Client, clock: Clock) -> ReportTable:
        start, end = time_range(context, clock)
        with numbers_that_fit():
            request = traffic_request(context, start, end)
        return traffic_table(client.traffic_questions.QueryTraffic(request), request)

    run_report(context, server, ask)
