"""The table of a traffic question: bins, dimensions and figures, and what is not a number."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from pegcount.cli.report.arrow_output import write_arrow
from pegcount.cli.report.csv_output import csv_lines
from pegcount.cli.report.json_output import json_text
from pegcount.cli.report.plot import plot_lines
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.table import table_lines
from pegcount.cli.report.traffic_table import traffic_table
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse
from pyarrow import ipc  # type: ignore[import-untyped]

BY_VENDOR: dict[str, Any] = {
    "top": {"limit": 2, "other": True},
    "group_by": [
        {"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_ID"},
        {"dimension": "TRAFFIC_DIMENSION_DST_PREFIX", "digits": 2},
    ],
}
RANGE = {"from_time": "2026-03-29T00:00:00Z", "to_time": "2026-03-29T02:00:00Z", "time_zone": "UTC"}
METRICS: list[dict[str, Any]] = [
    {"metric": "TRAFFIC_METRIC_CALLS"},
    {"metric": "TRAFFIC_METRIC_NER", "causes": [16, 17, 18, 19, 20, 21, 31]},
    {"metric": "TRAFFIC_METRIC_PDD_PERCENTILE", "percentile": 95},
    {"metric": "TRAFFIC_METRIC_REVENUE"},
]


def columns(*values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"metric": metric, **each} for metric, each in zip(METRICS, values, strict=True)]


ANSWER = {
    "range": RANGE,
    "t": [1_774_742_400],
    "covered_us": [7_200_000_000],
    "complete": [True],
    "groups": [
        {"keys": [{"integer": 7}, {"text": "49"}]},
        {"keys": [{}, {"text": "44"}]},
        {"other": True},
    ],
    "columns": columns(
        {"integers": [1_234, 2, 3]},
        {"doubles": [50.0, "NaN", 12.34]},
        {"integers": [2_500, -1, 0]},
        {"decimals": ["0.25", "0", ""]},
    ),
    "totals": columns({"integers": [1_239]}, {"doubles": [40.0]}, {"integers": [7]}, {"decimals": ["0.25"]}),
    "group_count": 9,
}


def table(answer: dict[str, Any], request: dict[str, Any]) -> ReportTable:
    return traffic_table(
        json_format.ParseDict(answer, QueryTrafficResponse()),
        json_format.ParseDict(request, QueryTrafficRequest()),
    )


def test_a_table_of_groups() -> None:
    assert list(table_lines(table(ANSWER, BY_VENDOR), 100)) == [
        "Traffic by term accounts id, dst prefix, from 2026-03-29 00:00 to 2026-03-29 02:00, UTC",
        "",
        "term accounts id  dst prefix  calls    NER  PDD percentile 95 ms  revenue",
        "----------------  ----------  -----  -----  --------------------  -------",
        "               7  49          1,234  50.0%                 2,500     0.25",
        "               -  44              2      -                     -        0",
        "         (other)  (other)         3  12.3%                     0        -",
        "----------------  ----------  -----  -----  --------------------  -------",
        "           total  (all)       1,239  40.0%                     7     0.25",
        "",
        "the first 2 of 9 groups; totals are of all",
    ]


def test_exact_figures_as_csv_and_json() -> None:
    found = table(ANSWER, BY_VENDOR)
    assert list(csv_lines(found)) == [
        "term_accounts_id,dst_prefix,other,calls,ner,pdd_percentile_95,revenue",
        "7,49,false,1234,50.0,2500,0.25",
        ",44,false,2,,,0",
        ",,true,3,12.34,0,",
    ]
    text = json_text(found, one_line=True)
    assert '"totals": {"calls": 1239, "ner": 40.0, "pdd_percentile_95": 7, "revenue": "0.25"}' in text


def test_a_file_keeps_the_types(tmp_path: Path) -> None:
    write_arrow(tmp_path / "x.arrow", table(ANSWER, BY_VENDOR))
    with ipc.open_file(tmp_path / "x.arrow") as reader:
        found = reader.read_all()
    assert found.column("term_accounts_id").to_pylist() == [7, None, None]
    assert found.column("other").to_pylist() == [False, False, True]
    assert found.column("revenue").to_pylist() == ["0.25", "0", None]


def test_a_table_of_bins() -> None:
    answer = {
        "range": {**RANGE, "granularity": "GRANULARITY_HOUR"},
        "t": [1_774_742_400, 1_774_746_000],
        "groups": [{}],
        "columns": [{"metric": METRICS[0], "integers": [5, 0]}],
        "totals": [{"metric": METRICS[0], "integers": [5]}],
        "group_count": 1,
    }
    lines = list(table_lines(table(answer, {}), 80))
    assert lines[0] == "Traffic per HOUR, from 2026-03-29 00:00 to 2026-03-29 02:00, UTC"
    assert [line.split() for line in lines[4:6]] == [
        ["2026-03-29", "00:00", "5"],
        ["2026-03-29", "01:00", "0"],
    ]


@pytest.mark.parametrize("width", [40, 100])
def test_a_chart_of_the_first_figure(width: int) -> None:
    lines = list(plot_lines(table(ANSWER, BY_VENDOR), width))
    assert any("1,234" in line for line in lines)
    assert max(map(len, lines)) <= width


PEAKS: dict[str, Any] = {
    "range": {**RANGE, "granularity": "GRANULARITY_HOUR"},
    "t": [1_774_742_400, 1_774_746_000],
    "groups": [{}],
    "columns": [
        {"metric": {"metric": "TRAFFIC_METRIC_PEAK", "occupancy": "OCCUPANCY_TALK"}, "integers": [20, 0]},
        {"metric": {"metric": "TRAFFIC_METRIC_PEAK_AT"}, "integers": [1_774_742_512_500_000, -1]},
        {
            "metric": {"metric": "TRAFFIC_METRIC_ERLANG", "occupancy": "OCCUPANCY_SEIZED"},
            "doubles": [12.345, 0.0],
        },
        {"metric": {"metric": "TRAFFIC_METRIC_OCCUPIED_US"}, "integers": [44_442_000_000, 0]},
    ],
    "group_count": 1,
}


def with_totals(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with the first values as totals."""
    totals = []
    for column in answer["columns"]:
        ((name, values),) = [(name, value) for name, value in column.items() if name != "metric"]
        totals.append({"metric": column["metric"], name: values[:1]})
    return {**answer, "totals": totals}


