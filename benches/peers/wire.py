"""Encodes calls as `WriteRecordsRequest` bytes, a million per second, without building messages.

Protobuf itself encodes the fields of each dictionary code once. A record is a concatenation of such
chunks, because protobuf allows any field order. Records with the same fields have the same layout, since
times are varints padded to a fixed width, which the format allows.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord, WriteRecordsRequest
from pegcount.zone import US_PER_SECOND

from peers import dimensions
from peers.calls import ABSENT, CODES, Calls

BATCH_ROWS = 5_000
CHECKED_ROWS = 500
ID_BYTES = 12

_TIMES = {"setup_us": "setup_time", "answer_us": "answer_time", "end_us": "end_time"}
_VARINT_BYTES = 5
_TIME_BYTES = 2 * (1 + _VARINT_BYTES)
_OF_ACTIVE = tuple(name for name in CODES if name != "cause")
_HEX = np.frombuffer("".join(f"{number:04x}" for number in range(1 << 16)).encode(), "S4").view("V4")


def requests(calls: Calls) -> Iterator[bytes]:
    """Yields the calls in batches; within a batch, answered calls come first."""
    answered = calls["answer_us"] != ABSENT
    both = [(np.flatnonzero(mask), _records(calls[mask])) for mask in (answered, ~answered)]
    for first in range(0, len(calls), BATCH_ROWS):
        chunks = []
        for rows, records in both:
            low, high = np.searchsorted(rows, (first, first + BATCH_ROWS))
            chunks.append(records[low:high].tobytes())
        yield b"".join(chunks)


def check(calls: Calls) -> None:
    """Asserts that protobuf decodes the bytes of some calls to the same calls."""
    some = calls[:CHECKED_ROWS]
    answered = some["answer_us"] != ABSENT
    expected = [_message(call) for part in (some[answered], some[~answered]) for call in part]
    (request,) = requests(some)
    assert list(WriteRecordsRequest.FromString(request).records) == expected


def session_ids(calls: NDArray[np.void]) -> NDArray[np.void]:
    """Returns a distinct id of twelve hexadecimal digits per number, in pseudorandom order."""
    # Multiplication by odd factors and xor-shifts are bijective, so that distinct numbers get distinct ids.
    mixed = calls["number"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) & np.uint64((1 << 48) - 1)
    mixed ^= mixed >> np.uint64(23)
    mixed = mixed * np.uint64(0xD6E8FEB86659FD93) & np.uint64((1 << 48) - 1)
    parts = np.empty((len(calls), 3), "V4")
    for i in range(3):
        parts[:, i] = _HEX[(mixed >> np.uint64(16 * (2 - i)) & np.uint64(0xFFFF)).astype(np.int64)]
    return parts.view(f"V{ID_BYTES}").ravel()


def _records(calls: Calls) -> NDArray[np.void]:
    """Encodes calls with the same set of fields, each as an element of `records`."""
    if not len(calls):
        return np.empty(0, "V1")
    is_active = bool(calls["end_us"][0] == ABSENT)
    columns = {"session_id": ids(calls)}
    columns |= {name: times(name, calls[name]) for name in _TIMES if calls[name][0] != ABSENT}
    columns |= {name: _encoded_entries(name)[calls[name]] for name in (_OF_ACTIVE if is_active else CODES)}
    if not is_active:
        columns["price"] = _encoded_entries("price")[calls["price"]]
    return joined([*columns.values()], len(calls))


def joined(columns: Sequence[NDArray[np.void]], count: int) -> NDArray[np.void]:
    """Returns records of encoded fields, each as an element of `records`."""
    layout = np.dtype(
        [("head", "V3"), *((f"{number}", column.dtype) for number, column in enumerate(columns))]
    )
    records = np.empty(count, layout)
    records["head"] = _head(layout.itemsize - 3)
    for number, column in enumerate(columns):
        records[f"{number}"] = column
    return records


def _head(size: int) -> np.void:
    """Returns the tag of `records` and a length that always takes two bytes."""
    assert size < 1 << 14
    (field,) = [field for field in WriteRecordsRequest.DESCRIPTOR.fields if field.name == "records"]
    return np.void(bytes([field.number << 3 | 2, size & 127 | 128, size >> 7]))


def ids(calls: NDArray[np.void]) -> NDArray[np.void]:
    """Encodes the ids of calls with a `number`."""
    column = np.empty(len(calls), [("head", "V2"), ("id", f"V{ID_BYTES}")])
    column["head"] = np.void(bytes([_number("session_id") << 3 | 2, ID_BYTES]))
    column["id"] = session_ids(calls)
    return column.view(f"V{column.itemsize}")


def times(name: str, us: NDArray[np.int64]) -> NDArray[np.void]:
    """Encodes a Timestamp field: seconds and nanoseconds as varints of five bytes each."""
    seconds, rest_us = np.divmod(us, US_PER_SECOND)
    column = np.empty((len(us), 2 + _TIME_BYTES), np.uint8)
    column[:, :2] = _number(_TIMES[name]) << 3 | 2, _TIME_BYTES
    for field, value in enumerate((seconds, rest_us * 1_000)):
        first = 2 + field * (1 + _VARINT_BYTES)
        column[:, first] = (field + 1) << 3
        for i in range(_VARINT_BYTES):
            more = 128 if i < _VARINT_BYTES - 1 else 0
            column[:, first + 1 + i] = value >> 7 * i & 127 | more
    return column.view(f"V{column.shape[1]}").ravel()


def _number(field: str) -> int:
    return int(SessionRecord.DESCRIPTOR.fields_by_name[field].number)


@cache
def _encoded_entries(name: str) -> NDArray[np.void]:
    """Returns the encoded fields of each dictionary code, padded to one width."""
    if name == "price":
        entries: Sequence[dimensions.Fields] = [
            {"customer_price": dimensions.price_text(units)} for units in range(dimensions.PRICE_MAX + 1)
        ]
    else:
        entries = dimensions.DIMENSIONS[name]
    texts = [SessionRecord(**entry).SerializeToString() for entry in entries]  # type: ignore[arg-type]
    width = max(map(len, texts))
    if min(map(len, texts)) < width:
        width += 2
    return np.frombuffer(b"".join(_padded(text, width) for text in texts), f"V{width}")


def _padded(text: bytes, width: int) -> bytes:
    """Pads an encoded chunk with `kind`, a field of every record, as an overlong varint."""
    if len(text) == width:
        return text
    value = [SESSION_KIND_CALL | 128] + [128] * (width - len(text) - 3) + [0]
    if len(value) > width - len(text) - 1:
        value = [SESSION_KIND_CALL]
    return text + bytes([_number("kind") << 3, *value])


def _message(call: np.void) -> SessionRecord:
    """Builds one call as a message, field by field."""
    is_active = call["end_us"] == ABSENT
    fields: dimensions.Fields = {
        "session_id": session_ids(call.reshape(1)).tobytes().decode(),
        "kind": SESSION_KIND_CALL,
    }
    for name in _OF_ACTIVE if is_active else CODES:
        fields |= dimensions.DIMENSIONS[name][call[name]]
    if not is_active:
        fields["customer_price"] = dimensions.price_text(int(call["price"]))
    record = SessionRecord(**fields)  # type: ignore[arg-type]
    for name, field in _TIMES.items():
        if call[name] != ABSENT:
            getattr(record, field).FromMicroseconds(int(call[name]))
    return record
