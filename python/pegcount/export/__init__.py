"""Records of a store as files that other programs read."""

from pegcount.export.csv_text import CsvSink
from pegcount.export.parquet import ParquetSink
from pegcount.export.records import ExportCounts, Sink, export_records
from pegcount.export.whole_file import whole_file

__all__ = ["CsvSink", "ExportCounts", "ParquetSink", "Sink", "export_records", "whole_file"]
