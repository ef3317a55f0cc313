"""asterisk-csv: call detail records of Asterisk, from `cdr_csv`, `cdr_custom`, or a table with a header."""

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from pegcount.importers.asterisk_calls import (
    SWITCH_CLASS,
    call_id,
    check_ids,
    is_answered_by_party,
    part_class,
    part_of,
)
from pegcount.importers.asterisk_columns import channel_creation_s
from pegcount.importers.asterisk_rows import AsteriskRows, Row
from pegcount.importers.call_record import new_call, set_account, set_parties, set_text
from pegcount.importers.call_times import LoggedCall, read_seconds, set_call_times
from pegcount.importers.content_hash import content_hash
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_items import parse_items
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.q850 import CAUSE_BY_DISPOSITION
from pegcount.importers.timestamps import read_logged_timestamp
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND


def parse_asterisk_csv(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses rows of calls, each into a part of its call.

    Uses constant memory, plus about 100 bytes for each row without a uniqueid and linkedid, to number
    identical rows. Raises ImportFileError if a header lacks columns, or for a second
    header with other columns.
    """
    rows = AsteriskRows(file, options)
    parse_row = _RowParser(rows, options)
    return parse_items(rows.lines, lambda line: parse_row(rows.cells(line.text)))


class _RowParser:
    """Converts rows to records."""

    def __init__(self, rows: AsteriskRows, options: ImportOptions) -> None:
        self._rows = rows
        self._source = options.source
        self._zone = options.zone
        self._has_parts = options.asterisk_calls != "rows"
        self._is_by_linkedid = options.asterisk_calls != "uniqueid"
        self._is_by_party = options.asterisk_answered == "party"
        self._count_by_row_hash: Counter[int] = Counter()

    def __call__(self, cells: list[str]) -> SessionRecord | None:
        row = self._rows.row(cells)
        check_ids(row)
        cause = CAUSE_BY_DISPOSITION.get(row["disposition"])
        if cause is None:
            if self._rows.is_header(cells):
                return None
            raise UnreadableRowError(f"disposition: {row['disposition']!r} is not known")
        shared_id = call_id(row, self._is_by_linkedid) if self._has_parts else ""
        is_by_party = self._is_by_party and shared_id != ""
        call = _logged_call(
            row, is_answered_by_party(row) if is_by_party else row["disposition"] == "ANSWERED"
        )
        record = new_call(self._source, shared_id or self._row_id(row, cells))
        if shared_id:
            record.part = part_of(row, call)
            record.part_class = part_class(row, self._is_by_linkedid) if is_by_party else SWITCH_CLASS
        set_call_times(record, call, self._zone, _creation_us(row))
        set_parties(record, row["src"], row["dst"])
        set_account(record, row.get("accountcode", ""))
        set_text(record, "orig_leg_id", row["channel"])
        set_text(record, "term_leg_id", row["dstchannel"])
        record.disconnect_cause = cause
        return record

    def _row_id(self, row: Row, cells: list[str]) -> str:
        """Returns an id for a row that is a call by itself, the same at every import of the file.

        Several rows may share a uniqueid; `sequence` distinguishes them, or else a hash of the
        row. Without a uniqueid, the hash and a count of identical rows so far are the id.
        """
        uniqueid = row.get("uniqueid")
        if uniqueid and row.get("sequence"):
            return f"{uniqueid}/{row['sequence']}"
        row_hash = content_hash(cells)
        if uniqueid:
            return f"{uniqueid}/{row_hash:016x}"
        self._count_by_row_hash[row_hash] += 1
        return f"{row_hash:016x}/{self._count_by_row_hash[row_hash]}"


def _logged_call(row: Row, is_answered: bool) -> LoggedCall:
    """Reads the times of a row; the answer is not looked at unless the call was answered.

    Asterisk also writes an answer date if the dialplan answered the call before it dialled: BUSY with an
    answer date is a call that the called party did not answer. Tables may lack the columns answer and end.
    """
    answer, end = row.get("answer"), row.get("end")
    if is_answered and answer == "":
        raise UnreadableRowError("ANSWERED without an answer date")
    return LoggedCall(
        start=read_logged_timestamp("start", row["start"]),
        is_answered=is_answered,
        answer=read_logged_timestamp("answer", answer) if is_answered and answer else None,
        end=read_logged_timestamp("end", end) if end else None,
        duration_us=read_seconds("duration", row["duration"]),
        billsec_us=read_seconds("billsec", row["billsec"]),
    )


def _creation_us(row: Row) -> int | None:
    creation_s = channel_creation_s(row.get("uniqueid", ""))
    return None if creation_s is None else creation_s * US_PER_SECOND
