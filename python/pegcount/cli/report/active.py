"""`pegcount report active`."""

from dataclasses import replace
from typing import Annotated, TypeAlias

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.report.active_table import active_table
from pegcount.cli.report.human_times import Clock
from pegcount.cli.report.option_error import numbers_that_fit
from pegcount.cli.report.options import Arrow, Csv, Json, Parquet, Plot, TimeZone, Watch
from pegcount.cli.report.report_table import Notice, ReportTable
from pegcount.cli.report.run import run_report
from pegcount.client import Client
from pegcount.v1.reports_pb2 import (
    GROUPING_ROLLUP,
    GROUPING_UNSPECIFIED,
    ActiveSessionFilters,
    QueryActiveSessionsRequest,
)

_FIELDS = ("orig_clients_name", "term_clients_name", "quantity", "duration")
_ORDER = ("-quantity",)
_FILTERS = [field.name for field in ActiveSessionFilters.DESCRIPTOR.fields]

Ids: TypeAlias = Annotated[list[int] | None, typer.Option(metavar="ID", help="Any of these; repeatable.")]
Texts: TypeAlias = Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Any of these; repeatable.")]


@calls_server()
def active(
    context: typer.Context,
    server: Connection,
    fields: Annotated[
        list[str] | None, typer.Argument(help=f"Fields to return. Default: {' '.join(_FIELDS)}.")
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Field to order by, -FIELD for descending; repeatable."),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Rows to return at most.")] = None,
    rollup: Annotated[bool, typer.Option("--rollup", help="Add subtotals and the total.")] = False,
    code_deck: Annotated[int | None, typer.Option(help="Id of a code deck.")] = None,
    equipment_id: Ids = None,
    orig_companies_id: Ids = None,
    orig_owner_users_id: Ids = None,
    orig_clients_id: Ids = None,
    orig_accounts_id: Ids = None,
    orig_rates_code: Texts = None,
    orig_rates_code_name: Texts = None,
    term_companies_id: Ids = None,
    term_owner_users_id: Ids = None,
    term_clients_id: Ids = None,
    term_accounts_id: Ids = None,
    term_rates_code: Texts = None,
    term_rates_code_name: Texts = None,
    time_zone: TimeZone = "UTC",
    as_json: Json = False,
    as_csv: Csv = False,
    parquet: Parquet = None,
    arrow: Arrow = None,
    plot: Plot = False,
    watch: Watch = None,
) -> None:
    """Calls in progress, grouped by any of their fields."""

    shown = list(fields or _FIELDS)

    def ask(client: Client, _: Clock) -> ReportTable:
        try:
            table = ask_for_shown(client)
        except Exception as error:
            hidden = client.hidden_field(error)
            # Fields that were asked for are not left out, nor is a table without fields one.
            if fields or hidden not in shown or len(shown) == 1:
                raise
            shown.remove(hidden)
            return ask(client, _)
        return table if fields else _without_fields(table, [name for name in _FIELDS if name not in shown])

    def ask_for_shown(client: Client) -> ReportTable:
        with numbers_that_fit():
            request = QueryActiveSessionsRequest(
                return_fields=shown,
                filters=ActiveSessionFilters(**{name: context.params[name] for name in _FILTERS}),
                order=order or (() if fields or "quantity" not in shown else _ORDER),
                limit=limit,
                grouping=GROUPING_ROLLUP if rollup else GROUPING_UNSPECIFIED,
                code_deck=code_deck,
                time_zone=time_zone,
            )
        return active_table(client.reports.QueryActiveSessions(request), request)

    run_report(context, server, ask)


def _without_fields(table: ReportTable, names: list[str]) -> ReportTable:
    """Returns a table with a notice that names the default fields which the credential does not show."""
    if not names:
        return table
    listed = ", ".join(names)
    notice = Notice("FIELDS_HIDDEN", f"the credential does not show {listed}", {"fields": listed})
    return replace(table, notices=(*table.notices, notice))
