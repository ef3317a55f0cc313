"""pegcount-csv: Pegcount's own format, whose header has names of record fields."""

from collections.abc import Iterator
from typing import BinaryIO

from pegcount.errors import ImportFileError
from pegcount.importers.call_record import TEXT_READERS, set_text
from pegcount.importers.csv_rows import check_cell_count, parse_rows, read_header
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedLine
from pegcount.importers.record_fields import FIELD_NAMES, Setter, record_setters
from pegcount.importers.text_lines import read_lines
from pegcount.masked import masked_digits
from pegcount.v1.records_pb2 import SessionRecord


def parse_pegcount_csv(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses a table with columns in any order; an empty cell is an absent field.

    Raises ImportFileError, naming every column that is not a record field.
    """
    lines = read_lines(file, options.line_bytes_max)
    header = read_header(lines)
    unknown = [name for name in header if name not in FIELD_NAMES]
    if unknown:
        names = ", ".join(repr(masked_digits(name)) for name in unknown)
        raise ImportFileError(f"no column may be called {names}, only {', '.join(FIELD_NAMES)}")
    setters = record_setters(options.zone, {} if options.accepts_stored else TEXT_READERS)
    columns = [setters[name] for name in header]
    return parse_rows(lines, lambda cells: _record(cells, columns, options.source))


def _record(cells: list[str], columns: list[Setter], source: str) -> SessionRecord:
    check_cell_count(cells, len(columns))
    record = SessionRecord()
    set_text(record, "source", source)
    for setter, text in zip(columns, cells, strict=True):
        if text:
            setter(record, text)
    return record
