"""Export to Parquet."""

from typing import BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from pegcount.export.columns import SCHEMA


class ParquetSink:
    """A Parquet file. Each batch becomes a row group, so only one batch is in memory at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(file, SCHEMA, compression="zstd")

    def write(self, records: pa.RecordBatch) -> int:
        """Writes records as a row group; see `Sink.write`."""
        self._writer.write_batch(records)
        return int(records.num_rows)

    def close(self) -> None:
        """Writes the footer."""
        self._writer.close()
