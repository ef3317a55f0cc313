"""`pegcount report`: the four reports as tables."""

import sys
from typing import Annotated, Any

import typer
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from pegcount import calendar, core
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.client import DEFAULT_ADDRESS, Client
from pegcount.errors import PegcountError, quoted
from pegcount.suggestion import nearest, suggestion
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionKind
from pegcount.v1.reports_pb2 import Granularity
from pegcount.zone import US_PER_SECOND, Zone

report_app = typer.Typer(help="Ask a server for a report.", no_args_is_help=True)

_PIPE_WIDTH = 1_000
_PREFIXES = {Granularity: "GRANULARITY_", SessionKind: "SESSION_KIND_"}

Server = Annotated[str, typer.Option(help="HOST:PORT of the server.")]
TimeZone = Annotated[str, typer.Option(help="IANA time zone of the report.")]
FromTime = Annotated[str, typer.Option("--from", help="Start, inclusive: YYYY-MM-DD[THH:mm:ss].")]
ToTime = Annotated[str | None, typer.Option("--to", help="End, exclusive. Default: now.")]


class ReportOptionError(PegcountError):
    """An option of `pegcount report` has a value that is not one of its names."""


@report_app.command()
def usage(
    from_time: FromTime,
    to_time: ToTime = None,
    granularity: Annotated[str, typer.Option(help="MINUTE to MONTH.")] = "DAY",
    sma_period: Annotated[int | None, typer.Option(help="Days of the moving average.")] = None,
    kind: Annotated[str, typer.Option(help="CALL, ASR or TTS.")] = "ASR",
    absent: Annotated[
        list[str] | None,
        typer.Option(help="Id that must be absent: app_id, comp_id or tenant_id; repeatable."),
    ] = None,
    time_zone: TimeZone = "UTC",
    server: Server = DEFAULT_ADDRESS,
) -> None:
    """Sessions per calendar bin."""
    with errors_as_exit_status(), Client(server) as client:
        request = reports_pb2.QueryAsrUsageRequest(
            from_time=from_time,
            to_time=to_time,
            granularity=_enum(Granularity, granularity),
            sma_period=sma_period,
            kind=_enum(SessionKind, kind),
            absent=absent or [],
            time_zone=time_zone,
        )
        answer = client.reports.QueryAsrUsage(request)
    table = _table(f"{kind} sessions per {granularity}", ("start_time", "session_count", "sma", "complete"))
    for row in answer.bins:
        table.add_row(*_cells(row, ("start_time", "session_count", "sma", "complete")))
    _print(table, answer, [f"sessions {answer.totals.session_count}"])


@report_app.command()
def active(
    fields: Annotated[list[str], typer.Argument(help="Fields to return, such as equipment_name quantity.")],
    order: Annotated[
        list[str] | None, typer.Option(help="Field to order by; prefix - for descending.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Maximum number of rows.")] = None,
    rollup: Annotated[bool, typer.Option(help="Add subtotals and the total.")] = False,
    code_deck: Annotated[int | None, typer.Option(help="Id of a code deck.")] = None,
    time_zone: TimeZone = "UTC",
    server: Server = DEFAULT_ADDRESS,
) -> None:
    """Calls in progress."""
    with errors_as_exit_status(), Client(server) as client:
        request = reports_pb2.QueryActiveSessionsRequest(
            return_fields=fields,
            order=order or [],
            limit=limit,
            grouping=reports_pb2.GROUPING_ROLLUP if rollup else reports_pb2.GROUPING_UNSPECIFIED,
            code_deck=code_deck,
            time_zone=time_zone,
        )
        answer = client.reports.QueryActiveSessions(request)
    table = _table(f"active sessions as of {answer.as_of}", ("", *fields))
    for row in answer.rows:
        table.add_row("", *_cells(row, fields))
    for row in answer.subtotals:
        table.add_row(f"subtotal of {row.level}", *_cells(row, fields))
    if answer.HasField("total"):
        table.add_row("total", *_cells(answer.total, fields))
    _print(table, answer, [f"rows {answer.row_count}"])


