"""Reads call records from files that other programs wrote."""

from pegcount.importers.formats import FORMATS
from pegcount.importers.importer import ImportCounts, Pending, Progress, Submit, import_file
from pegcount.importers.options import ASTERISK_COLUMN_ORDERS, ImportOptions, Parser
from pegcount.importers.parsed_line import ParsedLine, ParsedRecord, SkippedLine, UnreadableLine
from pegcount.importers.rejects import RejectsFile

__all__ = [
    "ASTERISK_COLUMN_ORDERS",
    "FORMATS",
    "ImportCounts",
    "ImportOptions",
    "ParsedLine",
    "ParsedRecord",
    "Parser",
    "Pending",
    "Progress",
    "RejectsFile",
    "SkippedLine",
    "Submit",
    "UnreadableLine",
    "import_file",
]
