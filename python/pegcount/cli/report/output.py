"""The outputs of a report: the table, JSON, CSV, a file or a chart."""

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from pegcount.cli.extras import required_by
from pegcount.cli.report.csv_output import csv_lines
from pegcount.cli.report.json_output import json_text
from pegcount.cli.report.options import ReportOptions
from pegcount.cli.report.plot import plot_lines
from pegcount.cli.report.report_table import ReportTable
from pegcount.cli.report.table import table_lines

Write: TypeAlias = Callable[[ReportTable], None]

_UNLIMITED_WIDTH: Final = 1_000_000
_WIDTH_MIN: Final = 20
_PLOT_WIDTH: Final = 80
"""Cells of a chart that goes to a file or a pipe."""
_CLEAR_SCREEN: Final = "\x1b[H\x1b[2J"


def writer(options: ReportOptions) -> Write:
    """Returns what writes an answer as the options say.

    Raises MissingExtraError if this installation cannot write such a file.
    """
    is_watched = options.watch_seconds is not None
    _set_encoding(is_document=options.output in ("as_json", "as_csv"))
    if options.output == "as_json":
        return lambda table: _print([json_text(table, one_line=is_watched)])
    if options.output == "as_csv":
        return lambda table: _print(csv_lines(table))
    if options.file is not None:
        return partial(_file_writer(options.output), options.file)
    if options.output == "plot":
        return partial(_draw, lambda table: plot_lines(table, _width(_PLOT_WIDTH)), is_watched)
    return partial(_draw, lambda table: table_lines(table, _width(_UNLIMITED_WIDTH)), is_watched)


def _file_writer(output: str | None) -> Callable[[Path, ReportTable], None]:
    with required_by(f"--{output}"):
        from pegcount.cli.report.arrow_output import write_arrow, write_parquet  # noqa: PLC0415
    return write_parquet if output == "parquet" else write_arrow


def _set_encoding(*, is_document: bool) -> None:
    """Makes documents UTF-8 everywhere, and has tables and charts escape what the terminal cannot show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if is_document:
            sys.stdout.reconfigure(encoding="utf-8")
        else:
            sys.stdout.reconfigure(errors="backslashreplace")


def _draw(lines: Callable[[ReportTable], Iterable[str]], is_watched: bool, table: ReportTable) -> None:
    if is_watched and sys.stdout.isatty():
        sys.stdout.write(_CLEAR_SCREEN)
    _print(lines(table))
    if is_watched:
        _print([""])


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _width(otherwise: int) -> int:
    """Returns the cells of a line: of the terminal or `COLUMNS`, else `otherwise`, as for a pipe."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return max(_WIDTH_MIN, shutil.get_terminal_size().columns)
    return otherwise
