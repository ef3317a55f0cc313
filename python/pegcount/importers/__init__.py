"""Reads call records from files that other programs wrote."""

from pegcount.importers.first_calls import FirstCalls, ReportedCall
from pegcount.importers.formats import FORMATS
from pegcount.importers.importer import ImportCounts, Pending, Progress, Submit, import_file
from pegcount.importers.options import (
    ASTERISK_ANSWERS,
    ASTERISK_CALLS,
    ASTERISK_COLUMN_ORDERS,
    ImportOptions,
    Parser,
)
from pegcount.importers.parsed_line import ParsedLine, ParsedRecord, SkippedLine, SkipReason, UnreadableLine
from pegcount.importers.prepared_files import PreparedFile, prepared_files
from pegcount.importers.q850 import DISPOSITION_BY_CAUSE
from pegcount.importers.rejects import RejectsFile

__all__ = [
    "ASTERISK_ANSWERS",
    "ASTERISK_CALLS",
    "ASTERISK_COLUMN_ORDERS",
    "DISPOSITION_BY_CAUSE",
    "FORMATS",
    "FirstCalls",
    "ImportCounts",
    "ImportOptions",
    "ParsedLine",
    "ParsedRecord",
    "Parser",
    "Pending",
    "PreparedFile",
    "Progress",
    "RejectsFile",
    "ReportedCall",
    "SkipReason",
    "SkippedLine",
    "Submit",
    "UnreadableLine",
    "import_file",
    "prepared_files",
]
