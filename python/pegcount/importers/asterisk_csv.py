"""asterisk-csv: the CSV files of Asterisk's modules `cdr_csv` and `cdr_custom`."""

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.asterisk_columns import channel_creation_s, column_names
from pegcount.importers.call_record import new_call, set_account, set_parties, set_text
from pegcount.importers.call_times import LoggedCall, read_seconds, set_call_times
from pegcount.importers.content_hash import content_hash
from pegcount.importers.csv_rows import parse_rows
from pegcount.importers.options import ASTERISK_COLUMN_ORDERS, ImportOptions
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.q850 import CAUSE_BY_DISPOSITION
from pegcount.importers.text_lines import read_lines
from pegcount.importers.timestamps import read_local_timestamp
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND


def parse_asterisk_csv(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses `Master.csv`.

    Uses constant memory, plus about 100 bytes for each row without a uniqueid, to number
    identical rows. Raises ImportFileError if `options.asterisk_columns` is not one of
    `ASTERISK_COLUMN_ORDERS`.
    """
    if options.asterisk_columns not in ASTERISK_COLUMN_ORDERS:
        raise ImportFileError(
            f"column order {options.asterisk_columns!r} is none of {', '.join(ASTERISK_COLUMN_ORDERS)}"
        )
    return parse_rows(read_lines(file, options.line_bytes_max), _RowParser(options))


class _RowParser:
    """Converts rows to records."""

    def __init__(self, options: ImportOptions) -> None:
        self._options = options
        self._zone = options.zone
        self._count_by_row_hash: Counter[int] = Counter()

    def __call__(self, cells: list[str]) -> SessionRecord:
        row = dict(zip(column_names(cells, self._options.asterisk_columns), cells, strict=True))
        cause = CAUSE_BY_DISPOSITION.get(row["disposition"])
        if cause is None:
            raise UnreadableRowError(f"disposition: {row['disposition']!r} is not known")
        call = _logged_call(row)
        record = new_call(self._options.source, self._session_id(row, cells))
        set_call_times(record, call, self._zone, _creation_us(row))
        set_parties(record, row["src"], row["dst"])
        set_account(record, row["accountcode"])
        set_text(record, "orig_leg_id", row["channel"])
        set_text(record, "term_leg_id", row["dstchannel"])
        record.disconnect_cause = cause
        return record

    def _session_id(self, row: dict[str, str], cells: list[str]) -> str:
        """Returns an id that is the same at every import of the file.

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


def _logged_call(row: dict[str, str]) -> LoggedCall:
    """Reads the times of a row, with the answer only if the disposition is ANSWERED.

    Asterisk also writes an answer date if the dialplan answered the call before it dialled.
    BUSY with an answer date is a call that the called party did not answer.
    """
    is_answered = row["disposition"] == "ANSWERED"
    if is_answered and not row["answer"]:
        raise UnreadableRowError("ANSWERED without an answer date")
    return LoggedCall(
        start=read_local_timestamp("start", row["start"]),
        answer=read_local_timestamp("answer", row["answer"]) if is_answered else None,
        end=read_local_timestamp("end", row["end"]),
        duration_us=read_seconds("duration", row["duration"]),
        billsec_us=read_seconds("billsec", row["billsec"]),
    )


def _creation_us(row: dict[str, str]) -> int | None:
    creation_s = channel_creation_s(row.get("uniqueid", ""))
    return None if creation_s is None else creation_s * US_PER_SECOND
