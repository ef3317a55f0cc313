"""Runs a report: options, request, answer, table, one output."""

import time
from collections.abc import Callable
from typing import TypeAlias

import typer

from pegcount.cli.connection import Connection
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.report.human_times import Clock
from pegcount.cli.report.options import report_options
from pegcount.cli.report.output import writer
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.watch import repeated
from pegcount.cli.time_zone import zone_of_option
from pegcount.client import Client

Ask: TypeAlias = Callable[[Client, Clock], ReportTable]
"""Sends the request of a command, in which the clock resolves words such as `yesterday`."""


def run_report(context: typer.Context, server: Connection, ask: Ask) -> None:
    """Asks once, or again and again, and writes each answer as the options of the command say.

    Ends the command with status 2 and a sentence if that fails.
    """
    with errors_as_exit_status():
        options = report_options(context)
        zone = zone_of_option(options.time_zone)
        write = writer(options)
        with server.client() as client:

            def refresh() -> None:
                with client.failures_for_people():
                    write(ask(client, Clock(time.time_ns() // 1_000, zone)))

            if options.watch_seconds is None:
                refresh()
            else:
                repeated(refresh, options.watch_seconds)
