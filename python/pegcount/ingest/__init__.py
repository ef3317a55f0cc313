"""Import of call records that other programs wrote to files."""

from pegcount.ingest.formats import FORMATS
from pegcount.ingest.importer import ImportCounts, Pending, Progress, Submit, import_file
from pegcount.ingest.line import ParsedLine, ParsedRecord, SkippedLine, UnreadableLine
from pegcount.ingest.options import ASTERISK_COLUMN_ORDERS, ImportOptions, Parser
from pegcount.ingest.rejects import RejectsFile

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
