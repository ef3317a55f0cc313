"""The batches of the ingest bench, prepared before measuring."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
from full_records import Row, Switch, message
from pegcount.v1.records_pb2 import WriteRecordsRequest
from record_tables import table

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Feed:
    """The same records as encoded requests and as Arrow tables."""

    record_count: int
    distinct_count: int
    batches: Sequence[bytes]
    tables: Sequence[pa.Table]


def make_feed(record_count: int, batch_row_count: int, seed: int) -> Feed:
    """Creates a feed; deterministic for its arguments."""
    batches: list[bytes] = []
    tables: list[pa.Table] = []
    keys: set[tuple[object, object]] = set()
    for rows in _chunks(Switch(seed).rows(record_count), batch_row_count):
        keys.update((row["source"], row["session_id"]) for row in rows)
        request = WriteRecordsRequest(batch_id=str(len(batches)), records=map(message, rows))
        batches.append(request.SerializeToString())
        tables.append(table(rows))
    return Feed(record_count, len(keys), batches, tables)


def write_batches(batches: Sequence[bytes], path: Path) -> None:
    """Writes length-prefixed requests to a file for another process."""
    with path.open("wb") as file:
        for batch in batches:
            file.write(_LENGTH.pack(len(batch)) + batch)


def read_batches(path: Path) -> list[bytes]:
    """Reads the requests of a file."""
    content, offset, batches = path.read_bytes(), 0, []
    while offset < len(content):
        (length,) = _LENGTH.unpack_from(content, offset)
        offset += _LENGTH.size + length
        batches.append(content[offset - length : offset])
    return batches


def _chunks(rows: Iterator[Row], row_count: int) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, row_count)):
        yield chunk
