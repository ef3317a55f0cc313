"""The calls as Parquet files for the peers to load: each call once, with the types that suit them best."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from peers import calls, dimensions
from peers.calls import ABSENT, CODES, Calls
from peers.wire import ID_BYTES, session_ids

_TIME = pa.timestamp("us")
_PRICE = pa.decimal128(9, 4)
_INTEGERS = {"bool": pa.bool_(), "int": pa.int32()}
_ADDRESS = "auth_orig_ip"


def write(directory: Path, record_count: int, active_count: int, seed: int) -> None:
    """Writes `calls.parquet` and `active.parquet`."""
    _write(directory / "calls.parquet", _sent_once(record_count, seed))
    _write(directory / "active.parquet", iter([_table(calls.active(active_count, seed))]))


def texts_of(field: str) -> list[str]:
    """Returns all values of a text field in order, as an enum declaration needs them."""
    entries = next(of_code for of_code in dimensions.DIMENSIONS.values() if field in of_code[0])
    return sorted({str(entry[field]) for entry in entries})


def _sent_once(record_count: int, seed: int) -> Iterator[pa.Table]:
    for chunk in calls.chunks(record_count, seed):
        yield _table(chunk[~chunk["again"]])


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _table(rows: Calls) -> pa.Table:
    """Builds a table of all record fields, and of call duration and ring time, null for unanswered calls."""
    answered = rows["answer_us"] != ABSENT
    talk_ms = (rows["end_us"] - rows["answer_us"]) // 1_000
    ring_ms = (rows["answer_us"] - rows["setup_us"]) // 1_000
    columns = {
        "session_id": _texts(session_ids(rows)),
        "setup_time": pa.array(rows["setup_us"], _TIME),
        "answer_time": pa.array(rows["answer_us"], _TIME, mask=~answered),
        "end_time": pa.array(rows["end_us"], _TIME),
        "duration_ms": pa.array(talk_ms.astype(np.int32), mask=~answered),
        "ring_ms": pa.array(ring_ms.astype(np.int32), mask=~answered),
        "customer_price": _decimals(rows["price"]),
    }
    for name in CODES:
        entries = dimensions.DIMENSIONS[name]
        for field in entries[0]:
            columns[field] = _column(field, [entry[field] for entry in entries], rows[name])
    return pa.table(columns)


def _column(field: str, values: list[int | str], codes: NDArray[np.int32]) -> pa.Array:
    if field == _ADDRESS:
        return pa.array(np.array([_address(str(value)) for value in values], np.uint32)[codes])
    if isinstance(values[0], str):
        texts = sorted({str(value) for value in values})
        code_of = {text: number for number, text in enumerate(texts)}
        codes_of_rows = np.array([code_of[str(value)] for value in values], np.int32)[codes]
        return pa.DictionaryArray.from_arrays(pa.array(codes_of_rows), pa.array(texts))
    return pa.array(np.array(values)[codes], _INTEGERS[type(values[0]).__name__])


def _address(text: str) -> int:
    """Converts an IPv4 address to an integer, so that a CIDR block is a range."""
    return int.from_bytes(map(int, text.split(".")), "big")


def _texts(ids: NDArray[np.void]) -> pa.Array:
    offsets = np.arange(0, (len(ids) + 1) * ID_BYTES, ID_BYTES, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(ids), [None, pa.py_buffer(offsets), pa.py_buffer(ids.tobytes())]
    )


def _decimals(units: NDArray[np.int32]) -> pa.Array:
    """Builds 128-bit decimals with a zero upper half, since prices are never negative."""
    halves = np.zeros((len(units), 2), np.int64)
    halves[:, 0] = units
    return pa.Array.from_buffers(_PRICE, len(units), [None, pa.py_buffer(halves)])
