"""Every output has every figure of an answer, and no line is wider than the terminal."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pegcount.cli.report.active_table import active_table
from pegcount.cli.report.arrow_output import arrow_table
from pegcount.cli.report.csv_output import csv_lines
from pegcount.cli.report.figures import figure, time_style
from pegcount.cli.report.json_output import json_text
from pegcount.cli.report.plot import plot_lines
from pegcount.cli.report.report_table import Kind, Measured, ReportTable, Value
from pegcount.cli.report.table import table_lines
from pegcount.time_text import RFC_3339, read_time
from pegcount.v1.reports_pb2 import (
    ActiveSessionRow,
    QueryActiveSessionsRequest,
    QueryActiveSessionsResponse,
)
from rich.cells import cell_len

from cli_tests.report_tests.answers import tables
from cli_tests.report_tests.running import run

WIDTHS = st.integers(20, 200)


def without_blanks(text: str) -> str:
    return "".join(text.split())


def figures_of(table: ReportTable) -> list[str]:
    """The texts of all figures of a table; a flag may be left out."""
    style = time_style(table)
    values = [
        (value, column.kind)
        for row in (
            *table.rows,
            *table.subtotals,
            *([table.total_row] if table.rows and table.total_row else []),
        )
        for value, column in zip(row.values, table.columns, strict=True)
        if column.kind.is_figure and value is not None
    ]
    measured = [part for remark in table.remarks for part in remark if isinstance(part, Measured)]
    return [figure(value, kind, style) for value, kind in [*values, *((m.value, m.kind) for m in measured)]]


@given(tables(), WIDTHS)
def test_a_table_fits_and_has_all_figures(table: ReportTable, width: int) -> None:
    lines = list(table_lines(table, width))
    assert max(map(cell_len, lines)) <= width
    printed = without_blanks(" ".join(lines))
    assert [text for text in figures_of(table) if without_blanks(text) not in printed] == []
    assert all(line.isprintable() for line in lines)


@settings(max_examples=40)
@given(tables(), WIDTHS)
def test_a_chart_fits(table: ReportTable, width: int) -> None:
    lines = list(plot_lines(table, width))
    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)


@settings(max_examples=40)
@given(tables())
def test_json_has_the_exact_figures(table: ReportTable) -> None:
    document = json.loads(json_text(table, one_line=True))
    names = [column.name for column in table.columns]
    assert document["rows"] == [dict(zip(names, row.values, strict=True)) for row in table.rows]
    assert [row["level"] for row in document.get("subtotals", [])] == [row.level for row in table.subtotals]
    assert document["totals"] == dict(table.totals)
    assert document["notices"] == [
        {"code": notice.code, "text": notice.text, "metadata": {}} for notice in table.notices
    ]


@given(tables())
def test_csv_has_the_exact_figures(table: ReportTable) -> None:
    text = "".join(f"{line}\n" for line in csv_lines(table))
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    names = [column.name for column in table.columns]
    assert header == names + (["level"] if table.subtotals else [])
    for row, cells in zip([*table.rows, *table.subtotals], rows, strict=True):
        for value, column, cell in zip(row.values, table.columns, cells, strict=False):
            assert cell_value(cell, column.kind) == (value if value != "" else None)


@pytest.mark.parametrize("name", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", " a ", "=1+1"])
def test_csv_keeps_every_name(name: str) -> None:
    answer = QueryActiveSessionsResponse(rows=[ActiveSessionRow(orig_clients_name=name)])
    table = active_table(answer, QueryActiveSessionsRequest(return_fields=["orig_clients_name"]))
    text = "".join(f"{line}\n" for line in csv_lines(table))
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["orig_clients_name"], [name]]


def cell_value(cell: str, kind: Kind) -> Value:
    if cell == "":
        return None
    if kind is Kind.FLAG:
        return {"true": True, "false": False}[cell]
    if not kind.is_figure:
        return cell
    return float(cell) if kind in (Kind.MEAN, Kind.PERCENT, Kind.SECONDS, Kind.RATE) else int(cell)


@settings(max_examples=40)
@given(tables())
def test_arrow_has_the_exact_figures(table: ReportTable) -> None:
    assume(table.range.time_zone == "Europe/Berlin")
    found = arrow_table(table)
    for place, column in enumerate(table.columns):
        values = [row.values[place] for row in (*table.rows, *table.subtotals)]
        written = found.column(place)
        if column.kind is Kind.TIME:
            instants = [None if value is None else read_time(str(value), RFC_3339).us for value in values]
            assert written.cast(pa.int64()).to_pylist() == instants
        else:
            assert written.to_pylist() == values


@pytest.mark.parametrize("option", ["--parquet", "--arrow"])
def test_files_are_what_other_programs_read(
    option: str, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are those of the capture of the same report as CSV."""
    path = tmp_path / "report"
    days = ("--from", "2026-03-28", "--to", "2026-03-31", "--sampling", "DAY")
    assert (
        run(
            monkeypatch,
            "report",
            "quality",
            "--account",
            "1001",
            *days,
            option,
            str(path),
            "--server",
            address,
        )
        == 0
    )
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    if option == "--parquet":
        found = pq.read_table(path)
    else:
        with pa.ipc.open_file(path) as file:
            found = file.read_all()
    assert str(found.schema.field("start_time").type) == "timestamp[us, tz=UTC]"
    assert [found.column(name).to_pylist() for name in ("total_calls", "answered_calls", "asr")] == [
        [0, 0, 18],
        [0, 0, 15],
        [None, None, 250 / 3],
    ]
    assert json.loads(found.schema.metadata[b"totals"])["total_calls"] == 18
    assert found.schema.metadata[b"title"].startswith(b"Calls of account 1001 per DAY, from 2026-03-28 00:00")