def test_a_table_of_peaks() -> None:
    found = table(with_totals(PEAKS), {})
    assert list(table_lines(found, 100))[2:] == [
        "start             peak  peak at                     erlang seized  occupied h:mm:ss",
        "----------------  ----  --------------------------  -------------  ----------------",
        "2026-03-29 00:00    20  2026-03-29 00:01:52.500000           12.3          12:20:42",
        "2026-03-29 01:00     0  -                                       0           0:00:00",
        "----------------  ----  --------------------------  -------------  ----------------",
        "total               20  2026-03-29 00:01:52.500000           12.3          12:20:42",
    ]
    assert list(csv_lines(found))[1] == (
        "2026-03-29T00:00:00Z,20,2026-03-29T00:01:52.500000Z,12.345,44442000000"
    )


def test_a_chart_of_the_first_number() -> None:
    answer = {**PEAKS, "columns": PEAKS["columns"][1:]}
    assert "erlang seized" in list(plot_lines(table(with_totals(answer), {}), 100))
    alone = {**PEAKS, "columns": PEAKS["columns"][1:2]}
    assert "no number to draw" in "\n".join(plot_lines(table(with_totals(alone), {}), 100))


def test_a_table_with_an_earlier_range() -> None:
    answer = with_totals({**PEAKS, "columns": PEAKS["columns"][:2]})
    answer["compared"] = {
        "range": {**RANGE, "from_time": "2026-03-22T00:00:00Z", "to_time": "2026-03-22T02:00:00Z"},
        "t": [1_774_137_600, -1],
        "columns": [
            {"metric": PEAKS["columns"][0]["metric"], "integers": [16, -1]},
            {"metric": PEAKS["columns"][1]["metric"], "integers": [1_774_137_601_000_000, -1]},
        ],
        "totals": [
            {"metric": PEAKS["columns"][0]["metric"], "integers": [40]},
            {"metric": PEAKS["columns"][1]["metric"], "integers": [1_774_137_601_000_000]},
        ],
        "changes": [{"percent": [25.0, "NaN"]}, {"percent": ["NaN", "NaN"]}],
        "total_changes": [{"percent": [-50.0]}, {"percent": ["NaN"]}],
    }
    found = table(answer, {})
    lines = [" ".join(line.split()) for line in table_lines(found, 130)]
    peak_at, then_at = "2026-03-29 00:01:52.500000", "2026-03-22 00:00:01"
    assert lines[2] == "start then peak peak then change peak at peak at then"
    assert lines[4:6] == [
        f"2026-03-29 00:00 2026-03-22 00:00 20 16 +25.0% {peak_at} {then_at}",
        "2026-03-29 01:00 - 0 - - - -",
    ]
    assert lines[7:] == [
        f"total (all) 20 40 -50.0% {peak_at} {then_at}",
        "",
        "then: from 2026-03-22 00:00 to 2026-03-22 02:00",
    ]
    assert [column.name for column in found.columns[2:]] == [
        *("peak", "peak_then", "peak_change", "peak_at", "peak_at_then"),
    ]
