"""yeti-csv: exports of Yeti's table `cdr.cdr`, with a header of its names or of Yeti's titles."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pegcount.importers.call_record import new_call, set_instant
from pegcount.importers.csv_rows import NULLS, check_cell_count, parse_rows, read_header
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.record_fields import record_setters
from pegcount.importers.text_lines import read_lines
from pegcount.importers.timestamps import read_postgres
from pegcount.importers.yeti_columns import REQUIRED_COLUMNS, yeti_columns
from pegcount.importers.yeti_progress import alert_us, release_party, sip_status
from pegcount.importers.yeti_times import instants_us
from pegcount.v1.records_pb2 import SessionRecord

_TIMES = {"time_start": "setup_time", "time_connect": "answer_time", "time_end": "end_time"}
_DURATION = "duration"
_EMPTY = ("", *NULLS)

_FIELDS_BY_COLUMN = {
    "is_last_cdr": ("is_last_attempt",),
    "customer_acc_id": ("account_id", "orig_accounts_id"),
    "customer_id": ("orig_clients_id",),
    "vendor_acc_id": ("term_accounts_id",),
    "vendor_id": ("term_clients_id",),
    "orig_gw_id": ("equipment_id",),
    "src_country_id": ("src_country_id",),
    "dst_country_id": ("dst_country_id",),
    "src_prefix_routing": ("src_prefix_routing",),
    "dst_prefix_routing": ("dst_prefix_routing",),
    "src_prefix_in": ("orig_src_party_id",),
    "dst_prefix_in": ("orig_dst_party_id",),
    "src_prefix_out": ("term_src_party_id",),
    "dst_prefix_out": ("term_dst_party_id",),
    "destination_prefix": ("orig_rates_code",),
    "dialpeer_prefix": ("term_rates_code",),
    "orig_call_id": ("orig_leg_id",),
    "term_call_id": ("term_leg_id",),
    "auth_orig_ip": ("auth_orig_ip",),
    "customer_price": ("customer_price",),
    "vendor_price": ("vendor_price",),
    "lega_q850_cause": ("disconnect_cause",),
}

_PROGRESS = ("pdd", "lega_disconnect_code", "legb_disconnect_code", "disconnect_initiator_id")

KNOWN_COLUMNS = tuple(dict.fromkeys((*REQUIRED_COLUMNS, _DURATION, *_FIELDS_BY_COLUMN, *_PROGRESS)))
"""The columns that a record takes, or that help to read it."""


def parse_yeti_csv(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses a table with columns in any order; ignores unknown columns.

    Raises ImportFileError, naming every required column that is missing.
    """
    lines = read_lines(file, options.line_bytes_max)
    provided = frozenset({"is_last_cdr"} if "is_last_attempt" in options.overrides else ())
    columns = yeti_columns(read_header(lines), KNOWN_COLUMNS, provided)
    return parse_rows(lines, _RowParser(columns, provided, options))


class _RowParser:
    """Converts rows to records."""

    def __init__(self, columns: list[str], provided: frozenset[str], options: ImportOptions) -> None:
        self._column_count = len(columns)
        self._source = options.source
        self._zone = options.zone
        self._id_place = columns.index("id")
        self._time_places = [(name, columns.index(name), field) for name, field in _TIMES.items()]
        self._duration_place = columns.index(_DURATION) if _DURATION in columns else None
        self._progress_places = [columns.index(name) if name in columns else None for name in _PROGRESS]
        optional = provided | {"time_connect"}
        self._filled = [(name, columns.index(name)) for name in REQUIRED_COLUMNS if name not in optional]
        setters = record_setters(options.zone)
        self._setters = [
            (place, setters[field])
            for place, column in enumerate(columns)
            for field in _FIELDS_BY_COLUMN.get(column, ())
        ]

    def __call__(self, cells: list[str]) -> SessionRecord:
        check_cell_count(cells, self._column_count)
        for name, place in self._filled:
            if cells[place] in _EMPTY:
                raise UnreadableRowError(f"{name} is empty")
        record = new_call(self._source, cells[self._id_place])
        instants = self._set_times(record, cells)
        self._set_progress(record, cells, instants)
        for place, setter in self._setters:
            text = cells[place]
            if text not in _EMPTY:
                setter(record, text)
        return record

    def _set_progress(self, record: SessionRecord, cells: list[str], instants: Sequence[int]) -> None:
        """Sets what tells how the call went; `instants` are its times, the answer before the last."""
        found = ("" if place is None else cells[place] for place in self._progress_places)
        pdd, code_of_leg_a, code_of_leg_b, initiator = ("" if text in _EMPTY else text for text in found)
        answer_us = instants[1] if len(instants) > 2 else None
        if pdd and (found_us := alert_us(pdd, instants[0], answer_us)) is not None:
            set_instant(record.alert_time, found_us)
        if (status := sip_status(code_of_leg_a, code_of_leg_b)) is not None:
            record.sip_status = status
        if initiator:
            record.release_party = release_party(initiator)

    def _set_times(self, record: SessionRecord, cells: list[str]) -> Sequence[int]:
        found = [(name, cells[place], field) for name, place, field in self._time_places]
        stated = [(read_postgres(name, text), field) for name, text, field in found if text not in _EMPTY]
        duration = "" if self._duration_place is None else cells[self._duration_place]
        instants = instants_us([time for time, _ in stated], duration, self._zone)
        for (_, field), instant_us in zip(stated, instants, strict=True):
            set_instant(getattr(record, field), instant_us)
        return instants
