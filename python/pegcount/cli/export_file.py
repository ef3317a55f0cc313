"""The file of `pegcount export`, which needs pyarrow."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pegcount.cli.atomic_file import atomic_file
from pegcount.cli.disk_full import disk_full_as_sentence
from pegcount.config import Config
from pegcount.export import CsvSink, ExportCounts, ParquetSink, Sink, export_records
from pegcount.store.snapshot import open_snapshot

_SINKS: Final[dict[str, Callable[[BinaryIO], Sink]]] = {"parquet": ParquetSink, "csv": CsvSink}


@dataclass(frozen=True, slots=True)
class Export:
    """What to export, in which format, and where to: without a file, to standard output.

    `from_us` and `to_us` are setup times in microseconds UTC, the second exclusive.
    """

    data: Path
    from_us: int
    to_us: int
    format_name: str
    file: Path | None


def write_export(export: Export) -> ExportCounts:
    """Exports the records of a data directory as it is now.

    Raises OSError, NoSpaceError or an error of the store, and leaves an older file then.
    """
    config = Config()
    with _open(export.file) as file:
        engine = open_snapshot(export.data, config)
        sink = _SINKS[export.format_name](file)
        return export_records(engine, export.from_us, export.to_us, sink, config.export_piece_row_count)


@contextmanager
def _open(out: Path | None) -> Iterator[BinaryIO]:
    if out is None:
        with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as file:
            yield file
    else:
        with disk_full_as_sentence(out), atomic_file(out) as file:
            yield file
