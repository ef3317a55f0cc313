"""Copies the records of a range of setup times from a store into a file, batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa  # type: ignore[import-untyped]

from pegcount import core
from pegcount.export.columns import to_export_types


class Sink(Protocol):
    """An export file of one format."""

    def write(self, records: pa.RecordBatch) -> int:
        """Writes records with the columns of `columns.SCHEMA`, and returns the number of rows written."""

    def close(self) -> None:
        """Completes the file; without this it is unreadable."""


@dataclass(slots=True)
class ExportCounts:
    """Records of the range, by outcome."""

    written: int = 0
    left_out: int = 0
    """Records that the format cannot represent."""


def export_records(engine: core.Engine, from_us: int, to_us: int, sink: Sink, row_max: int) -> ExportCounts:
    """Writes the records with a setup time in [`from_us`, `to_us`), microseconds UTC.

    Reads at most `row_max` records at a time, in unspecified order. Raises DataDamagedError
    if a file of the store is damaged.
    """
    counts = ExportCounts()
    for records in _batches(engine, from_us, to_us, row_max):
        written = sink.write(records)
        counts.written += written
        counts.left_out += records.num_rows - written
    sink.close()
    return counts


def _batches(engine: core.Engine, from_us: int, to_us: int, row_max: int) -> Iterator[pa.RecordBatch]:
    cursor = None
    while (exported := engine.export(from_us, to_us, cursor, row_max)) is not None:
        cursor = exported.next
        with pa.ipc.open_stream(exported.stream) as reader:
            yield to_export_types(reader.read_next_batch())
