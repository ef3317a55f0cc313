"""Figures as people read them, and the layout around them."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from pegcount import calendar
from pegcount.cli.report.figures import TimeStyle, figure, time_style, title
from pegcount.cli.report.heat_table import heat_lines
from pegcount.cli.report.plot import plot_lines
from pegcount.cli.report.report_table import Column, Kind, Range, ReportTable, Row, Value
from pegcount.cli.report.table import table_lines
from pegcount.cli.report.text_lines import wrapped
from rich.cells import cell_len

BERLIN = TimeStyle(calendar.zone("Europe/Berlin"))
DAYS = TimeStyle(calendar.zone("Europe/Berlin"), dates_alone=True)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, Kind.COUNT, "-"),
        (float("nan"), Kind.PERCENT, "-"),
        (0, Kind.COUNT, "0"),
        (1_234_567, Kind.COUNT, "1,234,567"),
        (1_234_567, Kind.ID, "1234567"),
        (20.0, Kind.MEAN, "20.0"),
        (1234.56, Kind.MEAN, "1,234.6"),
        (85.5769, Kind.PERCENT, "85.6%"),
        (100.0, Kind.PERCENT, "100.0%"),
        (290.44, Kind.SECONDS, "290.4"),
        (0.0, Kind.RATE, "0"),
        (3.8e-7, Kind.RATE, "0.000000380"),
        (2.8888, Kind.RATE, "2.89"),
        (99.99, Kind.RATE, "100.0"),
        (123.4, Kind.RATE, "123"),
        (1_000.0, Kind.RATE, "1,000"),
        (999, Kind.DURATION_MS, "0:00:00"),
        (90_061_000, Kind.DURATION_MS, "25:01:01"),
        (3_600_000 * 1_000, Kind.DURATION_S, "1,000,000:00:00"),
        (True, Kind.FLAG, "yes"),
        (False, Kind.FLAG, "no"),
        ("", Kind.TEXT, "(none)"),
        ("a\tb\x1b[31m\n", Kind.TEXT, "a\\tb\\x1b[31m\\n"),
        ("Привіт 電話", Kind.TEXT, "Привіт 電話"),
    ],
)
def test_a_figure(value: Value, kind: Kind, text: str) -> None:
    assert figure(value, kind, BERLIN) == text


@pytest.mark.parametrize(
    ("style", "sent", "text"),
    [
        (BERLIN, "2026-10-05T00:00:00+02:00", "2026-10-05 00:00"),
        (BERLIN, "2026-10-05T14:30:15+02:00", "2026-10-05 14:30:15"),
        (BERLIN, "2026-10-05T14:30:15.250000+02:00", "2026-10-05 14:30:15.250000"),
        (BERLIN, "2026-10-25T01:59:59+02:00", "2026-10-25 01:59:59"),
        (BERLIN, "2026-10-25T02:00:00+02:00", "2026-10-25 02:00 +02:00"),
        (BERLIN, "2026-10-25T02:00:00+01:00", "2026-10-25 02:00 +01:00"),
        (BERLIN, "2026-10-25T03:00:00+01:00", "2026-10-25 03:00"),
        (DAYS, "2026-10-05T00:00:00+02:00", "2026-10-05"),
        (DAYS, "2026-10-05T01:00:00+02:00", "2026-10-05 01:00"),
        # A zone whose rules this program has otherwise, or does not have.
        (BERLIN, "2026-10-05T00:00:00+03:00", "2026-10-05 00:00 +03:00"),
        (TimeStyle(None), "2026-10-05T00:00:00+03:00", "2026-10-05 00:00 +03:00"),
        (TimeStyle(calendar.zone("UTC")), "2026-10-05T00:00:00Z", "2026-10-05 00:00"),
        # An offset that is not whole minutes is written in UTC.
        (TimeStyle(calendar.zone("Africa/Monrovia")), "1971-10-05T00:00:00Z", "1971-10-05 00:00 Z"),
    ],
)
def test_a_time_has_an_offset_only_where_the_local_time_is_not_enough(
    style: TimeStyle, sent: str, text: str
) -> None:
    assert style.text(sent) == text


def clients(*rows: tuple[Value, ...]) -> ReportTable:
    return ReportTable(
        report="active",
        subject="Calls in progress",
        range=Range("2026-03-30T12:00:00Z", "2026-03-30T12:00:00Z", "UTC", None, "2026-03-30T12:00:00Z"),
        columns=(
            Column("orig_clients_name", "orig clients name", Kind.TEXT),
            Column("quantity", "calls", Kind.COUNT),
        ),
        key_count=1,
        rows=tuple(map(Row, rows)),
        subtotals=(),
        total_row=None,
        totals={},
        remarks=(),
        notices=(),
    )


def test_a_title_tells_now_to_the_second_and_other_times_exactly() -> None:
    now, given = "2026-03-30T12:00:05.625269Z", "2026-03-30T12:00:05.250000Z"
    usage = Range(given, now, "UTC", "HOUR", now)
    assert title(replace(clients(), range=usage)) == (
        "Calls in progress, from 2026-03-30 12:00:05.250000 to 2026-03-30 12:00:05, UTC"
    )
    active = Range(now, now, "UTC", None, now)
    assert title(replace(clients(), range=active)) == "Calls in progress as of 2026-03-30 12:00:05, UTC"


LONG_NAME = "Northwind Telephone and Telegraph of the North West"


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, [f"orig clients name{' ' * 34}  calls", f"{'-' * 51}  -----", f"{LONG_NAME}  1,234"]),
        (
            30,
            [
                "orig clients name        calls",
                f"{'-' * 23}  -----",
                "Northwind Telephone and  1,234",
                "Telegraph of the North",
                "West",
            ],
        ),
        (
            18,
            [
                "orig clients name",
                "  Northwind",
                "  Telephone and",
                "  Telegraph of the",
                "  North West",
                "calls",
            ],
        ),
    ],
)
def test_a_long_name_takes_more_lines_before_the_table_becomes_blocks(width: int, lines: list[str]) -> None:
    printed = [line for line in table_lines(clients((LONG_NAME, 1_234)), width) if line]
    first = next(number for number, line in enumerate(printed) if line.startswith("orig"))
    assert printed[first : first + len(lines)] == lines


def test_letters_of_two_cells_are_counted_as_two() -> None:
    lines = list(table_lines(clients(("電話", 1), ("ab", 2)), 40))
    assert [cell_len(line) for line in lines[-2:]] == [cell_len(lines[-3])] * 2
    assert wrapped("電話電話", 4) == ["電話", "電話"]


def test_a_column_of_flags_is_shown_for_an_exception_only() -> None:
    flag = Column("complete", "complete", Kind.FLAG)
    table = replace(clients(), columns=(*clients().columns, flag))
    complete = replace(table, rows=(Row(("a", 1, True)), Row(("b", 1, True))))
    assert "complete" not in "\n".join(table_lines(complete, 80))
    open_bin = replace(table, rows=(Row(("a", 1, True)), Row(("b", 1, False))))
    assert "complete" in "\n".join(table_lines(open_bin, 80))


def test_no_rows_are_said() -> None:
    assert "no rows" in list(table_lines(clients(), 80))
    assert "no rows" in list(plot_lines(clients(), 80))


def test_a_zone_that_is_not_known_keeps_all_offsets() -> None:
    unknown = replace(clients().range, time_zone="Mars/Olympus")
    style = time_style(replace(clients(), range=unknown))
    assert style.text("2026-10-05T00:00:00+03:00") == "2026-10-05 00:00 +03:00"


@pytest.mark.parametrize("write", [table_lines, plot_lines])
def test_no_width_is_exceeded_by_one(write: Callable[[ReportTable, int], Iterable[str]]) -> None:
    table = clients((LONG_NAME, 2**63 - 1), ("電話", 0))
    for width in range(20, 200):
        assert max(map(cell_len, write(table, width))) <= width


@pytest.mark.parametrize("count", [0, 1, 2**63 - 1])
def test_a_heat_table_fits(count: int) -> None:
    folders = ["", "sales", "電話", LONG_NAME, *(f"folder {number}" for number in range(20))]
    counts = {("2026-03-28", folder): count for folder in folders}
    for width in range(20, 200):
        lines = list(heat_lines(counts, width))
        assert max(map(cell_len, lines)) <= width
        assert "".join(lines).replace(" ", "").count(f"{count:,}") >= len(folders)


def test_bars_of_a_narrow_terminal_are_below_their_names() -> None:
    lines = list(plot_lines(clients(("Northwind", 4_000_000), ("Tailspin", 2)), 20))
    assert lines[-4:] == ["Northwind: 4,000,000", "█" * 20, "Tailspin: 2", ""]
