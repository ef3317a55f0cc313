"""Finds the format of files by their first rows or documents, and says why."""

from pegcount.importers.detection.choice import (
    ARCHIVE,
    DETECTORS,
    Detected,
    TooLittleError,
    UndetectedError,
    detected,
)
from pegcount.importers.detection.files import DetectedFiles, detected_files
from pegcount.importers.detection.head import read_head

__all__ = [
    "ARCHIVE",
    "DETECTORS",
    "Detected",
    "DetectedFiles",
    "TooLittleError",
    "UndetectedError",
    "detected",
    "detected_files",
    "read_head",
]
