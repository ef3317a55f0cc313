"""The columns of a record, and what a scan computes from them, for the store in memory."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import model
from pegcount.v1 import records_pb2

PRICES = frozenset({"customer_price", "vendor_price"})
"""Columns of prices, in units of 10^-9."""
TEXTS = frozenset(
    one.name
    for one in records_pb2.SessionRecord.DESCRIPTOR.fields
    if one.type == one.TYPE_STRING and one.name not in PRICES
)
_RATES = ("rates_code", "rates_code_name", "rates_country")

Row = dict[str, Any]
"""The columns of a record that have a value, by name."""


def columns_of(record: bytes) -> Row:
    """The columns of a merged record; without `received_time`."""
    row: Row = {}
    for descriptor, value in records_pb2.SessionRecord.FromString(record).ListFields():
        if descriptor.name in PRICES:
            row[descriptor.name] = int(Decimal(value).scaleb(9))
        else:
            row[descriptor.name] = value.ToMicroseconds() if isinstance(value, Timestamp) else value
    is_timed = "answer_time" in row and "end_time" in row
    row["duration_ms"] = (row["end_time"] - row["answer_time"]) // 1_000 if is_timed else 0
    return row


def rates_of(row: Row, deck: Mapping[str, Sequence[str]]) -> Row:
    """The rates of both legs, by the longest code; absent ones are None."""
    found: Row = {}
    for leg in ("orig", "term"):
        number = row.get(f"{leg}_dst_party_id", "").removeprefix("+")
        codes = (number[:length] for length in range(len(number), 0, -1))
        entry = next((deck[code] for code in codes if code in deck), ["", "", ""])
        found |= {f"{leg}_{name}": text or None for name, text in zip(_RATES, entry, strict=True)}
    return found


def measured(row: Row, measure: model.Measure) -> tuple[int, int, int]:
    """The three sums of one record."""
    answer_us = row.get("answer_time")
    if measure.name == "calls":
        return 1, int(answer_us is not None), row["duration_ms"]
    if measure.name == "elapsed" and answer_us is not None:
        return 1, max(0, measure.as_of_us - answer_us) // 1_000, 0
    return 1, 0, 0
