"""`pegcount watch`: figures of calls over the last bins, as the server keeps them up to date."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Final

import typer
from pegcount_client.alerts import TrafficAlert
from pegcount_client.traffic_watch import WatchState

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.report.alert_option import alert_rule
from pegcount.cli.report.figures import printable
from pegcount.cli.report.option_error import ReportOptionError, numbers_that_fit
from pegcount.cli.report.options import Json, ReportOptions
from pegcount.cli.report.output import writer
from pegcount.cli.report.query_options import set_query, takes_query
from pegcount.cli.report.report_table import FiringAlert, Kind, Measured, Remark, ReportTable
from pegcount.cli.report.traffic_request import traffic_request
from pegcount.cli.report.traffic_table import time_text, traffic_table
from pegcount.cli.report.watch import read_interval
from pegcount.config import Config
from pegcount.v1.traffic_pb2 import QueryTrafficResponse, WatchTrafficRequest
from pegcount.zone import US_PER_SECOND

_MS_PER_SECOND: Final = 1_000


@calls_server(has_timeout=False)
@takes_query
def watch(
    context: typer.Context,
    server: Connection,
    query: dict[str, Any],
    last: Annotated[int, typer.Option(metavar="BINS", help="Bins, the present one included.")] = 15,
    interval: Annotated[str, typer.Option(metavar="TIME", help="Between updates, 1s to 1m.")] = "5s",
    alert: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help='"asr < 40 for 3 if calls >= 50", "peak > 90"; repeatable.'),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show figures of calls as they change, and what alerts, until Ctrl-C.

    With --by, a row has a group over all bins; otherwise, a bin.
    """
    with errors_as_exit_status():
        set_query(context, query)
        request = _request(context, last, read_interval(interval, "--interval"), alert or ())
        options = ReportOptions(query["time_zone"], "as_json" if as_json else None, None, watch_seconds=1)
        write = writer(options)
        try:
            with (
                server.client() as client,
                client.failures_for_people(),
                client.traffic_watch(request, Config()) as states,
            ):
                for state in states:
                    write(_table(state, request, alert or ()))
        except KeyboardInterrupt:
            sys.stdout.flush()


def _request(context: typer.Context, last: int, seconds: float, alerts: Sequence[str]) -> WatchTrafficRequest:
    if context.params["granularity"] is None:
        raise ReportOptionError("watch needs --granularity, such as --granularity minute")
    with numbers_that_fit():
        asked = traffic_request(context, "", None)
        asked.ClearField("from_time")
        return WatchTrafficRequest(
            query=asked,
            last_bins=last,
            interval_ms=round(seconds * _MS_PER_SECOND),
            rules=[alert_rule(text, asked.metrics, context.params["occupancy"]) for text in alerts],
        )


def _table(state: WatchState, request: WatchTrafficRequest, alerts: Sequence[str]) -> ReportTable:
    answer = state.response
    table = traffic_table(_by_group(answer) if request.query.group_by else answer, request.query)
    firing = tuple(_firing(each, alerts, answer.range.time_zone) for each in state.firing)
    as_of = (f"as of {state.as_of_text}",)
    remarks = (*table.remarks, as_of, *map(_sentence, firing))
    return replace(table, remarks=remarks, alerts=firing)


def _by_group(answer: QueryTrafficResponse) -> QueryTrafficResponse:
    """Returns an answer whose one bin is the whole range."""
    whole = QueryTrafficResponse()
    whole.CopyFrom(answer)
    whole.range.ClearField("granularity")
    del whole.t[1:], whole.columns[:]
    whole.columns.extend(answer.group_totals)
    return whole


def _firing(alert: TrafficAlert, alerts: Sequence[str], time_zone: str) -> FiringAlert:
    start, value = alert.start_time, alert.value
    return FiringAlert(
        rule=alerts[alert.rule],
        keys=alert.keys,
        other=alert.other,
        start_time=None if start is None else time_text(int(start.timestamp()) * US_PER_SECOND, time_zone),
        value=str(value) if isinstance(value, Decimal) else value,
        denominator=alert.denominator,
    )


def _sentence(alert: FiringAlert) -> Remark:
    keys = ", ".join(f"{name} {'none' if value is None else value}" for name, value in alert.keys.items())
    group = "all other groups" if alert.other else keys or "all calls"
    value = "no value" if alert.value is None else f"{float(alert.value):g}"
    calls = "" if alert.denominator is None else f" of {alert.denominator:,} calls"
    sentence = printable(f"ALERT {alert.rule}: {group}: {value}{calls}")
    if alert.start_time is None:
        return (sentence,)
    return f"{sentence}, bin", Measured(alert.start_time, Kind.TIME)
