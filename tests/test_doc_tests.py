"""The examples in docstrings show what surprises, and are true."""

import doctest
import importlib

import pytest

MODULES = [
    "pegcount.calendar.bin_edges",
    "pegcount.calendar.moving_average",
    "pegcount.calendar.zones",
    "pegcount.cli.report.active_table",
    "pegcount.cli.report.figures",
    "pegcount.cli.report.human_times",
    "pegcount.cli.report.near_times",
    "pegcount.cli.report.text_lines",
    "pegcount.masked",
    "pegcount.model",
    "pegcount.time_text",
    "pegcount.zone",
    "pegcount_client.enums",
    "pegcount_client.suggestions",
    "pegcount_client.times",
]


@pytest.mark.parametrize("name", MODULES)
def test_each_example_is_true(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted > 0
    assert failed == 0
