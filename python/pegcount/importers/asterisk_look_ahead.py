"""The rule by which asterisk-csv makes calls of rows, and evidence of its zone: what reading ahead finds.

The rule is named after what makes rows one call and, unless that is a party, whose answer counts: parts whose
answers were read in two ways would mix in one call.
"""

from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.asterisk_columns import channel_creation_s
from pegcount.importers.asterisk_rows import AsteriskRows
from pegcount.importers.options import ImportOptions, LookAhead
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.q850 import CAUSE_BY_DISPOSITION
from pegcount.importers.text_lines import TextLine
from pegcount.importers.zone_evidence import ZoneEvidence

_LINKEDID, _UNIQUEID, _NEITHER = "linkedid", "uniqueid", "rows"


def look_ahead_in_asterisk_csv(file: BinaryIO, options: ImportOptions) -> LookAhead:
    """Reads a file ahead; without an option that tells the rule, a file whose rows have no id has none.

    Rows with neither linkedid nor uniqueid are calls by themselves under every rule. Whose answer counts
    makes no difference where each row is a call. Raises ImportFileError if some rows have a
    linkedid and others only a uniqueid.
    """
    is_told = options.asterisk_calls != "auto"
    first_lines: dict[str, int] = {}
    kinds = _RowKinds(AsteriskRows(file, options))
    for line in kinds.rows.lines:
        if isinstance(line, TextLine):
            kind = kinds.kind(line.text)
            if kind is not None and kind not in first_lines:
                first_lines[kind] = line.line
                if not is_told:
                    _check_alike(first_lines)
    found = next((kind for kind in (_LINKEDID, _UNIQUEID) if kind in first_lines), None)
    found = options.asterisk_calls if is_told else found
    rule = None if found is None else _named(found, options)
    return LookAhead(rule, kinds.rows.has_header, kinds.zone_evidence)


def _named(calls: str, options: ImportOptions) -> str:
    is_by_switch = options.asterisk_answered == "switch" and calls != _NEITHER
    return f"asterisk {calls} switch" if is_by_switch else f"asterisk {calls}"


class _RowKinds:
    """Tells what identifies the call of a row, and collects evidence of the zone.

    Rows that look like the one before are read by its columns: to find the columns takes most of the time.
    """

    def __init__(self, rows: AsteriskRows) -> None:
        self.rows = rows
        self._kind: str | None = None
        self._cell_count = self._start = self._id = self._uniqueid = -1
        self.zone_evidence = ZoneEvidence()

    def kind(self, text: str) -> str | None:
        """Returns the column that identifies the call, `_NEITHER`, or None for an unreadable row."""
        try:
            cells = self.rows.cells(text)
            if len(cells) == self._cell_count and cells[self._id] and _is_dated(cells[self._start]):
                self._take_start(cells[self._start], cells[self._uniqueid])
                return self._kind
            row = self.rows.row(cells)
        except UnreadableRowError:
            # The import reports it.
            return None
        if row["disposition"] not in CAUSE_BY_DISPOSITION:
            # A header once more, or a row that the import rejects.
            self.rows.is_header(cells)
            return None
        self._take_start(row["start"], row.get("uniqueid", ""))
        names = list(row)
        kind = _LINKEDID if row.get("linkedid") else _UNIQUEID if row.get("uniqueid") else _NEITHER
        # Of a row that lacks the linkedid, the next one may have it.
        is_sure = "uniqueid" in row and (kind == _LINKEDID or (kind == _UNIQUEID and "linkedid" not in row))
        if is_sure and _is_dated(row["start"]):
            self._kind, self._cell_count = kind, len(cells)
            self._start, self._id = names.index("start"), names.index(kind)
            self._uniqueid = names.index("uniqueid")
        return kind

    def _take_start(self, start: str, uniqueid: str) -> None:
        created_s = channel_creation_s(uniqueid)
        if created_s is not None:
            self.zone_evidence.take(start, created_s)


def _is_dated(text: str) -> bool:
    return text[:4].isdecimal() and text[4:5] in ("-", "/")


def _check_alike(first_lines: dict[str, int]) -> None:
    if _LINKEDID in first_lines and _UNIQUEID in first_lines:
        raise ImportFileError(
            f"line {first_lines[_LINKEDID]} has a linkedid, line {first_lines[_UNIQUEID]} has none, so that"
            " calls of several rows could count twice; choose what makes rows one call: --calls linkedid (the"
            " uniqueid where a row lacks it), --calls uniqueid, or --calls rows (each row is a call)"
        )
