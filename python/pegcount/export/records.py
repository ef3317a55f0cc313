"""The records of a range of setup times, batch by batch from a store into a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa  # type: ignore[import-untyped]

from pegcount import core
from pegcount.export.columns import typed


class Sink(Protocol):
    """A file that takes records."""

    def write(self, records: pa.RecordBatch) -> int:
        """Adds records with the columns of `columns.SCHEMA`; gives how many of them it took."""

    def close(self) -> None:
        """Completes the file."""


@dataclass(slots=True)
class ExportCounts:
    """What became of the records of the range."""

    written: int = 0
    left_out: int = 0
    """Records that the format has no way to write."""


def export_records(engine: core.Store, from_us: int, to_us: int, sink: Sink, row_max: int) -> ExportCounts:
    """Writes the records set up in [`from_us`, `to_us`), microseconds UTC, `row_max` at a time.

    They come in no order that means anything. Raises DataDamagedError where a file of the
    store is not what was written.
    """
    counts = ExportCounts()
    for records in _batches(engine, from_us, to_us, row_max):
        written = sink.write(records)
        counts.written += written
        counts.left_out += records.num_rows - written
    sink.close()
    return counts


def _batches(engine: core.Store, from_us: int, to_us: int, row_max: int) -> Iterator[pa.RecordBatch]:
    cursor = None
    while (piece := engine.export(from_us, to_us, cursor, row_max)) is not None:
        cursor = piece.next
        with pa.ipc.open_stream(piece.stream) as reader:
            yield typed(reader.read_next_batch())
