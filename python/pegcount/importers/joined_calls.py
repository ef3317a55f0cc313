"""Joins the parts of a call as every store does: docs/semantics.md, section 4.

Stores do so for themselves. This serves to show a person what becomes of the rows of a file.
"""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from pegcount.v1.records_pb2 import SessionRecord

_TERMINATING = tuple(
    field.name
    for field in SessionRecord.DESCRIPTOR.fields
    if field.name.startswith(("term_", "equipment_")) or field.name == "disconnect_cause"
)
"""Fields of the part that was answered, or else of the one that ended last."""

_Order = tuple[int, int]


def join_parts(parts: Sequence[SessionRecord]) -> SessionRecord:
    """Returns the record of a call that has at least one part; each part has one version."""
    first = min(parts, key=_order)
    highest = max(map(_class, parts))
    answered = [part for part in parts if _class(part) == highest and part.HasField("answer_time")]
    last = min(parts, key=_end_order)
    terminating = min(answered, key=lambda part: (_us(part.answer_time), *_order(part)), default=last)
    joined = SessionRecord()
    joined.CopyFrom(first)
    for name in (*_TERMINATING, "answer_time", "end_time", "part"):
        joined.ClearField(name)
    for name in _TERMINATING:
        if terminating.HasField(name):
            setattr(joined, name, getattr(terminating, name))
    if answered:
        joined.answer_time.CopyFrom(terminating.answer_time)
    if last.HasField("end_time") and not (answered and _us(last.end_time) < _us(terminating.answer_time)):
        joined.end_time.CopyFrom(last.end_time)
    joined.part_class = highest
    return joined


def _class(part: SessionRecord) -> int:
    return part.part_class or 1


def _order(part: SessionRecord) -> _Order:
    return _us(part.setup_time), part.part if part.HasField("part") else -1


def _end_order(part: SessionRecord) -> tuple[int, int, _Order]:
    """Orders parts by their ends, the last first; of equal ones, the highest class comes first."""
    end_us = _us(part.end_time) if part.HasField("end_time") else -1
    return -end_us, -_class(part), _order(part)


def _us(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1_000
