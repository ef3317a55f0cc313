"""Reads call records from files that other programs wrote."""

from pegcount.importers.encodings import checked_encoding
from pegcount.importers.first_calls import FirstCalls, ReportedCall
from pegcount.importers.formats import FORMATS, format_named, require_used
from pegcount.importers.importer import ImportCounts, Pending, Progress, Submit, TakeRecord, import_file
from pegcount.importers.input_paths import STANDARD_INPUT, InputPaths, default_rejects, input_paths
from pegcount.importers.options import (
    ASTERISK_ANSWERS,
    ASTERISK_CALLS,
    ASTERISK_COLUMN_ORDERS,
    FORMAT_OPTIONS,
    ImportOptions,
    Parser,
)
from pegcount.importers.parsed_line import ParsedLine, ParsedRecord, SkippedLine, SkipReason, UnreadableLine
from pegcount.importers.prepared_files import PreparedFile, prepared_files
from pegcount.importers.q850 import DISPOSITION_BY_CAUSE
from pegcount.importers.rejects import RejectsFile
from pegcount.importers.tracked_zone import is_used, tracked
from pegcount.importers.zone_evidence import ZoneEvidence

__all__ = [
    "ASTERISK_ANSWERS",
    "ASTERISK_CALLS",
    "ASTERISK_COLUMN_ORDERS",
    "DISPOSITION_BY_CAUSE",
    "FORMATS",
    "FORMAT_OPTIONS",
    "STANDARD_INPUT",
    "FirstCalls",
    "ImportCounts",
    "ImportOptions",
    "InputPaths",
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
    "TakeRecord",
    "UnreadableLine",
    "ZoneEvidence",
    "checked_encoding",
    "default_rejects",
    "format_named",
    "import_file",
    "input_paths",
    "is_used",
    "prepared_files",
    "require_used",
    "tracked",
]
