"""A report as a chart of characters, readable without colours."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len

from pegcount.cli.report.figures import TimeStyle, cells, figure, printable, time_style, title
from pegcount.cli.report.heat_table import heat_lines
from pegcount.cli.report.report_table import Kind, ReportTable
from pegcount.cli.report.text_lines import padded_left, padded_right, wrapped

_BAR: Final = "█"
_HEIGHT: Final = 16
_SMALL_HEIGHT: Final = 9
_LABEL_SHARE: Final = 2
"""Of the width of a line, the label of a bar takes at most one part of this many."""
_BAR_WIDTH_MIN: Final = 8
_YEAR_LENGTH: Final = len("2026-")


def plot_lines(table: ReportTable, width: int) -> Iterator[str]:
    """Yields the lines of a chart of a report, none wider than `width` cells."""
    style = time_style(table)
    yield from wrapped(printable(title(table)), width)
    yield ""
    if not table.rows:
        yield "no rows"
    else:
        yield from _PLOTS[table.report](table, style, width)
    for notice in table.notices:
        yield from wrapped(f"notice: {printable(notice.text)}", width)


def _usage(table: ReportTable, style: TimeStyle, width: int) -> Iterator[str]:
    averages = [column for column in table.columns if column.kind is Kind.MEAN]
    line = _values(table, averages[0].name) if averages else None
    yield from _charted(table, style, "session_count", _values(table, "session_count"), line, width, _HEIGHT)
    if averages:
        yield from wrapped(f"bars: sessions; line: {averages[0].heading}", width)


def _quality(table: ReportTable, style: TimeStyle, width: int) -> Iterator[str]:
    calls = _values(table, "total_calls")
    yield from _charted(table, style, "total_calls", calls, None, width, _SMALL_HEIGHT)
    shown = {column.name for column in table.columns}
    for name in (name for name in ("asr", "acd", "cps") if name in shown):
        yield from _charted(table, style, name, None, _values(table, name), width, _SMALL_HEIGHT)


def _charted(
    table: ReportTable,
    style: TimeStyle,
    name: str,
    bars: Sequence[float | None] | None,
    line: Sequence[float | None] | None,
    width: int,
    height: int,
) -> Iterator[str]:
    """Yields a chart of values of the kind of a column, over the bins of a report."""
    # plotext takes a tenth of a second to import, which all other commands save.
    from pegcount.cli.report.chart import Chart, chart_lines  # noqa: PLC0415

    column = next(column for column in table.columns if column.name == name)
    labels = [figure(row.values[0], Kind.TIME, style)[_YEAR_LENGTH:] for row in table.rows]
    yield from chart_lines(Chart(column.heading, column.kind, labels, bars, line), width, height)


def _first_figure(table: ReportTable, style: TimeStyle, width: int) -> Iterator[str]:
    """Yields a horizontal bar per row, of the first figure that is a number."""
    places = range(table.key_count, len(table.columns))
    place = next((each for each in places if table.columns[each].kind.is_figure), None)
    if place is None:
        yield from wrapped("no number to draw; add a figure that is one, such as a quantity", width)
        return
    shown = table.columns[place]
    values = [row.values[place] for row in table.rows]
    texts = [figure(value, shown.kind, style) for value in values]
    labels = [" / ".join(cells(table, row, style)[: table.key_count]) for row in table.rows]
    yield from wrapped(shown.heading, width)
    yield from _horizontal_bars(labels, [float(value or 0) for value in values], texts, width)


def _horizontal_bars(labels: list[str], values: list[float], texts: list[str], width: int) -> Iterator[str]:
    text_width = max(map(cell_len, texts))
    label_width = min(max(map(cell_len, labels)), width // _LABEL_SHARE)
    bar_width = width - label_width - text_width - 2
    if bar_width < _BAR_WIDTH_MIN:
        yield from _bars_below_labels(labels, values, texts, width)
        return
    greatest = max(*values, 1.0)
    for label, value, text in zip(labels, values, texts, strict=True):
        *before, last = wrapped(label, label_width)
        yield from before
        bar = _BAR * round(bar_width * value / greatest)
        yield f"{padded_right(last, label_width)} {padded_left(text, text_width)} {bar}".rstrip()


def _bars_below_labels(labels: list[str], values: list[float], texts: list[str], width: int) -> Iterator[str]:
    greatest = max(*values, 1.0)
    for label, value, text in zip(labels, values, texts, strict=True):
        yield from wrapped(f"{label}: {text}", width)
        yield _BAR * round(width * value / greatest)


def _folders(table: ReportTable, style: TimeStyle, width: int) -> Iterator[str]:
    """Yields a heat table of the calls, a line per day and a column per folder."""
    counts = {
        (str(row.values[0]), str(row.values[1])): int(row.values[table.key_count] or 0)
        for row in table.rows
        if row.level is not None
    }
    yield from heat_lines(counts, width)


def _values(table: ReportTable, name: str) -> list[float | None]:
    place = [column.name for column in table.columns].index(name)
    values = (row.values[place] for row in table.rows)
    return [None if value is None else float(value) for value in values]


_PLOTS: Final = {
    "usage": _usage,
    "active": _first_figure,
    "folders": _folders,
    "quality": _quality,
    "traffic": _first_figure,
    "busy-hour": _first_figure,
}
