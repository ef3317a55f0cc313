"""A report as one block of lines per row, for terminals narrower than a table."""

from collections.abc import Iterator

from rich.cells import cell_len

from pegcount.cli.report.figures import TimeStyle, cells
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.text_lines import padded_right, wrapped

_GAP = "  "


def blocks(table: ReportTable, style: TimeStyle, width: int) -> Iterator[str]:
    """Yields a line per value, none wider than `width` cells; a blank line follows each row but the last."""
    headings = [column.heading for column in table.columns]
    label_width = max(map(cell_len, headings))
    for place, row in enumerate([*table.rows, *table.sums]):
        if place:
            yield ""
        for heading, text in zip(headings, cells(table, row, style), strict=True):
            yield from _value_lines(heading, text, label_width, width)


def _value_lines(heading: str, text: str, label_width: int, width: int) -> Iterator[str]:
    line = f"{padded_right(heading, label_width)}{_GAP}{text}"
    if cell_len(line) <= width:
        yield line
    else:
        yield from wrapped(heading, width)
        for piece in wrapped(text, width - len(_GAP)):
            yield f"{_GAP}{piece}"
