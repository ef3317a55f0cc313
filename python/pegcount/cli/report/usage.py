"""`pegcount report usage`."""

from typing import Annotated

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.report import names
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
from pegcount.cli.report.report_table import Notice, ReportTable
from pegcount.cli.report.run import run_report
from pegcount.cli.report.time_range import time_range
from pegcount.cli.report.usage_table import usage_table
from pegcount.client import Client
from pegcount.v1.reports_pb2 import QueryAsrUsageRequest, QueryAsrUsageResponse

_IDS = ("app_id", "comp_id", "tenant_id")


@calls_server()
def usage(
    context: typer.Context,
    server: Connection,
    from_time: FromTime = None,
    to_time: ToTime = None,
    last: Last = None,
    granularity: Annotated[str, typer.Option(help="Width of the bins, MINUTE to MONTH.")] = "DAY",
    kind: Annotated[str, typer.Option(help="CALL, ASR or TTS.")] = "CALL",
    sma_period: Annotated[int | None, typer.Option(help="Days of the moving average, with DAY.")] = None,
    app_id: Annotated[list[int] | None, typer.Option(help="DBID of an IVR profile; repeatable.")] = None,
    comp_id: Annotated[list[int] | None, typer.Option(help="DBID of a component; repeatable.")] = None,
    tenant_id: Annotated[list[int] | None, typer.Option(help="DBID of a tenant; repeatable.")] = None,
    absent: Absent = None,
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    parquet: Parquet = None,
    arrow: Arrow = None,
    plot: Plot = False,
    watch: Watch = None,
) -> None:
    """Sessions per calendar bin."""

    def ask(client: Client, clock: Clock) -> ReportTable:
        start, end = time_range(context, clock)
        with numbers_that_fit():
            request = QueryAsrUsageRequest(
                from_time=start,
                to_time=end,
                granularity=names.granularity("--granularity", granularity),
                kind=names.kind("--kind", kind),
                sma_period=sma_period,
                app_ids=app_id or (),
                comp_ids=comp_id or (),
                tenant_ids=tenant_id or (),
                absent=[names.known_name("--absent", name, _IDS) for name in absent or ()],
                time_zone=time_zone,
            )
        answer = client.reports.QueryAsrUsage(request)
        table = usage_table(answer, request, _other_kinds(client, request, answer))
        return with_held_range(table, answer.totals.session_count, client)

    run_report(context, server, ask)


def _other_kinds(
    client: Client, request: QueryAsrUsageRequest, answer: QueryAsrUsageResponse
) -> list[Notice]:
    """Returns a notice about the kinds of session that an answer without any could have counted."""
    if answer.totals.session_count or not answer.bins:
        return []
    asked = names.KINDS[request.kind - 1]
    counts = {name: _session_count(client, request, name) for name in names.KINDS if name != asked}
    held = {name: count for name, count in counts.items() if count}
    if not held:
        return []
    told = " and ".join(f"{count:,} {name} (--kind {name})" for name, count in held.items())
    return [
        Notice(
            "OTHER_KINDS",
            f"no {asked} sessions, but {told}",
            {name: str(count) for name, count in held.items()},
        )
    ]


def _session_count(client: Client, request: QueryAsrUsageRequest, kind: str) -> int:
    """Returns the sessions of another kind that satisfy the rest of a request."""
    other = QueryAsrUsageRequest()
    other.CopyFrom(request)
    other.MergeFrom(QueryAsrUsageRequest(kind=names.kind("--kind", kind)))
    answer: QueryAsrUsageResponse = client.reports.QueryAsrUsage(other)
    return answer.totals.session_count
