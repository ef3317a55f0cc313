"""yeti-csv: exports of Yeti's table `cdr.cdr`, with a header."""

from collections.abc import Iterator
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.call_record import new_call, set_instant
from pegcount.importers.csv_rows import check_cell_count, parse_rows, read_header
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.record_fields import record_setters
from pegcount.importers.text_lines import read_lines
from pegcount.importers.timestamps import read_postgres
from pegcount.v1.records_pb2 import SessionRecord

_TIMES = {"time_start": "setup_time", "time_connect": "answer_time", "time_end": "end_time"}

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
    "lega_q850_cause": ("disconnect_cause",),
}

# A row without one of these would be counted wrongly; other columns only add fields.
_REQUIRED = ("id", *_TIMES, "is_last_cdr")


def parse_yeti_csv(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses a table with columns in any order; ignores unknown columns.

    Raises ImportFileError, naming every required column that is missing.
    """
    lines = read_lines(file, options.line_bytes_max)
    header = read_header(lines)
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise ImportFileError(f"the header lacks {', '.join(missing)}")
    return parse_rows(lines, _RowParser(header, options))


class _RowParser:
    """Converts rows to records."""

    def __init__(self, header: list[str], options: ImportOptions) -> None:
        self._header = header
        self._source = options.source
        setters = record_setters(options.zone)
        self._setters = [
            (column, setters[field]) for column in header for field in _FIELDS_BY_COLUMN.get(column, ())
        ]

    def __call__(self, cells: list[str]) -> SessionRecord:
        check_cell_count(cells, len(self._header))
        row = dict(zip(self._header, cells, strict=True))
        for name in ("id", "time_start", "time_end", "is_last_cdr"):
            if not row[name]:
                raise UnreadableRowError(f"{name} is empty")
        record = new_call(self._source, row["id"])
        for column, field in _TIMES.items():
            if row[column]:
                set_instant(getattr(record, field), read_postgres(column, row[column]))
        for column, setter in self._setters:
            if row[column]:
                setter(record, row[column])
        return record
