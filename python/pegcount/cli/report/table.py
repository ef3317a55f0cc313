"""A report as a table on a terminal, or as one block per row where the table would be wider."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from rich.cells import cell_len

from pegcount.cli.report.figures import TimeStyle, cells, figure, printable, time_style, title
from pegcount.cli.report.report_table import OTHER_COLUMN, Column, Kind, Remark, ReportTable, Row
from pegcount.cli.report.text_lines import padded_left, padded_right, wrapped
from pegcount.cli.report.vertical import blocks

_GAP: Final = "  "
_TEXT_WIDTH_MIN: Final = 12
"""Cells to which a column of texts may shrink; longer texts then take several lines."""


@dataclass(frozen=True)
class _Layout:
    """The texts of a table and the widths of its columns, in terminal cells."""

    columns: tuple[Column, ...]
    rows: list[list[str]]
    widths: list[int]

    @property
    def width(self) -> int:
        return sum(self.widths) + len(_GAP) * (len(self.widths) - 1)


def table_lines(table: ReportTable, width: int) -> Iterator[str]:
    """Yields the lines of a report, none wider than `width` cells, and none without a figure of it.

    Raises nothing: where even the headings do not fit, each row becomes a block of lines.
    """
    style = time_style(table)
    yield from wrapped(printable(title(table)), width)
    yield ""
    if not table.rows and not table.subtotals:
        yield "no rows"
    elif (layout := _layout(_shown(table), style, width)) is not None:
        yield from _lines(layout, len(table.rows))
    else:
        yield from blocks(_shown(table), style, width)
    yield from _after(table, style, width)


def _shown(table: ReportTable) -> ReportTable:
    """Returns the table without flags that need no column.

    Of one that is set in all rows, only an exception would be worth it; a row of all other groups says so in
    its keys.
    """
    kept = [
        place
        for place, column in enumerate(table.columns)
        if column.name != OTHER_COLUMN
        and (column.kind is not Kind.FLAG or not all(row.values[place] for row in table.rows))
    ]

    def narrowed(row: Row) -> Row:
        return replace(row, values=tuple(row.values[place] for place in kept))

    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        key_count=sum(place < table.key_count for place in kept),
        rows=tuple(map(narrowed, table.rows)),
        subtotals=tuple(map(narrowed, table.subtotals)),
        total_row=None if table.total_row is None else narrowed(table.total_row),
    )


def _layout(table: ReportTable, style: TimeStyle, width: int) -> _Layout | None:
    """Returns the widest layout that fits, None if none does."""
    rows = [cells(table, row, style) for row in (*table.rows, *table.sums)]
    needed = [max((cell_len(row[place]) for row in rows), default=0) for place in range(len(table.columns))]
    headings = [column.heading for column in table.columns]
    in_one_line = [max(pair) for pair in zip(needed, map(cell_len, headings), strict=True)]
    in_words = [
        max(least, *(cell_len(word) for word in heading.split(" ")))
        for least, heading in zip(needed, headings, strict=True)
    ]
    for widths in (in_one_line, in_words):
        layout = _Layout(table.columns, rows, widths)
        if layout.width <= width:
            return layout
    return _with_narrow_texts(_Layout(table.columns, rows, in_words), width)


def _with_narrow_texts(layout: _Layout, width: int) -> _Layout | None:
    """Returns the layout with its widest columns of texts made narrower, None if that does not suffice."""
    widths = list(layout.widths)
    texts = [place for place, column in enumerate(layout.columns) if column.kind is Kind.TEXT]
    excess = layout.width - width
    while excess > 0:
        widest = max(texts, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= _TEXT_WIDTH_MIN:
            return None
        widths[widest] -= 1
        excess -= 1
    return _Layout(layout.columns, layout.rows, widths)


def _lines(layout: _Layout, row_count: int) -> Iterator[str]:
    headings = [
        wrapped(column.heading, width) for column, width in zip(layout.columns, layout.widths, strict=True)
    ]
    height = max(map(len, headings))
    yield from _stacked(layout, [[""] * (height - len(lines)) + lines for lines in headings])
    rule = _GAP.join("-" * width for width in layout.widths)
    yield rule
    for place, row in enumerate(layout.rows):
        if place == row_count and place > 0:
            yield rule
        yield from _row_lines(layout, row)


def _row_lines(layout: _Layout, row: list[str]) -> Iterator[str]:
    if all(cell_len(text) <= width for text, width in zip(row, layout.widths, strict=True)):
        yield _line(layout, row)
    else:
        yield from _stacked(
            layout, [wrapped(text, width) for text, width in zip(row, layout.widths, strict=True)]
        )


def _stacked(layout: _Layout, columns: list[list[str]]) -> Iterator[str]:
    """Yields the lines of a row whose cells have several."""
    for number in range(max(map(len, columns))):
        yield _line(layout, [lines[number] if number < len(lines) else "" for lines in columns])


def _line(layout: _Layout, texts: list[str]) -> str:
    padded = (
        padded_left(text, width) if column.kind.is_figure else padded_right(text, width)
        for text, width, column in zip(texts, layout.widths, layout.columns, strict=True)
    )
    return _GAP.join(padded).rstrip()


def _after(table: ReportTable, style: TimeStyle, width: int) -> Iterator[str]:
    """Yields a blank line, the remarks and the notices, if there are any."""
    sentences = [
        *(_sentence(remark, style) for remark in table.remarks),
        *(f"notice: {printable(notice.text)}" for notice in table.notices),
    ]
    if sentences:
        yield ""
    for sentence in sentences:
        yield from wrapped(sentence, width)


def _sentence(remark: Remark, style: TimeStyle) -> str:
    return " ".join(
        part if isinstance(part, str) else figure(part.value, part.kind, style) for part in remark
    )
