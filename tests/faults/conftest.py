"""Prints the results table of the fault tests."""

from collections.abc import Callable
from dataclasses import asdict

import pytest

from faults import table
from faults.campaign import Row

AddToTable = Callable[[Row], None]


@pytest.fixture
def add_to_table(record_property: Callable[[str, object], None]) -> AddToTable:
    """Returns a function that adds a row to the table at the end of the run."""
    return lambda row: record_property("fault_row", asdict(row))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "fault_row" and isinstance(value, dict)
    ]
    if rows:
        terminalreporter.write_sep("-", "faults")
        terminalreporter.write_line(table.markdown(rows))
