"""Exports the records of a store to files that other programs read."""

from pegcount.export.csv_sink import CsvSink
from pegcount.export.parquet_sink import ParquetSink
from pegcount.export.records import ExportCounts, Sink, export_records

__all__ = ["CsvSink", "ExportCounts", "ParquetSink", "Sink", "export_records"]
