"""Mapping files: what the columns of any CSV file are."""

from pegcount.importers.mapping.mapping import FieldSource, MappingFile
from pegcount.importers.mapping.problems import MappingError
from pegcount.importers.mapping.reading import ZoneProblem, read_mapping
from pegcount.importers.mapping.shipped import shipped_mappings, shipped_names, shipped_path

__all__ = [
    "FieldSource",
    "MappingError",
    "MappingFile",
    "ZoneProblem",
    "read_mapping",
    "shipped_mappings",
    "shipped_names",
    "shipped_path",
]
