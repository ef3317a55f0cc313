"""Formats whose rows show what they are; and the tables of Asterisk, which have a header line."""

import re
from collections.abc import Callable, Iterator

from pegcount.errors import ImportFileError
from pegcount.importers.asterisk_columns import REQUIRED_COLUMNS, column_names, header_names
from pegcount.importers.csv_rows import split_row
from pegcount.importers.detection.findings import Finding, Fits, Misses, listed, tallied
from pegcount.importers.detection.head import Head
from pegcount.importers.freeswitch_templates import TEMPLATE_BY_COUNT, Row, read_row
from pegcount.importers.parsed_line import UnreadableLine, UnreadableRowError
from pegcount.importers.q850 import CAUSE_BY_DISPOSITION
from pegcount.importers.timestamps import is_local_timestamp

_CELLS_OF_ASTERISK = range(16, 22)
_HANGUP_CAUSE = re.compile(r"[A-Z][A-Z0-9_]*")
# How near a row is that is like one of a format in this respect.
_HAS_COUNT, _HAS_RESULT, _HAS_TIMES = 0.3, 0.6, 0.9


def detect_asterisk_csv(head: Head) -> Finding:
    """Tells rows by their dates and disposition, and a table by its header."""
    header = head.header()
    if header is not None and _is_header(header):
        return Fits(f"its header names columns of Asterisk: {listed(_present(header))}")
    found = tallied(_forms(head, _form_of_asterisk), "row", head.has_more_lines)
    near = _near_header(header or [])
    return near if isinstance(found, Misses) and near.nearness > found.nearness else found


def detect_freeswitch_csv(head: Head) -> Finding:
    """Tells rows by their times, hangup cause and uuid, where a template has them."""
    return tallied(_forms(head, _form_of_freeswitch), "row", head.has_more_lines)


def _forms(head: Head, form_of: Callable[[str], str | Misses]) -> Iterator[str | Misses]:
    for line in head.lines:
        yield Misses(line.reason) if isinstance(line, UnreadableLine) else form_of(line.text)


def _is_header(cells: list[str]) -> bool:
    try:
        return header_names(cells) is not None
    except ImportFileError:
        return False


def _present(header: list[str]) -> list[str]:
    names = [name.lower() for name in header]
    return [name for name in (*REQUIRED_COLUMNS, "calldate", "uniqueid", "linkedid") if name in names]


def _near_header(header: list[str]) -> Misses:
    present = set(_present(header)) | ({"start"} if "calldate" in _present(header) else set())
    missing = [name for name in REQUIRED_COLUMNS if name not in present]
    nearness = _HAS_TIMES * (len(REQUIRED_COLUMNS) - len(missing)) / len(REQUIRED_COLUMNS)
    lacks = f"lacks {listed(missing)}" if missing else "has a column twice"
    return Misses(f"the header {lacks}", nearness)


def _form_of_asterisk(text: str) -> str | Misses:
    try:
        cells = split_row(text)
    except UnreadableRowError as error:
        return Misses(str(error))
    has_count = len(cells) in _CELLS_OF_ASTERISK
    try:
        names = column_names(cells, "auto")
    except UnreadableRowError as error:
        has_result = has_count and not CAUSE_BY_DISPOSITION.keys().isdisjoint(cells)
        nearness = _HAS_RESULT if has_result else _HAS_COUNT if has_count else 0.0
        return Misses(f"the row has {error}" if has_count else f"{len(cells)} cells are not its", nearness)
    row = dict(zip(names, cells, strict=True))
    if row["disposition"] not in CAUSE_BY_DISPOSITION:
        column = names.index("disposition") + 1
        return Misses(f"column {column} has no disposition, such as ANSWERED", _HAS_TIMES)
    start = names.index("start") + 1
    return (
        f"{len(cells)} cells with dates in columns {start} to {start + 2} and a disposition in column"
        f" {names.index('disposition') + 1}"
    )


def _form_of_freeswitch(text: str) -> str | Misses:
    try:
        count = len(split_row(text))
    except UnreadableRowError:
        count = 0
    nearness = _HAS_COUNT if count in TEMPLATE_BY_COUNT else 0.0
    try:
        row = read_row(text)
    except UnreadableRowError as error:
        return Misses(str(error), nearness * 2)
    return _miss_of_freeswitch(row) or _form_of_template(row, count)


def _miss_of_freeswitch(row: Row) -> Misses | None:
    """Returns what a row of the cells of a template lacks, None for a row of FreeSWITCH."""
    cause = row["hangup_cause"]
    is_cause = _HANGUP_CAUSE.fullmatch(cause) is not None and cause not in CAUSE_BY_DISPOSITION
    has_times = all(is_local_timestamp(row[name]) for name in ("start_stamp", "end_stamp"))
    has_seconds = row["duration"].isdecimal() and row["billsec"].isdecimal()
    if not (has_times and has_seconds):
        lacking = "seconds" if has_times else "times such as 2026-03-28 09:00:00"
        return Misses(
            f"the row has no {lacking} where a template has them", _HAS_RESULT if is_cause else _HAS_COUNT
        )
    if not is_cause or not row["uuid"]:
        lacking = "uuid" if is_cause else "hangup cause, such as NORMAL_CLEARING,"
        return Misses(f"the row has no {lacking} where a template has it", _HAS_TIMES)
    return None


def _form_of_template(row: Row, count: int) -> str:
    template = "asterisk" if "amaflags" in row else TEMPLATE_BY_COUNT.get(count)
    if template is None:
        return "times and a hangup cause as in a template, beside a text with quotes or commas"
    return f"times and a hangup cause where the template {template} has them"
