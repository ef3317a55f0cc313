"""Joins the parts of a record: rows that a switch writes for one call."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1.records_pb2 import SessionRecord

Values = dict[str, Any]
"""The fields of a record that have a value, times as `Timestamp`."""

_NEVER = (-1, -1)
_OF_CALLED_SIDE = (
    *("disconnect_cause", "alert_time", "vendor_price", "vendor_currency", "sip_status", "release_party"),
)


def values(record: SessionRecord) -> Values:
    """Returns the fields of a version that have a value."""
    return {field.name: value for field, value in record.ListFields()}


def number(record: SessionRecord) -> int | None:
    """Returns the number of the part that a version belongs to."""
    return record.part if record.HasField("part") else None


def join(parts: Sequence[Values]) -> Values:
    """Joins the merged parts of one record; a single one stays as it is."""
    if len(parts) == 1:
        return parts[0]
    first = min(parts, key=_set_up)
    highest = max(map(_part_class, parts))
    answering = [part for part in parts if _part_class(part) == highest and "answer_time" in part]
    answered = min(answering, key=lambda part: (_instant(part, "answer_time"), *_set_up(part)), default=None)
    ended = max(_instant(part, "end_time") for part in parts)
    last = [part for part in parts if _instant(part, "end_time") == ended]
    last = [part for part in last if _part_class(part) == max(map(_part_class, last))]
    terminating = answered or min(last, key=_set_up)
    joined = {name: value for name, value in first.items() if not _is_terminating(name)}
    joined |= {name: value for name, value in terminating.items() if _is_terminating(name)}
    for name in ("answer_time", "end_time", "part", "replaces"):
        joined.pop(name, None)
    if answered:
        joined["answer_time"] = answered["answer_time"]
    if ended != _NEVER and ended >= _instant(joined, "answer_time"):
        joined["end_time"] = last[0]["end_time"]
    return joined


def has_alert_out_of_order(found: Values) -> bool:
    """Whether a version or a part has an alert time before its setup or after its answer."""
    setup, alert, answer = (_instant(found, f"{name}_time") for name in ("setup", "alert", "answer"))
    return alert != _NEVER and (alert < setup or (answer != _NEVER and answer < alert))


def _is_terminating(name: str) -> bool:
    return name.startswith(("term_", "equipment_")) or name in _OF_CALLED_SIDE


def _part_class(part: Values) -> int:
    return int(part.get("part_class", 1))


def _set_up(part: Values) -> tuple[tuple[int, int], int]:
    return _instant(part, "setup_time"), int(part.get("part", -1))


def _instant(part: Values, name: str) -> tuple[int, int]:
    time: Timestamp | None = part.get(name)
    return _NEVER if time is None else (time.seconds, time.nanos // 1000)
