"""asterisk-csv: what Asterisk's modules `cdr_csv` and `cdr_custom` write."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.call_record import new_call, set_account, set_parties, set_text
from pegcount.importers.call_times import LoggedCall, read_seconds, set_call_times
from pegcount.importers.content_hash import content_hash
from pegcount.importers.csv_rows import parse_rows
from pegcount.importers.local_timestamp import LocalClock, is_local_timestamp, read_local_timestamp
from pegcount.importers.options import ASTERISK_COLUMN_ORDERS, ImportOptions
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.q850 import CAUSE_BY_DISPOSITION
from pegcount.importers.text_lines import read_lines
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND

_CDR_CSV = (
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
)
_NEW_COLUMNS = ("peeraccount", "linkedid", "sequence")
_CDR_CUSTOM = (
    *("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
    *("accountcode", "uniqueid", "userfield", "sequence"),
)
# The sample configuration had no `sequence` before Asterisk 1.8.
_CDR_CUSTOM_COUNTS = (len(_CDR_CUSTOM) - 1, len(_CDR_CUSTOM))

# With a system name: `pbx1-1774747800.42`. The epoch is when the channel was made.
_UNIQUEID = re.compile(r"(?:.*-)?([0-9]{9,10})\.[0-9]+")


def parse_asterisk_csv(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parse `Master.csv`.

    Memory is constant, but for rows without a uniqueid: about 100 bytes for each of
    those, to number the rows that are equal.
    """
    if options.asterisk_columns not in ASTERISK_COLUMN_ORDERS:
        raise ImportFileError(
            f"column order {options.asterisk_columns!r} is none of {', '.join(ASTERISK_COLUMN_ORDERS)}"
        )
    return parse_rows(read_lines(file, options.line_bytes_max), _RowParser(options))


class _RowParser:
    """Makes a record of a row."""

    def __init__(self, options: ImportOptions) -> None:
        self._options = options
        self._clock = LocalClock(options.zone)
        self._rows_seen: Counter[int] = Counter()

    def __call__(self, cells: list[str]) -> SessionRecord:
        row = dict(zip(_columns(cells, self._options.asterisk_columns), cells, strict=True))
        cause = CAUSE_BY_DISPOSITION.get(row["disposition"])
        if cause is None:
            raise UnreadableRowError(f"disposition: {row['disposition']!r} is not known")
        call = _logged_call(row)
        record = new_call(self._options.source, self._session_id(row, cells))
        set_call_times(record, call, self._clock, _created_us(row))
        set_parties(record, row["src"], row["dst"])
        set_account(record, row["accountcode"])
        set_text(record, "orig_leg_id", row["channel"])
        set_text(record, "term_leg_id", row["dstchannel"])
        record.disconnect_cause = cause
        return record

    def _session_id(self, row: dict[str, str], cells: list[str]) -> str:
        uniqueid = row.get("uniqueid")
        if uniqueid and row.get("sequence"):
            return f"{uniqueid}/{row['sequence']}"
        row_hash = content_hash(cells)
        if uniqueid:
            return f"{uniqueid}/{row_hash:016x}"
        self._rows_seen[row_hash] += 1
        return f"{row_hash:016x}/{self._rows_seen[row_hash]}"


def _columns(cells: list[str], order: str) -> tuple[str, ...]:
    """Names of the columns of a row."""
    if order == "auto":
        order = _detected_order(cells)
    if order == "cdr_csv" and len(_CDR_CSV) <= len(cells) <= len(_CDR_CSV) + 5:
        return _CDR_CSV + _optional_columns(cells[len(_CDR_CSV) :])
    if order == "cdr_custom" and len(cells) in _CDR_CUSTOM_COUNTS:
        return _CDR_CUSTOM[: len(cells)]
    raise UnreadableRowError(f"{order} has no rows of {len(cells)} cells")


def _detected_order(cells: list[str]) -> str:
    """Order by where start and end stand; the answer between them may be empty."""
    for order, start, end in (("cdr_csv", 9, 11), ("cdr_custom", 8, 10)):
        if len(cells) > end and is_local_timestamp(cells[start]) and is_local_timestamp(cells[end]):
            return order
    raise UnreadableRowError("no dates in columns 10 to 12 (cdr_csv) or 9 to 11 (cdr_custom)")


def _optional_columns(rest: list[str]) -> tuple[str, ...]:
    """Names of the cells after the 16 that are always there; each group can be turned off."""
    new_columns = _NEW_COLUMNS if len(rest) >= len(_NEW_COLUMNS) else ()
    match len(rest) - len(new_columns):
        case 0:
            return new_columns
        case 1:
            # Either of the two alone: only one of them looks like a uniqueid.
            return ("uniqueid" if _UNIQUEID.fullmatch(rest[0]) else "userfield", *new_columns)
        case _:
            return ("uniqueid", "userfield", *new_columns)


def _logged_call(row: dict[str, str]) -> LoggedCall:
    """Times of a row; it was answered if the disposition says so.

    Asterisk also dates the answer of a call whose dialplan answered before it dialled in
    vain: BUSY with an answer date is a call that the called side did not answer.
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


def _created_us(row: dict[str, str]) -> int | None:
    """When the channel was made, if the uniqueid says it."""
    match = _UNIQUEID.fullmatch(row.get("uniqueid", ""))
    return int(match[1]) * US_PER_SECOND if match else None
