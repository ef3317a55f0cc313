"""The table of `pegcount report busy-hour`: the busy hour of each group, and that of all of them."""

from typing import Any

from google.protobuf import json_format
from pegcount.cli.report.busy_hour_table import busy_hour_table
from pegcount.cli.report.csv_output import csv_lines
from pegcount.cli.report.plot import plot_lines
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.table import table_lines
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse

DAY_S = 1_772_409_600
"""2026-03-02."""
QUARTER_S = 900
Day = dict[int, float]
V1: tuple[Day, ...] = ({10: 30.0, 11: 50.0, 12: 40.0}, {12: 45.0, 13: 1_200.5})
V2: tuple[Day, ...] = ({12: 10.0}, {})
"""Erlangs by hour of two days."""


def quarters(*days: dict[int, float]) -> list[float]:
    return [day.get(quarter // 4, 0.0) for day in days for quarter in range(96)]


def table(*groups: tuple[dict[int, float], ...], quarter_count: int = 192) -> ReportTable:
    names: list[dict[str, Any]] = [{"keys": [{"text": f"V{number}"}]} for number in range(1, len(groups))]
    answer = {
        "range": {
            "from_time": "2026-03-02T00:00:00Z",
            "to_time": "2026-03-04T00:00:00Z",
            "time_zone": "UTC",
            "granularity": "GRANULARITY_FIFTEEN_MINUTES",
        },
        "t": [DAY_S + QUARTER_S * number for number in range(quarter_count)],
        "covered_us": [900_000_000] * quarter_count,
        "complete": [True] * quarter_count,
        "groups": [*names, {"keys": [{}]}],
        "columns": [{"doubles": [value for days in groups for value in quarters(*days)[:quarter_count]]}],
    }
    request = {
        "metrics": [{"metric": "TRAFFIC_METRIC_ERLANG"}],
        "group_by": [{"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME"}],
    }
    return busy_hour_table(
        json_format.ParseDict(answer, QueryTrafficResponse()),
        json_format.ParseDict(request, QueryTrafficRequest()),
    )


def test_groups_and_all_of_them() -> None:
    assert list(table_lines(table(V1, V2), 100)) == [
        "Busy hour by term accounts name, from answer to end, from 2026-03-02 00:00 to 2026-03-04 00:00, UTC",
        "",
        "term accounts name  busy hour from  busy hour erlangs  daily peak erlangs  days",
        "------------------  --------------  -----------------  ------------------  ----",
        "V1                  13:00                         600                 625     2",
        "-                   12:00                        5.00                5.00     2",
        "------------------  --------------  -----------------  ------------------  ----",
        "total               13:00                         600                 625     2",
    ]


def test_a_day_that_is_not_whole() -> None:
    found = table(V1, V2, quarter_count=191)
    assert list(table_lines(found, 100))[-1] == (
        "left out, as not each quarter of an hour is there once and over: 2026-03-03"
    )
    assert list(csv_lines(found)) == [
        "term_accounts_name,busy_hour_start,tcbh_erlangs,adph_erlangs,day_count",
        "V1,11:00,50.0,50.0,1",
        ",12:00,10.0,10.0,1",
    ]


def test_without_a_whole_day() -> None:
    found = table(V1, V2, quarter_count=95)
    assert [row.values[1:] for row in found.rows] == [(None, None, None, 0)] * 2


def test_a_chart() -> None:
    assert "busy hour erlangs" in list(plot_lines(table(V1, V2), 80))
