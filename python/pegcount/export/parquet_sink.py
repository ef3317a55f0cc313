"""Records as Parquet."""

from typing import BinaryIO

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from pegcount.export.columns import SCHEMA


class ParquetSink:
    """A Parquet file; each piece becomes a row group, so that no more than one is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(file, SCHEMA, compression="zstd")

    def write(self, records: pa.RecordBatch) -> int:
        """Adds records; see `Sink.write`."""
        self._writer.write_batch(records)
        return int(records.num_rows)

    def close(self) -> None:
        """Writes the footer."""
        self._writer.close()
