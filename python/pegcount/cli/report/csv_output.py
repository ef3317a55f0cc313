"""A report as CSV with exact figures."""

import csv
import io
from collections.abc import Iterator

from pegcount.cli.report.report_table import ReportTable, Row, Value

_LINE_END = "\r\n"


def csv_lines(table: ReportTable) -> Iterator[str]:
    """Yields a header of field names and a line per row; a value that the answer lacks is empty.

    With subtotals, their rows follow, told apart by a last column `level`, the number of key fields kept.
    """
    buffer = io.StringIO()
    # The writer quotes a text that has a character of the end of a line.
    writer = csv.writer(buffer, lineterminator=_LINE_END)
    has_levels = bool(table.subtotals)

    def line(values: list[str]) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(values)
        return buffer.getvalue().removesuffix(_LINE_END)

    yield line([*(column.name for column in table.columns), *(["level"] if has_levels else [])])
    for row in table.rows:
        yield line([*_texts(row), *([""] if has_levels else [])])
    for row in table.subtotals:
        yield line([*_texts(row), str(row.level)])


def _texts(row: Row) -> list[str]:
    return [_text(value) for value in row.values]


def _text(value: Value) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