@report_app.command()
def folders(
    company: Annotated[str, typer.Argument(help="Company.")],
    organization: Annotated[str, typer.Argument(help="Organization of the company.")],
    folder: Annotated[str, typer.Option(help="Folder; default: every folder.")] = "",
    from_date: Annotated[str | None, typer.Option("--from", help="First day. Default: today.")] = None,
    to_date: Annotated[
        str | None, typer.Option("--to", help="Last day, inclusive. Default: the first.")
    ] = None,
    time_zone: TimeZone = "UTC",
    server: Server = DEFAULT_ADDRESS,
) -> None:
    """Calls and their average duration per day, folder and agent."""
    with errors_as_exit_status(), Client(server) as client:
        request = reports_pb2.QueryFolderStatsRequest(
            company=company,
            organization=organization,
            folder=folder,
            from_date=from_date,
            to_date=to_date,
            time_zone=time_zone,
        )
        answer = client.reports.QueryFolderStats(request)
    figures = ("call_count", "answered_count", "duration_ms", "average_duration_seconds")
    table = _table(f"calls of {company} / {organization}", ("date", "folder", "agent", *figures))
    for row in answer.rows:
        table.add_row(row.date, row.folder or "-", "", *_cells(row, figures))
        for agent in row.agents:
            table.add_row("", "", agent.agent_id, *_cells(agent, figures))
    table.add_row("total", "", "", *_cells(answer.totals, figures))
    _print(table, answer, [])


@report_app.command()
def quality(
    from_time: FromTime,
    accounts: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Accounts, whose calls are added up.")
    ] = None,
    all_accounts: Annotated[
        bool, typer.Option("--all-accounts", help="Calls of all accounts, and those without an account.")
    ] = False,
    absent: Annotated[
        list[str] | None,
        typer.Option(
            help="Id that must be absent: account_id, src_country_id or dst_country_id; repeatable. With"
            " accounts, account_id adds the calls without an account."
        ),
    ] = None,
    to_time: ToTime = None,
    sampling: Annotated[str, typer.Option(help="MINUTE to MONTH.")] = "HOUR",
    dst_prefix: Annotated[str | None, typer.Option(help="Prefix of the called number.")] = None,
    time_zone: TimeZone = "UTC",
    server: Server = DEFAULT_ADDRESS,
) -> None:
    """Calls, ACD, ASR and CPS of accounts per bin."""
    with errors_as_exit_status(), Client(server) as client:
        request = reports_pb2.QueryOriginationQualityRequest(
            account_ids=accounts or [],
            all_accounts=all_accounts,
            absent=absent or [],
            from_time=from_time,
            to_time=to_time,
            sampling=_enum(Granularity, sampling),
            dst_prefix_routing=None if dst_prefix is None else reports_pb2.TextFilter(starts_with=dst_prefix),
            time_zone=time_zone,
        )
        answer = client.reports.QueryOriginationQuality(request)
    names = ("total_calls", "answered_calls", "duration_ms", "acd", "asr", "cps")
    table = _table(f"{_calls_of(request)} per {sampling}", ("start_time", *names))
    zone = calendar.zone(answer.range.time_zone)
    for start_s, *values in zip(answer.data.t, *(getattr(answer.data, name) for name in names), strict=True):
        table.add_row(_time(start_s, zone), *(_text(value) for value in values))
    totals = [f"{field.name} {_text(value)}" for field, value in answer.totals.ListFields()]
    _print(table, answer, totals)


def _calls_of(request: reports_pb2.QueryOriginationQualityRequest) -> str:
    """Returns the accounts of a request that was answered, as a title names them."""
    accounts = f"account{'s' * (len(request.account_ids) > 1)} {', '.join(request.account_ids)}"
    if "account_id" in request.absent:
        return f"calls of {accounts} or without one" if request.account_ids else "calls without an account"
    return f"calls of {accounts}" if request.account_ids else "calls of all accounts"


def _enum(names: Any, name: str) -> Any:
    """Returns the number of an enum value by its short name."""
    known: dict[str, int] = {full.removeprefix(_PREFIXES[names]): number for full, number in names.items()}
    number = known.get(name.upper(), 0)
    if number == 0:
        names_of_values = list(known)[1:]
        near = nearest(name, names_of_values)
        hint = f", such as {names_of_values[-1]}" if near is None else suggestion(near)
        kind = names.DESCRIPTOR.name
        raise ReportOptionError(
            f"{quoted(name)} is not a value of {kind}{hint}", allowed=", ".join(names_of_values)
        )
    return number


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _cells(message: Message, names: tuple[str, ...] | list[str]) -> list[str]:
    present = {field.name for field, _ in message.ListFields()}
    return [_text(getattr(message, name)) if name in present else "-" for name in names]


def _text(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _time(unix_s: int, zone: Zone | None) -> str:
    return str(unix_s) if zone is None else core.format_time(unix_s * US_PER_SECOND, zone)


def _print(table: Table, answer: Any, lines: list[str]) -> None:
    # Without a terminal, rich would cut tables to 80 columns.
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    console.print(table)
    for line in lines:
        console.print(line)
    for notice in answer.notices:
        console.print(f"notice: {notice.text}")
