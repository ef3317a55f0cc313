"""Reads call records from files that other programs wrote."""

from pegcount.importers.detection import ARCHIVE, DetectedFiles, detected_files
from pegcount.importers.encodings import checked_encoding
from pegcount.importers.first_calls import FirstCalls, ReportedCall
from pegcount.importers.formats import FORMATS, format_named, require_used
from pegcount.importers.importer import ImportCounts, Pending, Progress, Submit, TakeRecord, import_file
from pegcount.importers.input_paths import STANDARD_INPUT, InputPaths, default_rejects, input_paths
from pegcount.importers.mapping import (
    MappingFile,
    read_mapping,
    shipped_mappings,
    shipped_names,
    shipped_path,
)
from pegcount.importers.mapping.checking import MappingCheck, check_mapping
from pegcount.importers.mapping.mapped_csv import MAPPED
from pegcount.importers.options import (
    ASTERISK_ANSWERS,
    ASTERISK_CALLS,
    ASTERISK_COLUMN_ORDERS,
    FORMAT_OPTIONS,
    ImportOptions,
    Parser,
)
from pegcount.importers.parsed_line import ParsedLine, ParsedRecord, SkippedLine, SkipReason, UnreadableLine
from pegcount.importers.prepared_files import PreparedFile, prepared_files, seekable_file
from pegcount.importers.q850 import DISPOSITION_BY_CAUSE
from pegcount.importers.reject_kinds import RejectKinds
from pegcount.importers.rejects import RejectsFile
from pegcount.importers.tracked_zone import is_used, tracked
from pegcount.importers.zone_evidence import ZoneEvidence

__all__ = [
    "ARCHIVE",
    "ASTERISK_ANSWERS",
    "ASTERISK_CALLS",
    "ASTERISK_COLUMN_ORDERS",
    "DISPOSITION_BY_CAUSE",
    "FORMATS",
    "FORMAT_OPTIONS",
    "MAPPED",
    "STANDARD_INPUT",
    "DetectedFiles",
    "FirstCalls",
    "ImportCounts",
    "ImportOptions",
    "InputPaths",
    "MappingCheck",
    "MappingFile",
    "ParsedLine",
    "ParsedRecord",
    "Parser",
    "Pending",
    "PreparedFile",
    "Progress",
    "RejectKinds",
    "RejectsFile",
    "ReportedCall",
    "SkipReason",
    "SkippedLine",
    "Submit",
    "TakeRecord",
    "UnreadableLine",
    "ZoneEvidence",
    "check_mapping",
    "checked_encoding",
    "default_rejects",
    "detected_files",
    "format_named",
    "import_file",
    "input_paths",
    "is_used",
    "prepared_files",
    "read_mapping",
    "require_used",
    "seekable_file",
    "shipped_mappings",
    "shipped_names",
    "shipped_path",
    "tracked",
]
