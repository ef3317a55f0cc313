"""freeswitch-csv: files of FreeSWITCH's `mod_cdr_csv`, in the templates that its configuration has."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pegcount.errors import ImportFileError
from pegcount.importers.call_record import new_call, set_account, set_parties, set_text
from pegcount.importers.call_times import LoggedCall, read_seconds, set_call_times
from pegcount.importers.content_hash import content_hash
from pegcount.importers.freeswitch_leg import LOST_RACE_CAUSE
from pegcount.importers.freeswitch_templates import Row, read_row
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_items import parse_items
from pegcount.importers.parsed_line import ParsedLine, SkipReason, UnreadableRowError
from pegcount.importers.q850 import CAUSE_BY_DISPOSITION, hangup_cause
from pegcount.importers.text_lines import TextLine, read_lines
from pegcount.importers.timestamps import read_local_timestamp
from pegcount.v1.records_pb2 import SessionRecord


def parse_freeswitch_csv(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses `Master.csv` in two passes, of which the first collects the b-legs that a-legs name.

    FreeSWITCH may log a b-leg before its a-leg or after it. Uses 8 bytes of memory for each
    row that names a b-leg. Raises ImportFileError if the file is not seekable.
    """
    if not file.seekable():
        raise ImportFileError("freeswitch-csv is read twice and cannot come from a pipe")
    bleg_hashes = np.unique(np.fromiter(_named_bleg_hashes(file, options), dtype=np.uint64))
    file.seek(0)
    parse_row = _RowParser(options, bleg_hashes)
    lines = read_lines(file, options.line_bytes_max)
    return parse_items(lines, lambda line: parse_row(line.text))


def _named_bleg_hashes(file: BinaryIO, options: ImportOptions) -> Iterator[int]:
    for line in read_lines(file, options.line_bytes_max):
        if isinstance(line, TextLine) and (bleg_uuid := _named_bleg(line.text)):
            yield content_hash([bleg_uuid])


def _named_bleg(text: str) -> str:
    try:
        return read_row(text).get("bleg_uuid", "")
    except UnreadableRowError:
        # The second pass reports the row.
        return ""


class _RowParser:
    """Converts rows to records; skips b-legs."""

    def __init__(self, options: ImportOptions, bleg_hashes: NDArray[np.uint64]) -> None:
        self._options = options
        self._zone = options.zone
        self._bleg_hashes = bleg_hashes

    def __call__(self, text: str) -> SessionRecord | SkipReason:
        row = read_row(text)
        if not row["uuid"]:
            raise UnreadableRowError("the row has no uuid")
        if row["hangup_cause"] == LOST_RACE_CAUSE:
            return SkipReason.LOST_LEG
        if self._is_bleg(row):
            return SkipReason.B_LEG
        record = new_call(self._options.source, row["uuid"])
        set_call_times(record, _logged_call(row), self._zone)
        set_parties(record, row["caller_id_number"], row["destination_number"])
        set_account(record, row["accountcode"])
        set_text(record, "orig_leg_id", row["uuid"])
        set_text(record, "term_leg_id", row.get("bleg_uuid") or row.get("bridge_channel", ""))
        cause = _cause(row["hangup_cause"])
        if cause is not None:
            record.disconnect_cause = cause
        return record

    def _is_bleg(self, row: Row) -> bool:
        """Returns whether another leg names this one as its b-leg, and this one names none itself.

        If two legs name each other, one of them is an a-leg, so neither is skipped.
        """
        if row.get("bleg_uuid"):
            return False
        leg_hash = np.uint64(content_hash([row["uuid"]]))
        index = self._bleg_hashes.searchsorted(leg_hash)
        return bool(index < len(self._bleg_hashes) and self._bleg_hashes[index] == leg_hash)


def _cause(name: str) -> int | None:
    if name in CAUSE_BY_DISPOSITION:
        raise UnreadableRowError(
            f"hangup_cause: {name!r} is a disposition of Asterisk; import as asterisk-csv"
        )
    return hangup_cause(name)


def _logged_call(row: Row) -> LoggedCall:
    answer = row["answer_stamp"]
    return LoggedCall(
        start=read_local_timestamp("start_stamp", row["start_stamp"]),
        is_answered=answer != "",
        answer=read_local_timestamp("answer_stamp", answer) if answer else None,
        end=read_local_timestamp("end_stamp", row["end_stamp"]),
        duration_us=read_seconds("duration", row["duration"]),
        billsec_us=read_seconds("billsec", row["billsec"]),
    )
