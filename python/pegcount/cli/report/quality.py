"""`pegcount report quality`."""

from typing import Annotated, TypeAlias

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.report.held_range import with_held_range
from pegcount.cli.report.human_times import Clock
from pegcount.cli.report.option_error import numbers_that_fit
from pegcount.cli.report.options import (
    Absent,
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
from pegcount.cli.report.quality_request import quality_request
from pegcount.cli.report.quality_table import quality_table
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.run import run_report
from pegcount.cli.report.time_range import time_range
from pegcount.client import Client

Number: TypeAlias = Annotated[str | None, typer.Option(metavar="DIGITS", help="Number as used for routing.")]
NoNumber: TypeAlias = Annotated[bool, typer.Option(help="Calls without this number.")]
Seconds: TypeAlias = Annotated[int | None, typer.Option(metavar="SECONDS", help="Whole seconds of a call.")]
Price: TypeAlias = Annotated[str | None, typer.Option(metavar="PRICE", help="Price for the customer.")]
Country: TypeAlias = Annotated[int | None, typer.Option(metavar="ID", help="Id of a country.")]


@calls_server()
def quality(
    context: typer.Context,
    server: Connection,
    account: Annotated[
        list[str] | None, typer.Option(metavar="ACCOUNT", help="Calls of an account; repeatable.")
    ] = None,
    all_accounts: Annotated[bool, typer.Option("--all-accounts", help="Calls of all accounts.")] = False,
    from_time: FromTime = None,
    to_time: ToTime = None,
    last: Last = None,
    sampling: Annotated[str, typer.Option(help="Width of the bins, MINUTE to MONTH.")] = "HOUR",
    absent: Absent = None,
    src_country_id: Country = None,
    dst_country_id: Country = None,
    src_prefix_is: Number = None,
    src_prefix_starts_with: Number = None,
    src_prefix_ends_with: Number = None,
    src_prefix_contains: Number = None,
    src_prefix_absent: NoNumber = False,
    dst_prefix_is: Number = None,
    dst_prefix_starts_with: Number = None,
    dst_prefix_ends_with: Number = None,
    dst_prefix_contains: Number = None,
    dst_prefix_absent: NoNumber = False,
    duration_eq: Seconds = None,
    duration_gt: Seconds = None,
    duration_lt: Seconds = None,
    auth_orig_ip: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address or CIDR block of the origin.")
    ] = None,
    price_eq: Price = None,
    price_gt: Price = None,
    price_lt: Price = None,
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    parquet: Parquet = None,
    arrow: Arrow = None,
    plot: Plot = False,
    watch: Watch = None,
) -> None:
    """Calls, ASR, ACD and CPS of an account, several or all, per calendar bin."""

    def ask(client: Client, clock: Clock) -> ReportTable:
        start, end = time_range(context, clock)
        with numbers_that_fit():
            request = quality_request(context, start, end)
        answer = client.reports.QueryOriginationQuality(request)
        return with_held_range(quality_table(answer, request), answer.totals.total_calls, client)

    run_report(context, server, ask)
